package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"pail/server/internal/store"
	"pail/server/internal/tags"
)

// Bounds of a pass.
const (
	pageSize    = 1000
	defaultRate = 500 // deletions per second
	slice       = 50  // deletions between two looks at the clock
)

// Options of a Scanner. Store is required.
type Options struct {
	Store    *store.Store
	Now      func() time.Time // decides what is due; nil: time.Now
	Day      time.Duration    // 0: Day
	Interval time.Duration    // between passes; 0: an hour, or half a shortened day
	Rate     int              // deletions per second at most; 0: 500
	Log      *slog.Logger     // nil: discarded
}

// Scanner does what the rules of all buckets say, one pass after another. It reads rows page by page, so its memory does
// not grow with a bucket. What it finds due is looked at again in the transaction that deletes it.
type Scanner struct{ opt Options }

// NewScanner makes a Scanner.
func NewScanner(opt Options) *Scanner {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Day <= 0 {
		opt.Day = Day
	}
	if opt.Interval <= 0 {
		opt.Interval = min(time.Hour, max(opt.Day/2, 10*time.Millisecond))
	}
	if opt.Rate <= 0 {
		opt.Rate = defaultRate
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Scanner{opt}
}

// Run makes passes until ctx ends.
func (s *Scanner) Run(ctx context.Context) {
	ticker := time.NewTicker(s.opt.Interval)
	defer ticker.Stop()
	for {
		done, err := s.Pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.opt.Log.Error("lifecycle: a pass failed; the next one tries again", "error", err)
		}
		if done != (Report{}) {
			s.opt.Log.Info("lifecycle: pass", "expired", done.Expired, "noncurrent", done.Noncurrent, "markers", done.Markers, "aborted", done.Aborted)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Report counts what a pass did.
type Report struct{ Expired, Noncurrent, Markers, Aborted int }

// Pass looks at all buckets once, unless another server does. A bucket that fails does not keep it from the others.
func (s *Scanner) Pass(ctx context.Context) (done Report, err error) {
	if !s.opt.Store.Leads() {
		return Report{}, nil
	}
	var errs []error
	for after := ""; ; {
		list, next, err := s.opt.Store.ListBuckets(ctx, store.ListBucketsQuery{After: after, Max: pageSize})
		if err != nil {
			return done, errors.Join(append(errs, err)...)
		}
		for _, b := range list {
			if err := s.bucket(ctx, b, &done); err != nil {
				errs = append(errs, err)
			}
			if err := ctx.Err(); err != nil {
				return done, err
			}
		}
		if after = next; next == "" {
			return done, errors.Join(errs...)
		}
	}
}

// pass is a pass over one bucket.
type pass struct {
	*Scanner
	bucket     store.Bucket
	document   []byte // of the rules; when it changes, the pass over the bucket is over
	conf       *Configuration
	generation uint64 // of all configurations, when document was compared last
	done       *Report
	began      time.Time
	deleted    int
}

func (s *Scanner) bucket(ctx context.Context, b store.Bucket, done *Report) error {
	generation, err := s.opt.Store.ConfigGeneration(ctx)
	if err != nil {
		return err
	}
	p := &pass{Scanner: s, bucket: b, generation: generation, done: done, began: time.Now()}
	document, err := s.opt.Store.BucketConfig(ctx, b.Name, store.ConfigLifecycle)
	if errors.Is(err, store.ErrNoSuchConfig) || errors.Is(err, store.ErrNoSuchBucket) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.conf, err = Parse(document); err != nil {
		return err
	}
	p.document = document
	versions, uploads := p.conf.prefixes()
	if versions != nil {
		err = p.versions(ctx, *versions)
	}
	if err == nil && uploads != nil {
		err = p.uploads(ctx, *uploads)
	}
	if errors.Is(err, store.ErrNoSuchBucket) || errors.Is(err, errChanged) {
		return nil
	}
	return err
}

// errChanged ends a pass whose rules may not hold any more.
var errChanged = errors.New("lifecycle: a configuration has changed")

// prefixes give what all rules in force that are about versions, or uploads, have in common; nil when there are none.
func (c *Configuration) prefixes() (versions, uploads *string) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Status != statusEnabled {
			continue
		}
		prefix := r.filter().prefix
		if r.Expiration != nil || r.NoncurrentVersionExpiration != nil {
			versions = common(versions, prefix)
		}
		if r.AbortIncompleteMultipartUpload != nil {
			uploads = common(uploads, prefix)
		}
	}
	return versions, uploads
}

func common(a *string, b string) *string {
	if a == nil {
		return &b
	}
	n := 0
	for n < len(*a) && n < len(b) && (*a)[n] == b[n] {
		n++
	}
	b = b[:n]
	return &b
}

// pace waits after some deletions, so that a pass leaves the store to its clients, and ends the pass when its rules may
// have changed.
func (p *pass) pace(ctx context.Context) error {
	if err := p.refresh(ctx); err != nil {
		return err
	}
	if p.deleted++; p.deleted%slice != 0 {
		return ctx.Err()
	}
	ahead := time.Duration(p.deleted)*time.Second/time.Duration(p.opt.Rate) - time.Since(p.began)
	if ahead <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// refresh makes sure that the rules are those that the pass began with.
func (p *pass) refresh(ctx context.Context) error {
	now, err := p.opt.Store.ConfigGeneration(ctx)
	if err != nil || now == p.generation {
		return err
	}
	document, err := p.opt.Store.BucketConfig(ctx, p.bucket.Name, store.ConfigLifecycle)
	if errors.Is(err, store.ErrNoSuchConfig) || err == nil && !bytes.Equal(document, p.document) {
		return errChanged
	}
	p.generation = now
	return err
}

func object(o *store.Object) Object {
	return Object{Key: o.Key, Size: o.Size, Modified: o.LastModified, Tags: tags.Set(o.Attrs.Tags)}
}

// due reports whether that time has come.
func (p *pass) due(when time.Time, ok bool) bool { return ok && !p.opt.Now().Before(when) }

func (p *pass) uploads(ctx context.Context, prefix string) error {
	for q := (store.UploadsQuery{Prefix: prefix, Max: pageSize}); ; {
		page, err := p.opt.Store.ListUploads(ctx, p.bucket.Name, q)
		if err != nil {
			return err
		}
		for i := range page.Uploads {
			u := &page.Uploads[i]
			when, _, ok := p.conf.AbortAt(u.Key, u.Initiated, p.opt.Day)
			if !p.due(when, ok) {
				continue
			}
			if err := p.pace(ctx); err != nil {
				return err
			}
			err := p.opt.Store.AbortUpload(ctx, p.bucket.Name, u.Key, u.ID)
			if err != nil && !errors.Is(err, store.ErrNoSuchUpload) {
				return err
			}
			p.done.Aborted++
		}
		if !page.Truncated {
			return nil
		}
		q.KeyMarker, q.UploadIDMarker = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

// history is what was seen of the versions of one key, from new to old.
type history struct {
	key    string
	marker *store.Object // the current version, when it is a delete marker
	newer  int           // versions that are not current
	since  time.Time     // when the version before was made
	queue  []queued      // versions to delete, from new to old
}

// queued is a version to delete, with what the rules need to know of it.
type queued struct {
	id    string
	since time.Time
	newer int
}

// maxQueue bounds the versions of one key that a pass deletes; the next pass deletes more.
const maxQueue = 10_000

func (p *pass) versions(ctx context.Context, prefix string) error {
	var h history
	for q := (store.VersionsQuery{Prefix: prefix, Max: pageSize}); ; {
		page, err := p.opt.Store.ListVersions(ctx, p.bucket.Name, q)
		if err != nil {
			return err
		}
		for i := range page.Versions {
			if err := p.version(ctx, &h, &page.Versions[i]); err != nil {
				return err
			}
		}
		if !page.Truncated {
			return p.finish(ctx, &h)
		}
		q.KeyMarker, q.VersionIDMarker = page.NextKeyMarker, page.NextVersionIDMarker
	}
}

// version looks at the next version of the listing.
func (p *pass) version(ctx context.Context, h *history, o *store.Object) error {
	if o.Latest || h.key != o.Key {
		if err := p.finish(ctx, h); err != nil {
			return err
		}
		*h = history{key: strings.Clone(o.Key), since: o.LastModified}
		if o.DeleteMarker {
			marker := *o
			h.marker = &marker
			return nil
		}
		return p.current(ctx, o)
	}
	when, ok := p.conf.NoncurrentExpires(object(o), h.since, h.newer, p.opt.Day)
	if p.due(when, ok) && len(h.queue) < maxQueue {
		h.queue = append(h.queue, queued{o.VersionID, h.since, h.newer})
	}
	h.newer++
	h.since = o.LastModified
	return nil
}

func (p *pass) current(ctx context.Context, o *store.Object) error {
	when, _, ok := p.conf.Expires(object(o), p.opt.Day)
	if !p.due(when, ok) {
		return nil
	}
	return p.expire(ctx, o.Key, "", &p.done.Expired, func(c store.Candidate) bool {
		when, _, ok := p.conf.Expires(object(&c.Object), p.opt.Day)
		return c.Object.Latest && !c.Object.DeleteMarker && p.due(when, ok)
	})
}

// finish deletes what is due of the versions of a key, the oldest first: what becomes of one then does not change what
// the rules say about the next.
func (p *pass) finish(ctx context.Context, h *history) error {
	for i := len(h.queue) - 1; i >= 0; i-- {
		v := h.queue[i]
		err := p.expire(ctx, h.key, v.id, &p.done.Noncurrent, func(c store.Candidate) bool {
			when, ok := p.conf.NoncurrentExpires(object(&c.Object), v.since, v.newer, p.opt.Day)
			return !c.Object.Latest && p.due(when, ok)
		})
		if err != nil {
			return err
		}
	}
	if h.marker == nil || h.newer > len(h.queue) {
		return nil
	}
	when, ok := p.conf.MarkerExpires(object(h.marker), p.opt.Day)
	if !p.due(when, ok) {
		return nil
	}
	return p.expire(ctx, h.key, h.marker.VersionID, &p.done.Markers, func(c store.Candidate) bool {
		return c.Alone && c.Object.DeleteMarker
	})
}

func (p *pass) expire(ctx context.Context, key, version string, count *int, fn func(store.Candidate) bool) error {
	if err := p.pace(ctx); err != nil {
		return err
	}
	done, err := p.opt.Store.Expire(ctx, p.bucket.Name, key, version, func(c store.Candidate) bool {
		return c.ConfigGeneration == p.generation && fn(c)
	})
	if errors.Is(err, store.ErrDamaged) {
		p.opt.Log.Error("lifecycle: a damaged version is left alone", "bucket", p.bucket.Name, "key", key, "version", version, "error", err)
		return nil
	}
	if done {
		*count++
	}
	return err
}
