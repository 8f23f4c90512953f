package volume

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"pail/fs/stage"
	"pail/s3client"
)

// copyPrefix moves all keys below src on a service that cannot rename: it copies all of them, and removes the originals
// when every copy is there. If a copy fails, the copies are removed and nothing has changed. Exactly what was copied is
// removed, so a key that another client adds meanwhile stays. It takes as long as it takes: every request has a deadline of
// its own, so that neither the removals nor the undoing find the time used up.
//
// The marker of the directory itself is copied last: the target may have one already, which must survive a failure.
func (v *Volume) copyPrefix(ctx context.Context, dst, src string) error {
	ctx = context.WithoutCancel(ctx)
	copied := newSpool(v.opt.Stage)
	defer copied.close()
	marker, err := v.copyKeys(ctx, dst, src, copied)
	if err == nil && marker == nil && copied.empty() {
		return ErrNotExist
	}
	if err == nil && marker != nil {
		_, err = v.copyObject(ctx, dst, *marker, s3client.CopyOptions{SrcIfMatch: marker.ETag})
	}
	if err == nil {
		err = copied.flush(ctx)
	}
	if err != nil {
		undo := v.deleteAll(ctx, copied, func(key string) string { return dst + key })
		if undo != nil {
			undo = fmt.Errorf("copies below %q are left: %w", dst, undo)
		}
		return errors.Join(err, undo)
	}
	if err := v.deleteAll(ctx, copied, func(key string) string { return src + key }); err != nil {
		return fmt.Errorf("all is copied to %q, but not all removed below %q: %w", dst, src, err)
	}
	if marker != nil {
		return v.deleteKeys(ctx, src)
	}
	return nil
}

// copyKeys copies page by page, several keys at once, and notes every key before it is copied, without the prefix: a
// copy whose answer got lost has to be undone too.
func (v *Volume) copyKeys(ctx context.Context, dst, src string, copied *spool) (marker *s3client.ObjectInfo, err error) {
	q := s3client.ListQuery{Prefix: src}
	for {
		page, err := v.listPage(ctx, q)
		if err != nil {
			return nil, err
		}
		work, pageCtx := errgroup.WithContext(ctx)
		work.SetLimit(v.opt.Parallel)
		for i := range page.Objects {
			info := page.Objects[i]
			name := info.Key[len(src):]
			if name == "" {
				marker = &info
				continue
			}
			if len(dst)+len(name) > s3client.MaxKeyLength {
				_ = work.Wait() // the first error is the one below
				return nil, fmt.Errorf("%w: %q", ErrNameTooLong, dst+name)
			}
			work.Go(func() error {
				if err := copied.add(ctx, name); err != nil {
					return err
				}
				if err := v.noteCopy(pageCtx, info, dst+name); err != nil {
					return err
				}
				_, err := v.copyObject(pageCtx, dst+name, info, s3client.CopyOptions{SrcIfMatch: info.ETag})
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return nil, err
		}
		if q.Token = page.NextToken; q.Token == "" {
			return marker, nil
		}
	}
}

// listPage asks for a page, with a deadline of its own.
func (v *Volume) listPage(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	return v.client.List(ctx, q)
}

// deleteAll removes the noted keys in batches. It goes on after a failure.
func (v *Volume) deleteAll(ctx context.Context, names *spool, key func(string) string) error {
	if err := names.flush(ctx); err != nil {
		return err
	}
	var errs []error
	batch := make([]string, 0, s3client.MaxDeleteKeys)
	remove := func() {
		if len(batch) > 0 {
			if err := v.deleteKeys(ctx, batch...); err != nil && len(errs) < maxErrors {
				errs = append(errs, err)
			}
		}
		batch = batch[:0]
	}
	err := names.each(ctx, func(name string) {
		batch = append(batch, key(name))
		if len(batch) == s3client.MaxDeleteKeys {
			remove()
		}
	})
	remove()
	return errors.Join(append(errs, err)...)
}

// maxErrors bounds how many failures of one kind are reported.
const maxErrors = 10

// spool is a list of names that may be longer than memory should hold.
type spool struct {
	mu   sync.Mutex
	file *stage.File
	buf  []byte
}

// spoolBuffer is what is held in memory.
const spoolBuffer = 64 << 10

func newSpool(area *stage.Area) *spool { return &spool{file: area.NewFile(nil, 0)} }

// close frees the list, which has no other copy to lose.
func (s *spool) close() { _ = s.file.Close() }

// add appends a name.
func (s *spool) add(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = binary.AppendUvarint(s.buf, uint64(len(name)))
	s.buf = append(s.buf, name...)
	if len(s.buf) < spoolBuffer {
		return nil
	}
	return s.flushLocked(ctx)
}

func (s *spool) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buf) == 0 && s.file.Size() == 0
}

func (s *spool) flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushLocked(ctx)
}

func (s *spool) flushLocked(ctx context.Context) error {
	n, err := s.file.WriteAt(ctx, s.buf, s.file.Size())
	s.buf = s.buf[n:]
	return localError(err)
}

// each calls fn with every name that was flushed.
func (s *spool) each(ctx context.Context, fn func(string)) error {
	all := io.NewSectionReader(contextReader{ctx, s.file}, 0, s.file.Size())
	r := bufio.NewReaderSize(all, spoolBuffer)
	for {
		n, err := binary.ReadUvarint(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := make([]byte, n)
		if _, err := io.ReadFull(r, name); err != nil {
			return err
		}
		fn(string(name))
	}
}

// contextReader reads with one context.
type contextReader struct {
	ctx  context.Context
	from stage.Base
}

func (r contextReader) ReadAt(p []byte, off int64) (int, error) { return r.from.ReadAt(r.ctx, p, off) }
