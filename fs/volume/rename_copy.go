package volume

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pail/fs/stage"
	"pail/s3client"
)

// treeCopy is the rename of a directory on a service that cannot rename.
type treeCopy struct {
	v        *Volume
	dst, src string // what all keys begin with
	copied   *spool
	looks    atomic.Bool // as the service does not copy on condition

	mu    sync.Mutex
	doubt []error // of keys below dst that may be copies; a failure ends the copying, so these are few
}

// copyPrefix moves all keys below src: it copies all of them, and removes the originals when every copy is there. If a
// copy fails, the copies are removed and nothing has changed. It takes as long as it takes: every request has a deadline
// of its own, so that neither the removals nor the undoing find the time used up.
//
// Other clients do not wait meanwhile. Only versions that were copied are removed: one that is there instead, or a key that
// was added, stays below src, and left says that of the former. No copy goes over what others have made below dst, where
// the service has conditions, and what is undone are the copies of this rename.
//
// The marker of the directory itself is copied last: the target may have one already, which must survive a failure.
func (v *Volume) copyPrefix(ctx context.Context, dst, src string) (left bool, err error) {
	ctx = context.WithoutCancel(ctx)
	c := &treeCopy{v: v, dst: dst, src: src, copied: newSpool(v.opt.Stage)}
	defer c.copied.close()
	marker, err := c.copyKeys(ctx)
	if err == nil && marker == nil && c.copied.empty() {
		return false, ErrNotExist
	}
	if err == nil && marker != nil {
		_, err = v.copyObject(ctx, dst, *marker, s3client.CopyOptions{SrcIfMatch: marker.ETag})
	}
	if err != nil {
		return false, errors.Join(err, c.undo(ctx))
	}
	left, err = c.removeSources(ctx, marker)
	if err != nil {
		err = fmt.Errorf("all is copied to %q, but not all removed below %q: %w", dst, src, err)
	}
	return left, err
}

// undo removes the copies. One that another client has replaced is not there any more.
func (c *treeCopy) undo(ctx context.Context) error {
	_, err := c.remove(ctx, func(k copiedKey) s3client.Version { return c.v.expected(c.dst+k.name, k.copy) })
	if err != nil {
		err = fmt.Errorf("copies below %q are left: %w", c.dst, err)
	}
	return errors.Join(append(c.doubt, err)...)
}

// removeSources removes what was copied, the marker last.
func (c *treeCopy) removeSources(ctx context.Context, marker *s3client.ObjectInfo) (left bool, err error) {
	left, err = c.remove(ctx, func(k copiedKey) s3client.Version { return c.v.expected(c.src+k.name, k.source) })
	if err == nil && marker != nil {
		var stays bool
		stays, err = c.v.deleteSome(ctx, []s3client.Version{c.v.expected(c.src, marker.ETag)})
		left = left || stays
	}
	return left, err
}

