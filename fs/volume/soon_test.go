package volume_test

import (
	"context"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// heldMarkers is a client whose PUTs of directories wait until they are let go.
type heldMarkers struct {
	s3client.Client
	letGo chan error // what they answer; closed: what the service does
}

func (h heldMarkers) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if strings.HasSuffix(key, "/") {
		if err := <-h.letGo; err != nil {
			return s3client.ObjectInfo{}, err
		}
	}
	return h.Client.Put(ctx, key, r, opt)
}

// newHeldMarkers is a mount with a lease for reads on d, in which a directory was made, and whose others wait.
func newHeldMarkers(t *testing.T) (m *mount, s *leaseService, letGo chan error) {
	h := heldMarkers{letGo: make(chan error)}
	m, s = newLeased(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) {
		o.LazyUnlink = true
		h.Client = o.Client
		o.Client = h
	})
	s.reads = true
	t.Cleanup(func() { close(h.letGo) })
	go func() { h.letGo <- nil; h.letGo <- nil }()
	m.mkdir("d")
	m.lease("d")
	held, _ := m.parent("d/x") // as the kernel does
	t.Cleanup(func() { runtime.KeepAlive(held) })
	m.mkdir("d/first")
	return m, s, h.letGo
}

// Under a lease the program does not wait for the directories that it makes. For this mount they are there, and whoever
// removes, renames or changes one waits, as does who wants the lease back.
func TestDirectoriesUnderALeaseDoNotWait(t *testing.T) {
	for name, waits := range map[string]func(m *mount, s *leaseService) error{
		"rmdir":  func(m *mount, _ *leaseService) error { return m.rmdir("d/dir/sub") },
		"rename": func(m *mount, _ *leaseService) error { return m.rename("d/dir", "d/moved") },
		"chmod": func(m *mount, _ *leaseService) error {
			n, _, err := m.walk("d/dir")
			m.ok(err)
			mode := uint32(0o700)
			_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
			return err
		},
		"recall": func(m *mount, s *leaseService) error { s.recall(m.t, "d/", "d/x"); return nil },
		"fsync": func(m *mount, _ *leaseService) error {
			dir, _ := m.parent("d/x")
			return m.SyncDir(ctx, dir)
		},
		"sync": func(m *mount, _ *leaseService) error { return m.Sync(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s, letGo := newHeldMarkers(t)
				m.mkdir("d/dir")
				m.mkdir("d/dir/sub")
				m.put("d/dir/f", "data")
				m.names("d", "dir", "first", "lease0", "lease1")
				m.names("d/dir", "f", "sub")
				if keys := m.mem.Keys(); slices.Contains(keys, "d/dir/") || !slices.Contains(keys, "d/dir/f") {
					t.Errorf("stored %q", keys)
				}
				over := make(chan error, 1)
				go func() { over <- waits(m, s) }()
				synctest.Wait()
				select {
				case err := <-over:
					t.Errorf("it has not waited: %v", err)
				default:
				}
				letGo <- nil
				letGo <- nil
				m.ok(<-over)
				synctest.Wait()
				if got := m.object("d/first/"); got != "" {
					t.Errorf("a marker with %q", got)
				}
			})
		})
	}
}

// A directory that could not be stored is told of by fsync of the one above, and the service is asked what is there.
func TestDirectoryThatIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, letGo := newHeldMarkers(t)
		m.mkdir("d/dir")
		letGo <- &s3client.Error{Err: s3client.ErrAccess}
		synctest.Wait()
		m.missing("d/dir")
		dir, _ := m.parent("d/x")
		m.want(m.SyncDir(ctx, dir), s3client.ErrAccess)
		m.ok(m.SyncDir(ctx, dir))
	})
}

// heldRemovals is a client whose removals wait until they are let go.
type heldRemovals struct {
	s3client.Client
	letGo chan struct{}
}

func (h heldRemovals) Delete(ctx context.Context, keys ...string) error {
	<-h.letGo
	return h.Client.Delete(ctx, keys...)
}

// A removal under a lease does not wait, and the lease is given back when it is over.
func TestRemovalUnderALeaseDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := heldRemovals{letGo: make(chan struct{})}
		m, s := newLeased(t, memclient.Full(), func(o *volume.Options, _ *upload.Options) {
			o.LazyUnlink = true
			h.Client = o.Client
			o.Client = h
		})
		s.reads = true
		m.mkdir("d")
		m.lease("d")
		m.ok(m.unlink("d/lease0"))
		m.names("d", "lease1")
		over := make(chan struct{})
		go func() {
			defer close(over)
			s.recall(t, "d/", "d/x")
		}()
		synctest.Wait()
		select {
		case <-over:
			t.Error("the lease was given back before")
		default:
		}
		close(h.letGo)
		<-over
		m.names("d", "lease1")
		if slices.Contains(m.mem.Keys(), "d/lease0") {
			t.Error("it is not removed")
		}
		time.Sleep(time.Second) // the queue ends
	})
}

// A directory elsewhere waits.
func TestDirectoryWithoutALeaseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, letGo := newHeldMarkers(t)
		over := make(chan error, 1)
		go func() {
			_, _, err := m.Mkdir(ctx, m.Root(), "e", 0o755, who)
			over <- err
		}()
		synctest.Wait()
		if len(over) > 0 {
			t.Error("it has not waited")
		}
		letGo <- nil
		m.ok(<-over)
	})
}
