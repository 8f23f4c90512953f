package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"io"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
	"pail/server/internal/meta"
	"pail/server/internal/seal"
	"pail/server/internal/sse"
)

// streamBuffer is the length of the buffers that bodies go through.
const streamBuffer = 1 << 20

// source is a body to be taken in.
type source struct {
	body      io.Reader
	size      int64 // or -1
	algorithm checksum.Algorithm
	verify    func(Computed) error
	md5       bool        // verify asks for the MD5
	noTag     bool        // nobody asks for the ETag
	inline    bool        // small bodies may become a data row
	keys      *sse.Access // nil: the bytes are not encrypted
}

// needsMD5 reports whether somebody asks for the MD5: it costs more than all else that is done with the bytes.
func (src *source) needsMD5() bool { return src.md5 || !src.noTag && !src.keys.HidesMD5() }

// content is a body that was taken in and is durable, or will be with the transaction that adds it.
type content struct {
	size   int64
	stored int64    // length of the blob
	md5    []byte   // nil where nobody asks for it
	etag   [16]byte // random then
	sum    checksum.Sum
	body   body
	record []byte // of the data row, from Store.inline
}

// blobs gives the new blobs, for Store.update.
func (c *content) blobs() []blob.ID {
	if c.body.kind != bodyBlob {
		return nil
	}
	return []blob.ID{blob.ID(c.body.id)}
}

// extents gives the content as extents; it must not be inline.
func (c *content) extents() []extent {
	if c.body.kind == bodyNone {
		return nil
	}
	return []extent{{blob: blob.ID(c.body.id), len: c.size}}
}

// add writes the rows of the content, with one reference.
func (x *tx) add(c *content) error {
	switch c.body.kind {
	case bodyData:
		return x.Set(meta.DataKey(c.body.id), c.record)
	case bodyBlob:
		return x.addBlob(blob.ID(c.body.id), c.stored)
	}
	return nil
}

// recycle takes back the memory of a content that is stored now, or never will be.
func (s *Store) recycle(c *content) {
	if c.record != nil {
		s.inline.Put(c.record)
		c.record = nil
	}
}

