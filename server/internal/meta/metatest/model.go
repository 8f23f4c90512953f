package metatest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pail/server/internal/meta"
)

func testModel(t *testing.T, db meta.DB) {
	rnd := rand.New(rand.NewPCG(1, 2))
	key := func() string { return string("klmn"[rnd.IntN(4)]) + strings.Repeat("\x00z"[rnd.IntN(2):], rnd.IntN(3)) }
	model := map[string]string{}
	for range 200 {
		next := map[string]string{}
		for k, v := range model {
			next[k] = v
		}
		abort := errors.New("abort")
		err := db.Update(ctx, func(x meta.Txn) error {
			for range rnd.IntN(6) {
				k := key()
				if rnd.IntN(3) == 0 {
					delete(next, k)
					write(x, "-"+k)
				} else {
					next[k] = fmt.Sprint(rnd.IntN(1000))
					write(x, k+"="+next[k])
				}
			}
			want(t, rows(t, x, "k", ""), rowsOf(next, "k"))
			if rnd.IntN(4) == 0 {
				return abort
			}
			return nil
		})
		if err == nil {
			model = next
		} else if !errors.Is(err, abort) {
			t.Fatal(err)
		}
		lower := key()
		view(t, db, func(r meta.Reader) error {
			want(t, rows(t, r, lower, ""), rowsOf(model, lower))
			return nil
		})
	}
}

func rowsOf(model map[string]string, lower string) string {
	var list []string
	for k := range model {
		if k >= lower {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	for i, k := range list {
		list[i] = k + "=" + model[k]
	}
	return strings.Join(list, " ")
}
