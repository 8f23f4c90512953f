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

// A removal whose answer gets lost is tried again, and leaves what another client has made under the name meanwhile.
func TestRemovalTriedAgainLeavesTheNewFileOfAnother(t *testing.T) {
	for what, c := range map[string]struct {
		key string
		do  func(m *mount) error
	}{
		"file":             {"d/a", func(m *mount) error { return m.unlink("d/a") }},
		"hard link":        {"d/a", func(m *mount) error { m.ok(m.link("d/a", "d/l")); return m.unlink("d/a") }},
		"published":        {"d/tmp_1", func(m *mount) error { m.ok(m.link("d/tmp_1", "d/final")); return m.unlink("d/tmp_1") }},
		"published second": {"d/final", func(m *mount) error { m.ok(m.link("d/tmp_1", "d/final")); return m.unlink("d/final") }},
		"directory":        {"e/", func(m *mount) error { return m.rmdir("e") }},
	} {
		t.Run(what, func(t *testing.T) {
			m, h := newMeddling(t, conditional, s3client.OpDelete, c.key, true)
			m.mkdir("d")
			m.mkdir("e")
			m.put("d/a", "one")
			m.put("d/tmp_1", "tmp")
			h.do = func() { m.foreign(c.key, "theirs") }
			m.ok(c.do(m))
			m.mustHave("theirs")
			if h.do != nil {
				t.Error("nothing was removed")
			}
		})
	}
}
