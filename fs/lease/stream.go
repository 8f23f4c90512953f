package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pail/s3client"
)

// join returns the stream, which it opens if there is none. Whoever asks has the token, so there is no second one.
func (k *Keeper) join(ctx context.Context) (s3client.LeaseStream, error) {
	k.mu.Lock()
	stream := k.mu.stream
	k.mu.Unlock()
	if stream != nil {
		return stream, nil
	}
	return k.open(ctx)
}

var errSilent = errors.New("the stream says nothing")

// open opens a stream that lives as long as the keeper, and waits for its first event: what lies between may hold streams
// back.
func (k *Keeper) open(ctx context.Context) (s3client.LeaseStream, error) {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	life, end := context.WithCancel(k.ctx)
	giveUp := context.AfterFunc(ctx, end)
	stream, err := k.opt.Join(life)
	if err != nil {
		end()
		return nil, err
	}
	first, err := stream.Next()
	if !giveUp() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		end()
		_ = stream.Close() // it never was of use
		return nil, fmt.Errorf("%w: %w", errSilent, err)
	}
	k.mu.Lock()
	k.mu.stream, k.mu.sent, k.mu.opened, k.mu.silent = stream, first.Sent, k.opt.Now(), 0
	k.mu.Unlock()
	k.work.Go(func() {
		defer end()
		k.listen(stream)
	})
	return stream, nil
}

// listen serves a stream to its end.
func (k *Keeper) listen(stream s3client.LeaseStream) {
	silence := time.AfterFunc(s3client.LeaseTrust, func() { _ = stream.Close() }) // Next says so
	defer silence.Stop()
	for {
		e, err := stream.Next()
		if err != nil {
			k.lost(stream, err)
			return
		}
		silence.Reset(s3client.LeaseTrust)
		k.heard(e)
	}
}

// heard serves an event. What takes long is done beside.
func (k *Keeper) heard(e s3client.LeaseEvent) {
	k.mu.Lock()
	if e.Sent.After(k.mu.sent) {
		k.mu.sent = e.Sent
	}
	h := k.mu.held[e.Prefix]
	if h == nil && e.Kind != s3client.LeaseAlive {
		k.unknownLocked(e)
	}
	switch e.Kind {
	case s3client.LeaseRecalled:
		k.barLocked(e.Key, false, barred)
	case s3client.LeaseRevoked:
		k.opt.Log.Warn("a lease on a directory was taken away, as it was not given back in time", "prefix", e.Prefix)
	case s3client.LeaseAlive:
		h = nil
	}
	for _, held := range k.mu.held {
		if held == h || k.opt.Now().Sub(held.used) >= idle || k.oldLocked() {
			k.endLocked(held)
		}
	}
	if e.Kind == s3client.LeaseRevoked {
		delete(k.mu.held, e.Prefix)
	}
	k.mu.Unlock()
}

// unknownLocked serves an event about a lease that is not held here: its answer has not come yet, or got lost, or it has just
// gone back.
func (k *Keeper) unknownLocked(e s3client.LeaseEvent) {
	if asked := k.mu.asked; asked != nil && strings.HasPrefix(asked.prefix, e.Prefix) {
		asked.missed = true // also where the service has not granted it, as this one covers it
		if asked.prefix == e.Prefix {
			return // grant does the rest
		}
	}
	if stream := k.mu.stream; stream != nil && !k.endInsideLocked(stream, e.Prefix) && e.Kind == s3client.LeaseRecalled {
		k.work.Go(func() { k.returnTo(k.ctx, stream, e.Prefix) })
	}
}

// endLocked ends a lease: nobody relies on it from now on. When those have come to their end who do, what they promised is
// claimed, and the lease is given back. With the last one ends the stream. What could not be claimed in time is claimed
// afterwards, as long as nobody else was quicker.
func (k *Keeper) endLocked(h *held) {
	if h.beginEndLocked() {
		k.work.Go(func() { k.finish(k.ctx, h) })
	}
}

// finish is the rest of endLocked.
func (k *Keeper) finish(ctx context.Context, h *held) {
	<-h.unused
	over := k.claimSoon(ctx, h.prefix)
	k.giveBack(ctx, h)
	k.claimOn(ctx, h.prefix, over)
}

// claimOn claims until it is over.
func (k *Keeper) claimOn(ctx context.Context, prefix string, over bool) {
	for wait := claimWait; !over && pause(ctx, wait); wait = min(2*wait, claimMost) {
		over = k.opt.Claim(ctx, prefix)
	}
}

// forfeit ends the leases that hold a key, or overlap a prefix that ends in "/", and has none asked for there for a while: a
// change may be on its way of which nobody knows when it arrives. Nobody relies on these leases from now on, nor on one that
// is just being asked for.
func (k *Keeper) forfeit(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	inDir := !strings.HasSuffix(key, "/")
	if inDir { // all keys of a directory have one bar
		key = key[:strings.LastIndexByte(key, '/')+1]
	}
	k.barLocked(key, inDir, barred)
	overlaps := bar{key: key, exact: inDir}.bars
	for _, h := range k.mu.held {
		if overlaps(h.prefix) && !k.mu.closed {
			k.endLocked(h)
		}
	}
	if asked := k.mu.asked; asked != nil && overlaps(asked.prefix) {
		asked.missed = true
	}
}

// claimSoon claims for as long as somebody may wait for the lease.
func (k *Keeper) claimSoon(ctx context.Context, prefix string) (over bool) {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	return k.opt.Claim(ctx, prefix)
}

// pause reports false if ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// giveBack gives a lease back that is not lost.
func (k *Keeper) giveBack(ctx context.Context, h *held) {
	k.mu.Lock()
	held := k.mu.held[h.prefix] == h
	k.mu.Unlock()
	if held {
		k.returnTo(ctx, h.stream, h.prefix)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.held[h.prefix] == h {
		delete(k.mu.held, h.prefix)
	}
	if len(k.asking) == 0 { // else there may be another one soon
		k.closeUnusedLocked()
	}
}

// returnTo gives a lease back, if need be by the end of the stream: a request without answer must not come to the service when
// the lease is held again.
func (k *Keeper) returnTo(ctx context.Context, stream s3client.LeaseStream, prefix string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := stream.Return(ctx, prefix); err != nil {
		k.opt.Log.Debug("a lease was not given back", "prefix", prefix, "error", err)
		_ = stream.Close() // which gives it back
	}
}

// closeUnusedLocked ends a stream without leases.
func (k *Keeper) closeUnusedLocked() {
	if len(k.mu.held) == 0 && k.mu.stream != nil {
		_ = k.mu.stream.Close() // there is nothing more to hear
		k.mu.stream = nil
	}
}

// beginEndLocked keeps others from relying on a lease. It reports false if that was done before.
func (h *held) beginEndLocked() bool {
	if h.ending {
		return false
	}
	if h.ending = true; h.users == 0 {
		close(h.unused)
	}
	return true
}

// lost ends the leases of a stream that is over.
func (k *Keeper) lost(stream s3client.LeaseStream, err error) {
	_ = stream.Close() // it is broken already
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.stream == stream {
		k.mu.stream = nil
	}
	for prefix, h := range k.mu.held {
		if h.stream == stream {
			k.opt.Log.Info("a lease on a directory is lost", "prefix", prefix, "error", err)
			delete(k.mu.held, prefix)
			k.endLocked(h)
		}
	}
}
