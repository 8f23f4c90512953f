package readahead

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	defer s.wg.Done()
	defer b.cancel()
	err := s.fill(ctx, b, r)
	if err != nil && !b.demanded && !errors.Is(err, context.Canceled) {
		s.pool.log.Debug("fetch ahead failed", "key", s.id.Key, "off", b.off, "size", b.size, "err", err)
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	b.finishLocked(err)
}

func (s *source) fill(ctx context.Context, b *block, r *request) error {
	if r != nil {
		select {
		case <-r.granted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
		buf := chunkAt(chunks, at)
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
