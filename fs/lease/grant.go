package lease

import (
	"context"
	"strings"

	"pail/s3client"
)

// A lease that is granted takes the place of those below it, on the service as soon as the request is there, here when its
// answer is. In between those are not relied on, and who does so comes to his end first: a recall of the new one, which
// may overtake the answer, would not wait for them. They are relied on again only where the answer says that nothing was
// granted; in doubt they end. As a request without answer may come to the service at any time, an event about a lease that
// is not known here ends those below, too.

// grant asks for one lease. What is granted to a stream that is over by then is lost already, and what was recalled, revoked
// or forfeited before the answer came goes back.
func (k *Keeper) grant(ctx context.Context, stream s3client.LeaseStream, prefix string) error {
	h := &held{prefix: prefix, stream: stream, unused: make(chan struct{})}
	inner, ok := k.beginAsking(h)
	if !ok {
		return s3client.ErrConflict
	}
	reads, err := false, awaitUsers(ctx, inner)
	unasked := err != nil
	if !unasked {
		reads, err = stream.Ask(ctx, prefix, k.opt.Reads)
	}
	k.mu.Lock()
	k.mu.asked = nil
	missed := h.missed
	switch {
	case missed:
	case err == nil && k.mu.stream == stream:
		h.reads = reads
		h.since, h.used = k.opt.Stamp(), k.opt.Now() // under the lock, see Granted
		for _, in := range inner {
			delete(k.mu.held, in.prefix)
		}
		k.mu.held[prefix] = h
		inner = nil
	case unasked || isRefusal(err):
		resumeLocked(inner)
		inner = nil
	}
	goesBack := len(inner) > 0 && k.endInsideLocked(stream, prefix)
	k.mu.Unlock()
	if missed && !goesBack { // it may have been granted though the answer says nothing of it
		k.returnTo(ctx, stream, prefix)
	}
	return err
}

// isRefusal reports whether an answer says that nothing was granted.
func isRefusal(err error) bool {
	return s3client.IsAny(err, s3client.ErrConflict, s3client.ErrAccess, s3client.ErrCredentials, s3client.ErrUnsupported)
}

// beginAsking notes what is about to be asked for, and pauses the leases that it takes the place of. It reports false if it
// is barred, since that was looked at.
func (k *Keeper) beginAsking(h *held) (inner []*held, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isBarredLocked(h.prefix) {
		return nil, false
	}
	k.mu.asked = h
	inner = k.insideLocked(h.prefix)
	for _, in := range inner {
		if in.paused = make(chan struct{}); in.users == 0 {
			close(in.paused)
		}
	}
	return inner, true
}

// awaitUsers waits until nobody relies on leases that are paused.
func awaitUsers(ctx context.Context, paused []*held) error {
	for _, h := range paused {
		select {
		case <-h.paused:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func resumeLocked(paused []*held) {
	for _, h := range paused {
		h.paused = nil
	}
}

// insideLocked returns the leases below a prefix.
func (k *Keeper) insideLocked(prefix string) (list []*held) {
	for _, h := range k.mu.held {
		if strings.HasPrefix(h.prefix, prefix) {
			list = append(list, h)
		}
	}
	return list
}

// endInsideLocked ends the leases below a prefix, on which there may be one that has taken their place: it goes back when
// what they promised is claimed. None of them is asked for again while that is on its way. It reports false if there are none.
func (k *Keeper) endInsideLocked(stream s3client.LeaseStream, prefix string) bool {
	inner := k.insideLocked(prefix)
	if len(inner) == 0 {
		return false
	}
	k.barLocked(prefix, false, barred)
	for _, h := range inner {
		h.beginEndLocked()
	}
	k.work.Go(func() {
		for _, h := range inner {
			<-h.unused
		}
		over := k.claimSoon(k.ctx, prefix)
		k.returnTo(k.ctx, stream, prefix)
		for _, h := range inner {
			k.giveBack(k.ctx, h)
		}
		k.claimOn(k.ctx, prefix, over)
	})
	return true
}
