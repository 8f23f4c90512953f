package volume

import (
	"context"
	"fmt"
	"io"
	"sync"

	"pail/fs/readahead"
	"pail/s3client"
)

// source is where the bytes of a content's version are read from. What is behind it may be replaced while it is read:
// after a rename the same bytes are found under another key, after a commit they belong to the next version. It
// implements stage.Base.
type source struct {
	mu struct {
		sync.Mutex
		src   readahead.Source // nil: no bytes
		swaps int
	}
}

func newSource(src readahead.Source) *source {
	s := &source{}
	s.mu.src = src
	return s
}

func (s *source) get() (readahead.Source, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.src, s.mu.swaps
}

// ReadAt reads as io.ReaderAt does.
func (s *source) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	for {
		src, swaps := s.get()
		if src == nil {
			return 0, io.EOF
		}
		n, err := src.ReadAt(ctx, p, off)
		if err == nil || err == io.EOF {
			return n, err
		}
		if _, now := s.get(); now == swaps {
			return n, err
		}
	}
}

// swap puts another source in place and returns the old one.
func (s *source) swap(src readahead.Source) (old readahead.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.mu.src
	s.mu.src = src
	s.mu.swaps++
	return old
}

// replace puts another source in place and closes the old one.
func (s *source) replace(src readahead.Source) error {
	if old := s.swap(src); old != nil {
		return old.Close()
	}
	return nil
}

// openVersion returns a source of an object's bytes; nil where there are none.
func (v *Volume) openVersion(info s3client.ObjectInfo) readahead.Source {
	if info.Size == 0 {
		return nil
	}
	return v.opt.Readahead.Open(readahead.ObjectID{Key: info.Key, ETag: info.ETag, Size: info.Size})
}

// gone stands for bytes that no longer exist anywhere.
type gone struct{}

var errBytesGone = fmt.Errorf("%w: the version that the unchanged bytes belong to is gone", ErrStale)

func (gone) ReadAt(context.Context, []byte, int64) (int, error) { return 0, errBytesGone }
func (gone) Close() error                                       { return nil }

// substitute reads from the version that replaced the wanted one, zeros behind its end, and remembers if it was asked.
type substitute struct {
	src readahead.Source // nil: zeros only

	mu struct {
		sync.Mutex
		used bool
	}
}

func (s *substitute) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	s.mu.Lock()
	s.mu.used = true
	s.mu.Unlock()
	n := 0
	if s.src != nil {
		var err error
		if n, err = s.src.ReadAt(ctx, p, off); err != nil && err != io.EOF {
			return n, err
		}
	}
	clear(p[n:])
	return len(p), nil
}

func (s *substitute) used() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.used
}

// Close closes the source that it reads from.
func (s *substitute) Close() error {
	if s.src == nil {
		return nil
	}
	return s.src.Close()
}
