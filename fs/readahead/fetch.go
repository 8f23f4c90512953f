package readahead

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pail/s3client"
)

// startLocked adds b to the source's blocks and starts its fetch. Without chunks it waits for them, and must be demanded.
func (s *source) startLocked(b *block) *block {
	m := &s.pool.mu.memory
	ctx, cancel := context.WithCancel(s.ctx)
	b.src, b.cancel = s, cancel
	s.insertLocked(b)
	m.ahead += b.ahead
	var r *request
	if b.chunks == nil {
		r = m.enqueue(b)
	} else {
		m.put(b, &m.flying)
	}
	s.wg.Add(1)
	go s.fetch(ctx, b, r)
	return b
}

// fetch brings one block. It owns the block's bytes above filled.
func (s *source) fetch(ctx context.Context, b *block, r *request) {
	keep, err := s.begin(ctx, b, r)
	if err == nil {
		err = s.fill(ctx, b)
	}
	if err != nil && !b.demanded && !errors.Is(err, context.Canceled) {
		s.pool.log.Debug("fetch ahead failed", "key", s.id.Key, "off", b.off, "size", b.size, "err", err)
	}
	s.end(b, keep, err)
}

// begin waits for what the fetch of b needs before its request.
func (s *source) begin(ctx context.Context, b *block, r *request) (room, error) {
	if r != nil {
		select {
		case <-r.granted:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	switch {
	case b.whole:
		return b.keep, nil
	case b.demanded:
		return s.pool.keeper.reserve(b.size), nil
	}
	return s.pool.keeper.wait(ctx, b.size, b.waitsUntil)
}

// waitsUntil says that the fetch of b waits for room to be kept, until over, and what ends that.
func (b *block) waitsUntil(lost context.CancelFunc) (over func()) {
	p := b.src.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	b.lost = lost
	if len(b.waiters) > 0 {
		b.losePatienceLocked()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		b.lost = nil
		if b.patience != nil {
			b.patience.Stop()
		}
	}
}

// losePatienceLocked has b wait for room no longer than keeperPatience from now on, as a reader waits for it; and not at all
// where a reader has lost patience before.
func (b *block) losePatienceLocked() {
	switch {
	case b.lost == nil || b.patience != nil:
	case b.src.pool.keeper.stuck.Load():
		b.lost()
	default:
		b.patience = time.AfterFunc(keeperPatience, b.lost)
	}
}

// end ends the fetch of b, and has its bytes kept.
func (s *source) end(b *block, keep room, err error) {
	s.pool.mu.Lock()
	kept := err == nil && keep > 0
	if kept {
		b.pins++ // the bytes stay in place, whatever becomes of the source
	}
	b.finishLocked(err)
	if b.whole {
		s.wholeFetchedLocked(err)
	}
	id, chunks := s.id, b.chunks
	s.pool.mu.Unlock()
	b.cancel()
	s.wg.Done()
	if kept {
		s.pool.keeper.keep(id, b, chunks)
		s.pool.mu.Lock()
		b.kept = true
		if b.whole {
			b.spendLocked() // memory that was used before is quicker than new one, and reads find it where it is kept
		}
		b.unpinLocked(0)
		s.pool.mu.Unlock()
	}
	s.pool.keeper.free(keep)
	if b.whole {
		s.pool.mu.Lock()
		s.fetchWholeLocked()
		s.pool.mu.Unlock()
	}
}

func (s *source) fill(ctx context.Context, b *block) error {
	opt := s3client.GetOptions{IfMatch: s.id.ETag}
	if b.size < s.id.Size { // a whole object comes with its checksum
		opt.Range = s3client.Range{Off: b.off, Len: b.size}
	}
	obj, err := s.pool.client.Get(ctx, s.id.Key, opt)
	if err != nil {
		return err
	}
	defer obj.Body.Close()
	if obj.Info.Size != s.id.Size || s.id.ETag != "" && obj.Info.ETag != "" && obj.Info.ETag != s.id.ETag {
		return fmt.Errorf("read %q: %w: it has changed", s.id.Key, s3client.ErrPrecondition)
	}
	return s.receive(b, obj.Body)
}

// receive reads the body into the block and publishes bytes as they come; the last ones only after the end of the body,
// where a client reports a wrong checksum.
func (s *source) receive(b *block, body io.Reader) error {
	s.pool.mu.Lock()
	chunks := b.chunks
	s.pool.mu.Unlock()
	for at := int64(0); at < b.size; {
		buf := runAt(chunks, at)
		n, err := body.Read(buf[:min(int64(len(buf)), b.size-at)])
		at += int64(n)
		if at == b.size && err == nil {
			err = expectEOF(body)
		}
		if at < b.size && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return s.wrap(b, err)
		}
		s.pool.mu.Lock()
		b.advanceLocked(int64(n))
		s.pool.mu.Unlock()
	}
	return nil
}

func (s *source) wrap(b *block, err error) error {
	return fmt.Errorf("read %d bytes at %d of %q: %w", b.size, b.off, s.id.Key, err)
}

// expectEOF reads on behind the last byte.
func expectEOF(body io.Reader) error {
	n, err := io.ReadFull(body, make([]byte, 1))
	if n > 0 {
		return errors.New("the service sent more bytes than asked for")
	}
	return err
}
