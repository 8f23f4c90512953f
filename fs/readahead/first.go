package readahead

import (
	"context"
	"errors"
	"io"

	"pail/s3client"
)

// ErrNoRoom is what First answers when there is no memory to spare for bytes that nobody has asked for yet.
var ErrNoRoom = errors.New("no memory to fetch ahead")

// First asks for the version of an object that is in place, with its first n bytes (n > 0), in one request: the whole
// object where it is expected to have no more. It returns when the answer begins; the bytes come in while the source is
// used already. The caller closes the source, which is nil for an empty object. s3client.ErrRange may say the same of an
// object that is expected to be larger than n. ctx ends the wait for the answer only.
func (p *Pool) First(ctx context.Context, key string, n, expected int64) (s3client.ObjectInfo, Source, error) {
	s, b, work := p.openFirst(key, min(n, max(expected, 1)))
	if s == nil {
		return s3client.ObjectInfo{}, nil, ErrNoRoom
	}
	stop := context.AfterFunc(ctx, s.cancel)
	opt := s3client.GetOptions{}
	if expected > n {
		opt.Range.Len = n
	}
	obj, err := p.client.Get(work, key, opt)
	if !stop() {
		if err == nil {
			_ = obj.Body.Close() // nobody waits for it any more
		}
		err = ctx.Err()
	}
	if err != nil {
		if work.Err() != nil && ctx.Err() == nil { // others needed the memory more
			err = errors.Join(ErrNoRoom, err)
		}
		s.end(b, 0, err)
		return s3client.ObjectInfo{}, nil, errors.Join(err, s.Close())
	}
	if obj.Info.Size == 0 {
		s.end(b, 0, obj.Body.Close())
		return obj.Info, nil, s.Close()
	}
	body := s.beginFirst(b, obj)
	go func() {
		keep := p.keeper.reserve(b.size)
		err := s.receive(b, body)
		_ = body.Close() // all of it is here, or err says why not
		s.end(b, keep, err)
	}()
	return obj.Info, s, nil
}

// openFirst returns a source of a version that is not known yet, with a block for its first n bytes and the context of
// its fetch; nil without room.
func (p *Pool) openFirst(key string, n int64) (*source, *block, context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, p.blockSize)
	chunks := p.mu.take(chunksFor(n), true)
	if chunks == nil || p.mu.closed {
		p.mu.free = append(p.mu.free, chunks...)
		return nil, nil, nil
	}
	s := &source{pool: p, id: ObjectID{Key: key, Size: n}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	p.mu.sources[s] = struct{}{}
	b := &block{src: s, size: n, chunks: chunks} // not counted as fetched ahead: nobody may ever read it
	work, cancel := context.WithCancel(s.ctx)
	b.cancel = cancel
	s.insertLocked(b)
	p.mu.put(b, &p.mu.flying)
	s.wg.Add(1)
	return s, b, work
}

// beginFirst says which version it is, and returns the bytes of the block.
func (s *source) beginFirst(b *block, obj *s3client.Object) io.ReadCloser {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.id.ETag, s.id.Size = obj.Info.ETag, obj.Info.Size
	if s.id.Size <= b.size {
		b.size = s.id.Size
		return obj.Body
	}
	return struct { // it has grown, or only its beginning was asked for
		io.Reader
		io.Closer
	}{io.LimitReader(obj.Body, b.size), obj.Body}
}
