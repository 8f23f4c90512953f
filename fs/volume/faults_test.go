package volume_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"pail/s3client"
)

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(1) // no two moments are the same
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// faults makes requests of a client fail.
type faults struct {
	s3client.Client
	mu   sync.Mutex
	fail func(op, key string) error

	removals bool // tell fail of removals that were done too
}

func (f *faults) set(fail func(op, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *faults) check(op, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(op, key)
}

func (f *faults) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	if err := f.check(s3client.OpHead, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return f.Client.Head(ctx, key)
}

func (f *faults) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	if err := f.check(s3client.OpGet, key); err != nil {
		return nil, err
	}
	return f.Client.Get(ctx, key, opt)
}

func (f *faults) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if err := f.check(s3client.OpPut, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	info, err := f.Client.Put(ctx, key, r, opt)
	if err == nil {
		if err := f.check("after "+s3client.OpPut, key); err != nil {
			return s3client.ObjectInfo{}, err
		}
	}
	return info, err
}

func (f *faults) Patch(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PatchOptions) (s3client.ObjectInfo, error) {
	if err := f.check(s3client.OpPatch, key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	info, err := f.Client.Patch(ctx, key, r, opt)
	if err == nil {
		if err := f.check("after "+s3client.OpPatch, key); err != nil {
			return s3client.ObjectInfo{}, err
		}
	}
	return info, err
}

func (f *faults) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	if err := f.check(s3client.OpCopy, src); err != nil {
		return s3client.ObjectInfo{}, err
	}
	info, err := f.Client.Copy(ctx, dst, src, opt)
	if err == nil {
		if err := f.check("after "+s3client.OpCopy, src); err != nil {
			return s3client.ObjectInfo{}, err
		}
	}
	return info, err
}

func (f *faults) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	if err := f.check(s3client.OpRename, src); err != nil {
		return err
	}
	return f.Client.Rename(ctx, dst, src, opt)
}

func (f *faults) Delete(ctx context.Context, keys ...string) error {
	if len(keys) > 1 {
		if err := f.check(s3client.OpDeleteMany, ""); err != nil {
			return err
		}
	}
	var errs []error
	var rest []string
	for _, key := range keys {
		if err := f.check(s3client.OpDelete, key); err != nil {
			errs = append(errs, err)
		} else {
			rest = append(rest, key)
		}
	}
	if len(rest) > 0 {
		if err := f.Client.Delete(ctx, rest...); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if f.removals {
			errs = append(errs, f.check("after "+s3client.OpDelete, rest[0]))
		}
	}
	return errors.Join(errs...)
}

func (f *faults) DeleteDirectory(ctx context.Context, key string) error {
	if err := f.check(s3client.OpDeleteDir, key); err != nil {
		return err
	}
	err := f.Client.DeleteDirectory(ctx, key)
	if err == nil {
		err = f.check("after "+s3client.OpDeleteDir, key)
	}
	return err
}

func (f *faults) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	if err := f.check(s3client.OpList, q.Prefix); err != nil {
		return s3client.ListPage{}, err
	}
	return f.Client.List(ctx, q)
}

// NewUpload gives an upload whose requests fail as those of the client.
func (f *faults) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	if err := f.check(s3client.OpNewUpload, key); err != nil {
		return nil, err
	}
	up, err := f.Client.NewUpload(ctx, key, opt)
	if err != nil {
		return nil, err
	}
	return faultyUpload{up, f, key}, nil
}

// faultyUpload is an upload of a faults.
type faultyUpload struct {
	s3client.Upload
	f   *faults
	key string
}

func (u faultyUpload) Part(ctx context.Context, n int, body io.ReadSeeker) (s3client.Part, error) {
	if err := u.f.check(s3client.OpPart, u.key); err != nil {
		return s3client.Part{}, err
	}
	return u.Upload.Part(ctx, n, body)
}

func (u faultyUpload) CopyPart(ctx context.Context, n int, src string, r s3client.Range, ifMatch s3client.ETag) (s3client.Part, error) {
	if err := u.f.check(s3client.OpCopyPart, u.key); err != nil {
		return s3client.Part{}, err
	}
	return u.Upload.CopyPart(ctx, n, src, r, ifMatch)
}

func (u faultyUpload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	if err := u.f.check(s3client.OpComplete, u.key); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return u.Upload.Complete(ctx, parts, as)
}
