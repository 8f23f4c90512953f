package volume

import (
	"context"
	"fmt"
	"io"
	"sync"

	"pail/fs/readahead"
	"pail/s3client"
)

// openVersion returns a source of an object's bytes.
func (v *Volume) openVersion(info s3client.ObjectInfo) readahead.Source {
	if info.Size == 0 {
		return empty{}
	}
	return v.opt.Readahead.Open(readahead.ObjectID{Key: info.Key, ETag: info.ETag, Size: info.Size})
}

// empty has no bytes.
type empty struct{}

func (empty) ReadAt(context.Context, []byte, int64) (int, error) { return 0, io.EOF }
func (empty) Close() error                                       { return nil }

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
