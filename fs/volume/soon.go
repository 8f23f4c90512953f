package volume

import (
	"context"
	"errors"
	"strings"
	"sync"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// Programs that unpack or clone make many directories, and wait for each. Under a lease for reads nobody else can make the
// name, nor look at it by a request that the mount would not be asked about if it made one; so, once one was made there, the
// markers of others are sent while the program goes on. For this mount they are there at once. Until the marker is stored,
// the directory's path stays owned and its gate locked, so that whoever changes, renames or removes it waits, as do requests
// that could miss it (watchful). The lease is given back only afterwards, and fsync of a directory waits too.

// soon are the markers that are on their way. Its lock is a leaf.
type soon struct {
	mu struct {
		sync.Mutex
		keys map[string]chan struct{} // closed when it is over
	}
}

func (s *soon) init() { s.mu.keys = map[string]chan struct{}{} }

// begin notes a marker, unless there are many.
func (s *soon) begin(key string, most int) (over func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.keys) >= most {
		return nil, false
	}
	done := make(chan struct{})
	s.mu.keys[key] = done
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.mu.keys, key)
		close(done)
	}, true
}

// settle waits for those that begin with a prefix, as they are now.
func (s *soon) settle(ctx context.Context, prefix string) error {
	var wait []chan struct{}
	s.mu.Lock()
	for key, done := range s.mu.keys {
		if strings.HasPrefix(key, prefix) {
			wait = append(wait, done)
		}
	}
	s.mu.Unlock()
	for _, done := range wait {
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// madeUnderLease notes that a directory was made at a path, and waited for.
func (v *Volume) madeUnderLease(at string) {
	since, done, ok := v.useReads(at)
	if !ok {
		return
	}
	done()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.made = since
}

// makesSoon reports whether a directory at a path may be made without waiting: nothing is there for certain, and another one
// was made under the lease.
func (v *Volume) makesSoon(at string) bool {
	since, done, ok := v.useReads(at)
	if !ok {
		return false
	}
	defer done()
	if !v.opt.LazyUnlink || v.opt.Journal != nil { // which has made it already, or is to be asked first
		return false
	}
	v.mu.Lock()
	made := v.mu.made == since
	v.mu.Unlock()
	return made && v.names.AbsentSince(at, since)
}

// makeSoon makes a directory whose marker is stored in the background. unlock gives its path back, which the caller owns. It
// reports false, and does nothing, if too many are on their way.
func (v *Volume) makeSoon(p place, at string, o object, unlock func()) (n *Inode, st Stat, ok bool) {
	over, ok := v.soon.begin(o.info.Key, v.opt.Parallel)
	if !ok {
		return nil, Stat{}, false
	}
	n = v.inode(p, attr.Dir)
	if !n.gate.tryLock() {
		over()
		return nil, Stat{}, false
	}
	if v.child(p) != n { // as in gatedInode
		n.gate.unlock()
		over()
		return nil, Stat{}, false
	}
	o.info.Meta = attr.Encode(o.attr, o.info.Meta)
	began := v.names.Begin()
	s := v.present(at, o, began)
	n.mu.Lock()
	n.mu.stamp = s
	n.mu.Unlock()
	go func() {
		defer over()
		defer unlock()
		defer n.gate.unlock()
		v.sendMarker(p, at, o, began)
	}()
	return n, v.stat(n, o), true
}

func (v *Volume) sendMarker(p place, at string, o object, began tree.Stamp) {
	ctx, cancel := v.detached(context.Background(), 0)
	defer cancel()
	info, err := v.client.Put(ctx, o.info.Key, emptyBody(), s3client.PutOptions{
		Meta: o.info.Meta, System: o.info.System, IfNoneMatch: true,
	})
	switch {
	case err == nil:
		o.info.ETag, o.info.LastModified = info.ETag, info.LastModified
		v.present(at, o, began)
	case errors.Is(err, s3client.ErrPrecondition): // somebody was quicker, as the lease was lost: it is there
		v.names.Forget(at)
	default:
		v.doubt(at, err)
		v.log.Error("a directory that was made is not on the service", "path", at, "error", err)
		p.dir.mu.Lock()
		defer p.dir.mu.Unlock()
		p.dir.mu.row.err = err
	}
}