// copyKeys copies page by page, several keys at once.
func (c *treeCopy) copyKeys(ctx context.Context) (marker *s3client.ObjectInfo, err error) {
	q := s3client.ListQuery{Prefix: c.src}
	for {
		page, err := c.v.listPage(ctx, q)
		if err != nil {
			return nil, err
		}
		work, pageCtx := errgroup.WithContext(ctx)
		work.SetLimit(c.v.opt.Parallel)
		for i := range page.Objects {
			info := page.Objects[i]
			name := info.Key[len(c.src):]
			if name == "" {
				marker = &info
				continue
			}
			if len(c.dst)+len(name) > s3client.MaxKeyLength {
				_ = work.Wait() // the first error is the one below
				return nil, fmt.Errorf("%w: %q", ErrNameTooLong, c.dst+name)
			}
			work.Go(func() error {
				if pageCtx.Err() != nil {
					return nil // another copy has failed
				}
				if err := c.v.noteCopy(pageCtx, info, c.dst+name); err != nil {
					return err
				}
				return c.copyKey(ctx, name, info)
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

// copyKey copies one key to where nothing is, and notes the copy.
func (c *treeCopy) copyKey(ctx context.Context, name string, info s3client.ObjectInfo) error {
	made, err := c.copyOver(ctx, c.dst+name, info)
	if err == nil {
		return c.copied.add(ctx, copiedKey{name, info.ETag, made.ETag})
	}
	return c.failed(ctx, name, info, err)
}

// copyOver copies to where nothing is, if the service can refuse another object; if it can for all but copies, after a look.
func (c *treeCopy) copyOver(ctx context.Context, key string, info s3client.ObjectInfo) (s3client.ObjectInfo, error) {
	opt := s3client.CopyOptions{SrcIfMatch: info.ETag, IfNoneMatch: c.v.caps.ConditionalPut}
	if !opt.IfNoneMatch {
		return c.v.copyObject(ctx, key, info, opt)
	}
	if !c.looks.Load() {
		made, err := c.v.copyInside(ctx, key, info, opt)
		if !errors.Is(err, s3client.ErrUnsupported) {
			return made, err
		}
		c.looks.Store(true)
	}
	if there, err := c.v.headMaybe(ctx, key); err != nil || there != nil {
		return s3client.ObjectInfo{}, cmp.Or(err, error(s3client.ErrPrecondition))
	}
	made, err := c.v.copyInside(ctx, key, info, s3client.CopyOptions{SrcIfMatch: info.ETag})
	if errors.Is(err, s3client.ErrUnsupported) {
		return c.v.copyThroughHere(ctx, key, info, opt)
	}
	return made, err
}

// failed finds out what a copy that has failed leaves, and says why. What is there where it is refused is not taken for the
// copy, though it may look the same: another client may be renaming the directory, too, and be about to remove the source.
func (c *treeCopy) failed(ctx context.Context, name string, info s3client.ObjectInfo, err error) error {
	key := c.dst + name
	ctx, cancel := c.v.detached(ctx, 0)
	defer cancel()
	refused := errors.Is(err, s3client.ErrPrecondition) || notFound(err)
	there, headErr := c.v.client.Head(ctx, key)
	found := headErr == nil
	switch {
	case found && !refused && c.v.isCopy(ctx, there, info):
		return errors.Join(err, c.copied.add(ctx, copiedKey{name, info.ETag, there.ETag})) // to be undone
	case found && refused && c.v.caps.ConditionalPut:
		return fmt.Errorf("%w: %q is there: %w", ErrNotEmpty, key, err)
	case !notFound(headErr) && (refused && !found || outcomeUnknown(err)):
		c.mu.Lock()
		defer c.mu.Unlock()
		c.doubt = append(c.doubt, fmt.Errorf("%q may be a copy, and is left", key))
	}
	return err
}

// isCopy reports whether an object is a copy of a version that is there still: it has its bytes and its metadata.
func (v *Volume) isCopy(ctx context.Context, there, of s3client.ObjectInfo) bool {
	if there.ETag != of.ETag || there.Size != of.Size {
		return false
	}
	source, err := v.client.Head(ctx, of.Key)
	return err == nil && source.ETag == of.ETag && maps.Equal(source.Meta, there.Meta)
}

// outcomeUnknown reports whether an error leaves it open whether a request was done.
func outcomeUnknown(err error) bool {
	return s3client.IsAny(err, s3client.ErrUnavailable, context.Canceled, context.DeadlineExceeded)
}

// listPage asks for a page, with a deadline of its own.
func (v *Volume) listPage(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	return v.client.List(ctx, q)
}

// remove removes a version for each key that was copied, in batches; left says that some are other versions by now, and
// stay. It goes on after a failure.
func (c *treeCopy) remove(ctx context.Context, version func(copiedKey) s3client.Version) (left bool, err error) {
	var errs []error
	batch := make([]s3client.Version, 0, s3client.MaxDeleteKeys)
	remove := func() {
		if len(batch) > 0 {
			stays, err := c.v.deleteSome(ctx, batch)
			if left = left || stays; err != nil && len(errs) < maxErrors {
				errs = append(errs, err)
			}
		}
		batch = batch[:0]
	}
	err = c.copied.each(ctx, func(k copiedKey) {
		batch = append(batch, version(k))
		if len(batch) == s3client.MaxDeleteKeys {
			remove()
		}
	})
	remove()
	return left, errors.Join(append(errs, err)...)
}

// deleteSome removes versions; left says that some keys have others, and stay.
func (v *Volume) deleteSome(ctx context.Context, list []s3client.Version) (left bool, err error) {
	var errs []error
	for _, err := range s3client.NotRemoved(v.deleteVersions(ctx, list...), s3client.KeysOf(list)) {
		if errors.Is(err, s3client.ErrPrecondition) {
			left = true
		} else if len(errs) < maxErrors {
			errs = append(errs, err)
		}
	}
	return left, errors.Join(errs...)
}

// maxErrors bounds how many failures of one kind are reported.
const maxErrors = 10

// copiedKey is a key that was copied, without the prefix.
type copiedKey struct {
	name         string
	source, copy s3client.ETag // of the version that was copied, and of what became of it
}

// spool is a list of keys that may be longer than memory should hold.
type spool struct {
	mu   sync.Mutex
	file *stage.File
	buf  []byte // what is not in file yet
}

// spoolBuffer is what is held in memory.
const spoolBuffer = 64 << 10

func newSpool(area *stage.Area) *spool { return &spool{file: area.NewFile(nil, 0)} }

// close frees the list, which has no other copy to lose.
func (s *spool) close() { _ = s.file.Close() }

// add appends a key, which is in the list even if it fails.
func (s *spool) add(ctx context.Context, k copiedKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range []string{k.name, string(k.source), string(k.copy)} {
		s.buf = binary.AppendUvarint(s.buf, uint64(len(text)))
		s.buf = append(s.buf, text...)
	}
	if len(s.buf) < spoolBuffer {
		return nil
	}
	n, err := s.file.WriteAt(ctx, s.buf, s.file.Size())
	s.buf = s.buf[n:]
	return localError(err)
}

func (s *spool) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buf) == 0 && s.file.Size() == 0
}

// each calls fn with every key. Nobody may add any meanwhile.
func (s *spool) each(ctx context.Context, fn func(copiedKey)) error {
	written := io.NewSectionReader(contextReader{ctx, s.file}, 0, s.file.Size())
	r := bufio.NewReaderSize(io.MultiReader(written, bytes.NewReader(s.buf)), spoolBuffer)
	for {
		name, err := readText(r)
		if err == io.EOF {
			return nil
		}
		source, err2 := readText(r)
		made, err3 := readText(r)
		if err := cmp.Or(err, err2, err3); err != nil {
			return err
		}
		fn(copiedKey{name, s3client.ETag(source), s3client.ETag(made)})
	}
}

func readText(r *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}

// contextReader reads with one context.
type contextReader struct {
	ctx  context.Context
	from stage.Base
}

func (r contextReader) ReadAt(p []byte, off int64) (int, error) { return r.from.ReadAt(r.ctx, p, off) }
