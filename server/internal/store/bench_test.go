package store

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"pail/server/internal/blob"
	"pail/server/internal/meta/pebbledb"
)

// Benchmarks of the semantics on Pebble and real files, every write durable. 16 goroutines share the work.

func openBench(b *testing.B) *Store {
	db, err := pebbledb.Open(b.TempDir(), pebbledb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	blobs, err := blob.Open(b.TempDir(), blob.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(ctx, Options{DB: db, Blobs: blobs})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if err := s.CreateBucket(ctx, Bucket{Name: "b"}); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(8)
	b.ReportAllocs()
	return s
}

func benchKey(n int64) string { return fmt.Sprintf("dir%02d/key%07d", n%100, n) }

func benchPut(b *testing.B, s *Store, key string, p []byte) {
	_, err := s.PutObject(ctx, PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(p), Size: int64(len(p))})
	if err != nil {
		b.Error(err)
	}
}

// eachParallel runs fn with numbers that count up.
func eachParallel(b *testing.B, fn func(n int64)) {
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			fn(next.Add(1) - 1)
		}
	})
}

func BenchmarkPutObject4K(b *testing.B) {
	s, p := openBench(b), data(4096, 1)
	eachParallel(b, func(n int64) { benchPut(b, s, benchKey(n), p) })
}

func BenchmarkGetObject4K(b *testing.B) {
	s, p := openBench(b), data(4096, 1)
	for n := range int64(1000) {
		benchPut(b, s, benchKey(n), p)
	}
	eachParallel(b, func(n int64) {
		o, err := s.GetObject(ctx, "b", benchKey(n*7%1000), ReadInput{})
		if err != nil {
			b.Error(err)
			return
		}
		if m, err := o.CopyRange(io.Discard, 0, o.Object.Size); m != 4096 || err != nil {
			b.Errorf("%d bytes: %v", m, err)
		}
		o.Close()
	})
}

func BenchmarkHeadObject(b *testing.B) {
	s := openBench(b)
	for n := range int64(1000) {
		benchPut(b, s, benchKey(n), nil)
	}
	eachParallel(b, func(n int64) {
		if _, err := s.HeadObject(ctx, "b", benchKey(n*7%1000), ReadInput{}); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkWalkObjects reads pages of 1000 of 20,000 objects, and pages of 100 common prefixes.
func BenchmarkWalkObjects(b *testing.B) {
	for _, delimiter := range []string{"", "/"} {
		b.Run("delimiter="+delimiter, func(b *testing.B) {
			s := openBench(b)
			for n := range int64(20_000) {
				benchPut(b, s, benchKey(n), nil)
			}
			after := ""
			for b.Loop() {
				page, err := s.WalkObjects(ctx, "b", ListQuery{Delimiter: delimiter, After: after, Max: 1000}, func(*Object) {})
				if err != nil {
					b.Fatal(err)
				}
				after = page.Next
			}
		})
	}
}

func BenchmarkPutObject64M(b *testing.B) {
	s, p := openBench(b), data(64<<20, 1)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		benchPut(b, s, "big", p)
	}
}

func BenchmarkGetObject64M(b *testing.B) {
	s, p := openBench(b), data(64<<20, 1)
	benchPut(b, s, "big", p)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		o, err := s.GetObject(ctx, "b", "big", ReadInput{})
		if err != nil {
			b.Fatal(err)
		}
		if m, err := o.CopyRange(io.Discard, 0, o.Object.Size); m != int64(len(p)) || err != nil {
			b.Fatalf("%d bytes: %v", m, err)
		}
		o.Close()
	}
}
