package volume_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"pail/fs/attr"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// allowed are the answers that an operation may get because another one was quicker.
var allowed = []error{
	volume.ErrNotExist, volume.ErrExist, volume.ErrNotEmpty, volume.ErrIsDir, volume.ErrNotDir, volume.ErrInvalid,
	volume.ErrStale,
}

// TestConcurrentOperations lets many callers work on few names. Nothing may hang, the mount must show in the end what
// the bucket has, and as nobody else writes to the bucket there is no conflict.
func TestConcurrentOperations(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		t.Run("stored at close", func(t *testing.T) { concurrently(t, newMount(t, caps)) })
		t.Run("sent in parts", func(t *testing.T) { concurrently(t, newMount(t, caps, tinyParts)) })
		t.Run("removed later", func(t *testing.T) { concurrently(t, newMount(t, caps, lazyUnlink, ttl(0))) })
		t.Run("journaled", func(t *testing.T) { concurrently(t, newJournaled(t, caps, lazyUnlink)) })
		t.Run("on disk", func(t *testing.T) { concurrently(t, newMount(t, caps, onDisk(t))) })
		t.Run("journaled, on disk", func(t *testing.T) { concurrently(t, newJournaled(t, caps, onDisk(t))) })
	})
}

// onDisk keeps what is written in files from the first byte on.
func onDisk(t tb) setup {
	return func(o *volume.Options, _ *upload.Options) {
		area, err := stage.New(stage.Options{Dir: tempDir(t), MemoryPerFile: -1})
		if err != nil {
			t.Fatal(err)
		}
		o.Stage = area
	}
}

// tinyParts makes files of some bytes large ones.
func tinyParts(_ *volume.Options, u *upload.Options) {
	u.MinPartSize, u.PartSize, u.MultipartThreshold = 1, 10, 20
}

func concurrently(t *testing.T, m *mount) {
	var wg sync.WaitGroup
	for i := range 8 {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		wg.Go(func() {
			for range 150 {
				if err := m.randomStep(rng); err != nil && !slices.ContainsFunc(allowed, func(ok error) bool { return errors.Is(err, ok) }) {
					t.Errorf("%v", err)
					return
				}
				if paths := m.Nameless(); len(paths) > 0 {
					t.Errorf("files that are not stored have lost their names: %q", paths)
					return
				}
			}
		})
	}
	wg.Wait()
	m.ok(m.Sync(ctx))
	for _, key := range m.mem.Keys() {
		if strings.Contains(key, "conflict") {
			t.Errorf("a conflict without another client: %q", key)
		}
	}
	if here, there := m.tree(""), mountOn(t, m.mem, m.clock).tree(""); !slices.Equal(here, there) {
		t.Errorf("the mount shows\n%q, the bucket has\n%q", here, there)
	}
}

// tree returns all paths below a directory with their sizes.
func (m *mount) tree(at string) []string {
	m.t.Helper()
	var all []string
	for _, name := range m.list(at) {
		p := path.Join(at, name)
		st := m.stat(p)
		all = append(all, fmt.Sprintf("%s %o %d", p, st.Mode, st.Size))
		if st.Mode&attr.TypeMask == attr.Dir {
			all = append(all, m.tree(p)...)
		}
	}
	return all
}

// randomStep does one operation on a random path.
func (m *mount) randomStep(rng *rand.Rand) error {
	p := paths[rng.IntN(len(paths))]
	dir, _, err := m.walk(parentOf(p))
	if err != nil {
		return err
	}
	name := path.Base(p)
	switch rng.IntN(9) {
	case 0:
		_, _, err = m.Mkdir(ctx, dir, name, 0o755, who)
	case 1:
		err = m.Rmdir(ctx, dir, name)
	case 2:
		if err = m.Unlink(ctx, dir, name); err != nil {
			err = fmt.Errorf("unlink: %w", err)
		}
	case 3, 4:
		_, h, _, err := m.Create(ctx, dir, name, 0o644, readWrite, who)
		if err != nil {
			return err
		}
		return useHandle(h, rng)
	case 5, 6:
		n, _, err := m.Lookup(ctx, dir, name)
		if err != nil || n.Mode() != attr.Regular {
			return err
		}
		h, err := m.Open(ctx, n, readWrite)
		if err != nil {
			return err
		}
		return useHandle(h, rng)
	case 7:
		to := paths[rng.IntN(len(paths))]
		toDir, _, err := m.walk(parentOf(to))
		if err != nil {
			return err
		}
		if err := m.Rename(ctx, dir, name, toDir, path.Base(to), volume.RenameFlags{}); err != nil {
			return fmt.Errorf("rename: %w", err)
		}
		return nil
	case 8:
		n, _, err := m.Lookup(ctx, dir, name)
		if err != nil {
			return err
		}
		mode := uint32(rng.IntN(0o1000))
		_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
		return err
	}
	return err
}

func useHandle(h *volume.Handle, rng *rand.Rand) error {
	defer h.Release()
	for range rng.IntN(4) {
		data := make([]byte, rng.IntN(100))
		if _, err := h.WriteAt(ctx, data, int64(rng.IntN(100))); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		buf := make([]byte, 50)
		if _, err := h.ReadAt(ctx, buf, int64(rng.IntN(100))); err != nil && err != io.EOF {
			return fmt.Errorf("read: %w", err)
		}
	}
	if err := h.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}
