package readahead

import (
	"context"
	"io"
	"math"
	"slices"
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

// What a few reads have shown of a fast link counts for more than what was guessed before, and one read whose bytes had all
// come when its answer was seen, as on a busy machine, does not make a slow link look like one.
func TestPaceOfTheFirstReads(t *testing.T) {
	const object = 256 * mib
	cost := func(taken ...time.Duration) time.Duration {
		p := newPace(time.Now)
		for _, d := range taken {
			p.answered(linkLatency)
			p.came(chunkSize, chunkSize, d)
		}
		return p.cost(object, p.within(), wholeAtOnce)
	}
	second := time.Second.Nanoseconds()
	atOnce, slow := time.Duration(chunkSize*second>>30), time.Duration(chunkSize*second/(4<<20))
	real := time.Duration(object * second >> 30)
	if c := cost(slices.Repeat([]time.Duration{atOnce}, 8)...); c > 2*real {
		t.Errorf("%v after 8 reads of a link that needs %v", c, real)
	}
	if c := cost(0); time.Duration(proof(math.MaxInt64)*float64(c)) < 2*linkLatency {
		t.Errorf("%v after one read at no time: its wait is proof enough", c)
	}
	if c := cost(0, slow); c < object/(10<<20)*time.Second {
		t.Errorf("%v after one read at no time and one at 4 MiB/s", c)
	}
}
