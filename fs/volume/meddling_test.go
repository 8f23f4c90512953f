package volume_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/retry"
)

// meddling is a client beside which somebody else does something when a request about a key has been done, once; the
// answer to that request may get lost, too.
type meddling struct {
	s3client.Client
	op, key string
	do      func()
	lose    bool
}

func (c *meddling) after(op string, err error, keys ...string) error {
	if err != nil || c.do == nil || op != c.op || !slices.Contains(keys, c.key) {
		return err
	}
	do := c.do
	c.do = nil
	if do(); c.lose {
		return &s3client.Error{Op: op, Key: c.key, Err: s3client.ErrUnavailable}
	}
	return nil
}

func (c *meddling) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	info, err := c.Client.Copy(ctx, dst, src, opt)
	return info, c.after(s3client.OpCopy, err, src)
}

func (c *meddling) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	return c.after(s3client.OpRename, c.Client.Rename(ctx, dst, src, opt), src)
}

func (c *meddling) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

func (c *meddling) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	return c.after(s3client.OpDelete, s3client.DeleteVersions(ctx, c.Client, list...), s3client.KeysOf(list)...)
}

// newMeddling is a mount whose requests are tried again, past the faults of the fixture, which know no versions.
func newMeddling(t *testing.T, caps s3client.Capabilities, op, key string, lose bool) (*mount, *meddling) {
	c := &meddling{op: op, key: key, lose: lose}
	return newMount(t, caps, func(o *volume.Options, _ *upload.Options) {
		c.Client, o.Parallel = o.Client.(*faults).Client, 1
		o.Client = retry.New(c, retry.Options{Base: time.Millisecond, Max: time.Millisecond})
	}), c
}

// mustHave checks that some object has the bytes.
func (m *mount) mustHave(data string) {
	m.t.Helper()
	for _, key := range m.mem.Keys() {
		if m.object(key) == data {
			return
		}
	}
	m.t.Errorf("%q is nowhere: %q", data, m.mem.Keys())
}
