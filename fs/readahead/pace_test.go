package readahead

import (
	"context"
	"io"
	"testing"
	"time"

	"pail/s3client"
)

// What comes at the same time in several requests counts together where it is about many at once, and alone where it is about
// one.
func TestPaceOfRequestsAtTheSameTime(t *testing.T) {
	const size, many = 64 * mib, 8
	now := time.Unix(0, 0)
	f := &fake{size: size, etag: "e"}
	f.hook = func(context.Context, s3client.Range) error {
		now = now.Add(linkLatency)
		return nil
	}
	p := newPace(func() time.Time { return now })
	c := paced{f, p}
	var bodies [many]io.ReadCloser
	for i := range bodies {
		o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = o.Body
	}
	begun := now
	buf := make([]byte, 64*kib)
	for range size / len(buf) {
		for _, b := range bodies {
			now = now.Add(time.Millisecond / 4)
			if _, err := io.ReadFull(b, buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	taken := now.Sub(begun)
	for _, b := range bodies {
		b.Close()
	}
	if cost := p.cost(many*size, size, many) - 2*linkLatency; cost < taken*9/10 || cost > taken*11/10 {
		t.Errorf("%v for what took %v", cost, taken)
	}
	alone := int64(size * linkLatency / taken)
	if within := p.within(); within < alone*9/10 || within > alone*11/10 {
		t.Errorf("%d bytes come in the time of an answer, want %d", within, alone)
	}
}
