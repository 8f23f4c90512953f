package pgdb_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pail/server/internal/meta"
	"pail/server/internal/meta/pgdb"
	"pail/server/pgtest"
)

// BenchmarkCommit has 16 callers write a row each time, through one server or three, with a message or without.
func BenchmarkCommit(b *testing.B) {
	node := pgtest.Start(b)
	for _, servers := range []int{1, 3} {
		for _, messages := range []bool{false, true} {
			name := fmt.Sprintf("servers=%d/messages=%v", servers, messages)
			b.Run(name, func(b *testing.B) {
				var list []*pgdb.DB
				for range servers {
					db, err := pgdb.Open(context.Background(), pgtest.Address("postgres", node), pgdb.Options{})
					if err != nil {
						b.Fatal(err)
					}
					ctx, stop := context.WithCancel(context.Background())
					done, up := make(chan struct{}), make(chan struct{})
					go func() { defer close(done); db.Receive(ctx, func([]byte) {}, func() { close(up) }, func() {}) }()
					<-up
					defer func() { stop(); <-done; db.Close() }()
					list = append(list, db)
				}
				commitAll(b, list, messages)
			})
		}
	}
}

func commitAll(b *testing.B, list []*pgdb.DB, messages bool) {
	var next atomic.Int64
	var workers sync.WaitGroup
	message := make([]byte, 120)
	b.ResetTimer()
	for w := range 16 {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				err := list[w%len(list)].Update(context.Background(), func(t meta.Txn) error {
					key := fmt.Appendf(nil, "k%d/%d", w, i)
					if messages {
						t.(meta.Sender).Send(message)
					}
					return t.Set(key, meta.Seal(key, message))
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
