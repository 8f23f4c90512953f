package accesslog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Bounds of what waits for delivery, in bytes.
const (
	maxObject  = 4 << 20  // of one log: then it is delivered at once
	maxWaiting = 32 << 20 // of all; more is dropped
)

// DefaultInterval is the time between deliveries.
const DefaultInterval = 5 * time.Minute

// Target says where the lines about a bucket go, and how the objects are called.
type Target struct {
	Bucket, Prefix string
	Owner          string // of both buckets, a canonical id
	Grants         string // the stored form of the list of grants of the objects; "" for the owner's alone

	Partitioned bool // the prefix is followed by Account/Region/Source/YYYY/MM/DD/
	EventTime   bool // by the day of the requests, not of the delivery
	Account     string
	Region      string
	Source      string // the bucket that is logged
}

// Options of a Writer. Put is required.
type Options struct {
	Put      func(ctx context.Context, t Target, key string, body []byte) error
	Now      func() time.Time // nil: time.Now
	Interval time.Duration    // 0: DefaultInterval
	Log      *slog.Logger     // nil: discarded
}

// Writer collects lines and delivers them. It is safe for concurrent use.
type Writer struct {
	opt  Options
	full chan struct{} // a log has reached maxObject

	mu struct {
		sync.Mutex
		logs    map[place][]byte
		waiting int
		dropped int // lines
	}
}

// place is one log object to be: a target and, where its name needs one, a day.
type place struct {
	Target
	day string // YYYY-MM-DD
}

// New makes a Writer.
func New(opt Options) *Writer {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Interval <= 0 {
		opt.Interval = DefaultInterval
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	w := &Writer{opt: opt, full: make(chan struct{}, 1)}
	w.mu.logs = map[place][]byte{}
	return w
}

// Add takes a record for delivery. It does not block.
func (w *Writer) Add(t Target, r *Record) {
	p := place{Target: t}
	if t.Partitioned && t.EventTime {
		p.day = r.Time.UTC().Format(time.DateOnly)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.waiting >= maxWaiting {
		w.mu.dropped++
		return
	}
	before := len(w.mu.logs[p])
	after := r.Append(w.mu.logs[p])
	w.mu.logs[p] = after
	w.mu.waiting += len(after) - before
	if len(after) >= maxObject {
		select {
		case w.full <- struct{}{}:
		default:
		}
	}
}

// Run delivers until ctx ends, and then what is left.
func (w *Writer) Run(ctx context.Context) {
	ticker := time.NewTicker(w.opt.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			w.Deliver(context.WithoutCancel(ctx))
			return
		case <-ticker.C:
		case <-w.full:
		}
		w.Deliver(ctx)
	}
}

// Deliver stores all that waits. A log that cannot be stored is gone.
func (w *Writer) Deliver(ctx context.Context) {
	w.mu.Lock()
	logs, dropped := w.mu.logs, w.mu.dropped
	w.mu.logs, w.mu.waiting, w.mu.dropped = map[place][]byte{}, 0, 0
	w.mu.Unlock()
	if dropped > 0 {
		w.opt.Log.Warn("access log: lines dropped, for too many waited", "lines", dropped)
	}
	for p, body := range logs {
		if err := w.opt.Put(ctx, p.Target, p.key(w.opt.Now().UTC()), body); err != nil {
			w.opt.Log.Warn("access log not delivered", "bucket", p.Bucket, "bytes", len(body), "error", err)
		}
	}
}

// key names the object: PREFIX, a partition, the time of its delivery or the day of its requests, and a unique end.
func (p *place) key(now time.Time) string {
	if p.day != "" {
		now, _ = time.Parse(time.DateOnly, p.day) // it was formatted so
	}
	var b strings.Builder
	b.WriteString(p.Prefix)
	if p.Partitioned {
		b.WriteString(p.Account + "/" + p.Region + "/" + p.Source + now.Format("/2006/01/02/"))
	}
	b.WriteString(now.Format("2006-01-02-15-04-05-"))
	var unique [8]byte
	_, _ = rand.Read(unique[:]) // never fails (crypto/rand)
	return b.String() + strings.ToUpper(hex.EncodeToString(unique[:]))
}
