package metatest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pail/server/internal/meta"
)

func number(r meta.Reader, key string) (uint64, error) {
	v, err := r.Get([]byte(key))
	if errors.Is(err, meta.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

func testCounter(t *testing.T, db meta.DB) {
	const workers, rounds = 8, 25
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				err := db.Update(ctx, func(x meta.Txn) error {
					n, err := number(x, "n")
					if err != nil {
						return err
					}
					return x.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, n+1))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, db, func(r meta.Reader) error {
		if n, _ := number(r, "n"); n != workers*rounds {
			t.Errorf("counted %d, want %d", n, workers*rounds)
		}
		return nil
	})
}

// testWriteSkew: each transaction checks that the other's row is absent. Only one may succeed.
func testWriteSkew(t *testing.T, db meta.DB) {
	taken := errors.New("taken")
	for round := range 20 {
		var wg sync.WaitGroup
		won := make(chan string, 2)
		names := []string{fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)}
		for i := range 2 {
			wg.Go(func() {
				err := db.Update(ctx, func(x meta.Txn) error {
					if _, err := x.Get([]byte(names[1-i])); !errors.Is(err, meta.ErrNotFound) {
						return taken
					}
					return x.Set([]byte(names[i]), nil)
				})
				if err == nil {
					won <- names[i]
				} else if !errors.Is(err, taken) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d transactions won, want 1", len(won))
		}
	}
}
