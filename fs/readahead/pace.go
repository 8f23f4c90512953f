package readahead

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"pail/s3client"
)

const (
	guessedBytes = 64 << 10  // that count as seen before there is anything to see: less than one read, whose rate may be chance
	guessedRate  = 100 << 20 // bytes per second, at which they came
	recentBytes  = 64 << 20  // older ones count half, the older the less
	pacedBytes   = 64 << 10  // smaller bodies tell nothing of the rate
	sureBytes    = 512 << 10 // and larger ones enough to forget what smaller ones told before
)

// pace is what fetches from the service have cost lately: the time until an answer begins, and the rates at which bytes
// come then, of one request and of all that are under way with it.
type pace struct {
	now func() time.Time
	all atomic.Int64 // bytes that ever came

	mu struct {
		sync.Mutex
		latency  time.Duration // 0: nothing is known
		bytes    float64
		together float64       // bytes and what came of others at the same time
		taken    time.Duration // for bytes
		sure     bool          // a body of sureBytes has come
		probed   bool          // one was asked for
	}
}

func newPace(now func() time.Time) *pace {
	p := &pace{now: now}
	p.guessLocked()
	return p
}

func (p *pace) guessLocked() {
	p.mu.bytes, p.mu.together, p.mu.taken = guessedBytes, guessedBytes, time.Second*guessedBytes/guessedRate
}

// answered notes that an answer has begun.
func (p *pace) answered(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.latency == 0 {
		p.mu.latency = after
	}
	p.mu.latency += (after - p.mu.latency) / 8
}

// came notes how long the bytes of an answer took from then on, and how many of all answers came meanwhile.
func (p *pace) came(n, together int64, taken time.Duration) {
	if n < pacedBytes {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n >= sureBytes && !p.mu.sure {
		p.mu.sure = true
		p.guessLocked()
	}
	p.mu.bytes, p.mu.together, p.mu.taken = p.mu.bytes+float64(n), p.mu.together+float64(together), p.mu.taken+taken
	if p.mu.bytes > recentBytes {
		p.mu.bytes, p.mu.together, p.mu.taken = p.mu.bytes/2, p.mu.together/2, p.mu.taken/2
	}
}

// answer returns how long a request waits for its answer.
func (p *pace) answer() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.latency
}

// unsure reports whether nothing has come that tells the rate well, and nothing was asked for to learn it.
func (p *pace) unsure() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.mu.sure && !p.mu.probed
}

// probes notes that something is asked for to learn the rate.
func (p *pace) probes() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.probed = true
}

// within returns how many bytes of one request come in the time that it waits for its answer.
func (p *pace) within() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.mu.bytes * float64(p.mu.latency) / float64(p.mu.taken))
}

// cost returns how long n bytes take in requests of piece bytes, so many at once, if together they are no faster than those
// lately were.
func (p *pace) cost(n, piece int64, atOnce int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	rounds := 1 + float64(n)/(float64(piece)*float64(atOnce))
	return time.Duration(rounds*float64(p.mu.latency) + float64(n)/p.mu.together*float64(p.mu.taken))
}

// paced is a client whose Gets the pace is taken from.
type paced struct {
	s3client.Client
	pace *pace
}

// Get implements s3client.Client.
func (c paced) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	asked := c.pace.now()
	o, err := c.Client.Get(ctx, key, opt)
	if err != nil {
		return nil, err
	}
	begun := c.pace.now()
	c.pace.answered(begun.Sub(asked))
	o.Body = &pacedBody{ReadCloser: o.Body, pace: c.pace, begun: begun, last: begun, before: c.pace.all.Load()}
	return o, nil
}

// pacedBody is the body of one answer; one goroutine reads and closes it.
type pacedBody struct {
	io.ReadCloser
	pace        *pace
	n           int64
	begun, last time.Time
	before, all int64 // of pace.all, with begun and last
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.n, b.last, b.all = b.n+int64(n), b.pace.now(), b.pace.all.Add(int64(n))
	}
	return n, err
}

func (b *pacedBody) Close() error {
	b.pace.came(b.n, b.all-b.before, b.last.Sub(b.begun))
	return b.ReadCloser.Close()
}
