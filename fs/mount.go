package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

// ErrBusy is returned by Unmount when files are open or a process stands in the mount.
var ErrBusy = errors.New("mount is busy")

// Session is a volume mounted at a directory.
type Session struct {
	server *fuse.Server
	vol    *volume.Volume
	dir    string
	log    *slog.Logger

	close struct {
		sync.Once
		err error
	}
}

// Mount shows v at the directory mountpoint and returns when the kernel has it; requests are answered from then on. The
// caller ends the session with Unmount, or with Wait when somebody else unmounts, and then with Close in both cases.
// Mount does not take v over when it fails.
func Mount(ctx context.Context, mountpoint string, v *volume.Volume, opt Options) (*Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	dir, err := filepath.Abs(mountpoint)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // as the mount table has it
	}
	f := newFilesystem(v, opt)
	server, err := attach(dir, f, opt)
	if err != nil {
		return nil, err
	}
	s := &Session{server: server, vol: v, dir: dir, log: opt.Log}
	// Not server.WaitMount, which opens a file there: a process that is killed while it waits for itself never ends, as the
	// kernel lets go of it only when it has closed its end of the mount. The kernel has had the answer to its INIT by now.
	go server.Serve()
	s.knowRoot(ctx)
	f.passThrough(server, opt)
	if err := setReadAhead(dir, opt.ReadAhead); err != nil {
		opt.Log.Debug("kernel read-ahead stays at its default", "error", err)
	}
	return s, nil
}

// knowRoot asks for the root's attributes, which whoever comes first needs, and would have to wait for. He is told what is wrong
// with them.
func (s *Session) knowRoot(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := s.vol.Getattr(ctx, s.vol.Root()); err != nil {
		s.log.Debug("the root's attributes are not known yet", "error", err)
	}
}

// attach makes the connection: root mounts itself, others (and root without the capability) through fusermount3.
func attach(dir string, f *filesystem, opt Options) (*fuse.Server, error) {
	serve := func(set func(*fuse.MountOptions)) (*fuse.Server, error) {
		root := &node{fs: f, v: f.vol.Root()}
		opts := opt.node(root)
		set(&opts.MountOptions)
		raw := &requests{RawFileSystem: fusefs.NewNodeFS(root, opts), fs: f, nodes: &f.nodes}
		return fuse.NewServer(raw, dir, &opts.MountOptions)
	}
	var direct error
	if os.Geteuid() == 0 {
		var server *fuse.Server
		server, direct = serve(opt.direct)
		if direct == nil {
			return server, nil
		}
		if !errors.Is(direct, syscall.EPERM) {
			return nil, fmt.Errorf("mount at %s: %w", dir, direct)
		}
	}
	server, err := serve(opt.helper)
	if err != nil {
		return nil, fmt.Errorf("mount at %s: %w", dir, errors.Join(direct, err))
	}
	return server, nil
}

// Dir returns the mountpoint, as an absolute path.
func (s *Session) Dir() string { return s.dir }

// Wait returns when the volume is no longer mounted, whoever unmounted it.
func (s *Session) Wait() { s.server.Wait() }

// Unmount takes the mount away, as soon as nobody uses it and for as long as ctx lasts, and returns ErrBusy when it is
// still used then. Data is not lost by it: what is written is sent by the flush of each file, and by Close.
func (s *Session) Unmount(ctx context.Context) error {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, 500*time.Millisecond) {
		err := s.server.Unmount()
		if err == nil || errors.Is(err, syscall.EINVAL) { // EINVAL: nothing is mounted there
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", s.dir, errors.Join(ErrBusy, err))
		case <-time.After(delay):
		}
	}
}

// Detach takes the mount out of the tree at once; processes that use it keep it until they end.
func (s *Session) Detach() error {
	err := syscall.Unmount(s.dir, syscall.MNT_DETACH)
	switch {
	case err == nil, errors.Is(err, syscall.EINVAL):
		return nil
	case errors.Is(err, syscall.EPERM):
		err = exec.Command("fusermount3", "-uz", "--", s.dir).Run()
	}
	if err != nil {
		return &os.PathError{Op: "umount", Path: s.dir, Err: err}
	}
	return nil
}

// Sync stores what is not yet on the service, also of files that are open. The error names what could not be stored.
func (s *Session) Sync(ctx context.Context) error { return s.vol.Sync(ctx) }

// Close commits what is not yet on the service and ends the volume. The error names what stayed unsent. It may be called
// more than once.
func (s *Session) Close(ctx context.Context) error {
	s.close.Do(func() { s.close.err = s.vol.Close(ctx) })
	return s.close.err
}
