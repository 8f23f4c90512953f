package blob_test

import (
	"context"
	"io"
	"net"
	"testing"

	"pail/server/internal/blob"
)

// BenchmarkSend compares the way that bytes go to a client - read, verified, written - with sendfile, which cannot verify
// and is the slower one where the receiver is on the same machine.
func BenchmarkSend(b *testing.B) {
	const size = 64 << 20
	s, _ := openDisk(b)
	id := mustPut(b, s, content(size))
	for name, send := range map[string]func(*net.TCPConn, blob.Blob) (int64, error){
		"verified": func(c *net.TCPConn, r blob.Blob) (int64, error) { return r.CopyRange(c, 0, size) },
		"sendfile": func(c *net.TCPConn, r blob.Blob) (int64, error) {
			if _, err := r.File().Seek(0, io.SeekStart); err != nil {
				return 0, err
			}
			return c.ReadFrom(io.LimitReader(r.File(), size))
		},
	} {
		b.Run(name, func(b *testing.B) {
			r, err := s.Open(context.Background(), id)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			c := discarded(b)
			b.SetBytes(size)
			for b.Loop() {
				if n, err := send(c, r); n != size || err != nil {
					b.Fatalf("%d bytes, %v", n, err)
				}
			}
		})
	}
}

// discarded is a connection whose other end reads and forgets.
func discarded(b *testing.B) *net.TCPConn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _, _ = c.Close(), l.Close(), <-done })
	return c.(*net.TCPConn)
}