// ingest reads a body to its end, computes over it and stores it. When it fails, nothing is left of it.
func (s *Store) ingest(ctx context.Context, src source) (*content, error) {
	if src.size > MaxPutSize {
		return nil, ErrEntityTooLarge
	}
	if src.body == nil {
		src.body = bytes.NewReader(nil)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if src.inline && src.size >= 0 && src.size <= s.inlineLimit {
		record := s.inline.Get()
		n, _, err := fill(src.body, record[meta.RecordHeader:meta.RecordHeader+src.size])
		if err == nil {
			err = checkEnd(src, int64(n))
		}
		if err != nil {
			s.inline.Put(record)
			return nil, err
		}
		return s.finishInline(src, record, n)
	}
	first := s.buffers.Get()
	n, end, err := fill(src.body, first)
	if err != nil {
		s.buffers.Put(first)
		return nil, err
	}
	if end && src.inline && int64(n) <= s.inlineLimit && src.size < 0 {
		record := s.inline.Get()
		copy(record[meta.RecordHeader:], first[:n])
		s.buffers.Put(first)
		return s.finishInline(src, record, n)
	}
	return s.ingestBlob(ctx, src, first, n, end)
}

// finishInline makes a data row of the n bytes in record.
func (s *Store) finishInline(src source, record []byte, n int) (*content, error) {
	data := record[meta.RecordHeader : meta.RecordHeader+n]
	c := &content{size: int64(n)}
	if src.needsMD5() {
		sum := md5.Sum(data)
		c.md5 = sum[:]
	}
	if h := src.algorithm.New(); h != nil {
		h.Write(data)
		c.sum = checksum.Sum{Algorithm: src.algorithm, Value: h.Sum(nil)}
	}
	if err := c.verify(src); err != nil {
		s.inline.Put(record)
		return nil, err
	}
	if n == 0 {
		s.inline.Put(record)
		return c, nil
	}
	u, err := s.newUnit(src.keys)
	if err != nil {
		s.inline.Put(record)
		return nil, err
	}
	c.body = body{bodyData, u.id}
	c.record = u.record(record, n)
	return c, nil
}

// verify asks the caller whether the bytes are those that were meant, and gives them their ETag.
func (c *content) verify(src source) error {
	if c.md5 == nil || src.keys.HidesMD5() {
		_, _ = rand.Read(c.etag[:]) // never fails (crypto/rand)
	} else {
		copy(c.etag[:], c.md5)
	}
	if src.verify == nil {
		return nil
	}
	return src.verify(Computed{MD5: c.md5, Sum: c.sum, Size: c.size})
}

// ingestBlob streams the body into a blob, beginning with the n bytes in first, which are all when end is set.
func (s *Store) ingestBlob(ctx context.Context, src source, first []byte, n int, end bool) (c *content, err error) {
	u, err := s.newUnit(src.keys)
	if err != nil {
		s.buffers.Put(first)
		return nil, err
	}
	id := blob.ID(u.id)
	s.reclaim.expect(id) // before the file is there for the sweep to see
	w, err := s.blobs.Create(ctx, id, u.size(src.size), u.label)
	if err != nil {
		s.buffers.Put(first)
		s.reclaim.settle([]blob.ID{id})
		return nil, storeError(err)
	}
	c = &content{body: body{bodyBlob, meta.ID(id)}}
	defer func() {
		if err != nil || c.body.kind == bodyNone {
			w.Abort()
			s.reclaim.settle([]blob.ID{id})
		}
	}()
	if err := s.streamUnit(ctx, src, &u, w, c, first, n, end); err != nil {
		return nil, err
	}
	if err := c.verify(src); err != nil {
		return nil, err
	}
	if c.size == 0 {
		c.body = body{}
		return c, nil
	}
	return c, storeError(w.Commit())
}

// streamUnit is stream, through the unit's cipher if it has one.
func (s *Store) streamUnit(ctx context.Context, src source, u *unit, w io.Writer, c *content, first []byte, n int, end bool) error {
	if u.cipher == nil {
		err := s.stream(ctx, src, w, c, first, n, end)
		c.stored = c.size
		return err
	}
	buf := s.buffers.Get()
	defer s.buffers.Put(buf)
	sealing := seal.NewWriter(w, u.cipher, buf)
	if err := s.stream(ctx, src, sealing, c, first, n, end); err != nil {
		return err
	}
	c.stored = u.size(c.size)
	return storeError(sealing.Close())
}

// stream writes the body to w, while the next piece is read and MD5, if it is needed, is computed beside it.
func (s *Store) stream(ctx context.Context, src source, w io.Writer, c *content, buf []byte, n int, end bool) error {
	sum := src.algorithm.New()
	d := newIntake(s.buffers, w, sum, src.needsMD5())
	defer d.stop()
	for {
		d.add(buf[:n])
		c.size += int64(n)
		if err := cmp.Or(checkSize(src, c.size), ctx.Err(), storeError(d.err())); err != nil {
			return err
		}
		if end {
			break
		}
		buf = d.buffer()
		var err error
		if n, end, err = fill(src.body, buf); err != nil {
			d.add(buf[:0])
			return err
		}
	}
	if src.size >= 0 && c.size != src.size {
		return ErrIncompleteBody
	}
	if err := d.stop(); err != nil {
		return storeError(err)
	}
	if d.md5 != nil {
		c.md5 = d.md5.Sum(nil)
	}
	if sum != nil {
		c.sum = checksum.Sum{Algorithm: src.algorithm, Value: sum.Sum(nil)}
	}
	return nil
}

// checkSize refuses a body that is longer than announced, or than any may be.
func checkSize(src source, size int64) error {
	switch {
	case src.size >= 0 && size > src.size:
		return ErrIncompleteBody
	case size > MaxPutSize:
		return ErrEntityTooLarge
	}
	return nil
}

// fill reads until p is full or the body ends. A body that ends with another error than io.EOF gives that error.
func fill(r io.Reader, p []byte) (n int, end bool, err error) {
	for idle := 0; n < len(p); {
		m, err := r.Read(p[n:])
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return n, false, io.ErrNoProgress
		}
	}
	return n, false, nil
}

// checkEnd reads on to the end of a body of which n bytes were read, since only there it may tell that it is not what
// it should be.
func checkEnd(src source, n int64) error {
	if n != src.size {
		return ErrIncompleteBody
	}
	var one [1]byte
	m, end, err := fill(src.body, one[:])
	if err == nil && (m > 0 || !end) {
		err = ErrIncompleteBody
	}
	return err
}
