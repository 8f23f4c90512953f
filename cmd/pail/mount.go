package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"pail/cmd/internal/daemon"
	"pail/cmd/internal/mountpoint"
	"pail/cmd/internal/opt"
	"pail/cmd/internal/sdnotify"
	fuse "pail/fs"
	"pail/fs/mountinfo"
)

// mountBucket is "pail mount" and "pail BUCKET MOUNTPOINT".
func mountBucket(args []string, env func(string) string, stdout, stderr io.Writer) int {
	return mount(opt.Context{Form: opt.Command, Env: env}, args, stdout, stderr)
}

// mountHelper is what mount(8) calls for the types pail, fuse.pail, s3fs and fuse.s3fs.
func mountHelper(args []string, env func(string) string, stdout, stderr io.Writer) int {
	return mount(opt.Context{Form: opt.Helper, Env: env}, args, stdout, stderr)
}

// mountAsS3fs is pail under the name s3fs.
func mountAsS3fs(args []string, env func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Fprintln(stdout, s3fsVersion())
	}
	return mount(opt.Context{Form: opt.Command, Env: env}, args, stdout, stderr)
}

// mount does what the arguments say, in this process or in one in the background.
func mount(form opt.Context, args []string, stdout, stderr io.Writer) int {
	child, inBackground := daemon.FromParent()
	m, err := form.Parse(args)
	switch {
	case err != nil:
		return fail(stderr, err)
	case m.Help:
		opt.WriteHelp(stdout)
		return 0
	case m.Version:
		return printVersion(nil, nil, stdout, stderr)
	}
	if !inBackground {
		for _, warning := range m.Warnings {
			fmt.Fprintf(stderr, "pail: warning: %s\n", warning)
		}
	}
	if m.Uploads.List || m.Uploads.Abort {
		if err := unfinishedUploads(&m, stdout, stderr); err != nil {
			return fail(stderr, err)
		}
		return 0
	}
	if inBackground || m.Foreground || m.Fake {
		err = serveMount(m, child)
	} else {
		err = daemon.Background(answers)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, daemon.ErrFailed): // it has said why
		return 1
	}
	return fail(stderr, err)
}

// answers checks a mount from outside, as its users will see it.
func answers(dir string) error {
	entry, mounted, err := mountinfo.Find(dir)
	if err != nil {
		return err
	}
	if !mounted || entry.Type != mountType {
		return fmt.Errorf("%s is not mounted although it should be", dir)
	}
	alive, err := mountpoint.Alive(dir)
	if err == nil && !alive {
		err = fmt.Errorf("the mount at %s does not answer", dir)
	}
	return err
}

// serveMount mounts, and serves the mount until it is unmounted. child is nil in the foreground.
func serveMount(m opt.Mount, child *daemon.Child) error {
	if err := absolutePaths(&m); err != nil {
		return err
	}
	dir, err := mountpoint.Prepare(m.Mountpoint, mountpoint.Options{Type: mountType, NonEmpty: m.NonEmpty})
	if err != nil {
		return err
	}
	if err := deviceThere(); err != nil {
		return err
	}
	logs, err := openLogs(&m, child != nil)
	if err != nil {
		return err
	}
	budget := memoryBudget(m.MemoryLimit, m.CacheEntries)
	debug.SetMemoryLimit(budget.heap)
	ctx := context.Background()
	b, err := openBucket(ctx, &m, budget, logs.log)
	if err != nil {
		return err
	}
	if m.Fake {
		return b.close(ctx)
	}
	err = b.serve(ctx, dir, child, logs)
	return errors.Join(err, b.close(ctx))
}

// serve mounts the bucket at dir and returns when it is unmounted and everything is on the server.
func (b *bucket) serve(ctx context.Context, dir string, child *daemon.Child, logs *logs) (err error) {
	run := beginRun(dir, b.source, logs)
	defer func() {
		if endErr := run.end(err); endErr != nil {
			logs.log.Warn("cannot leave word of the end", "error", endErr)
		}
	}()
	run.answer(b, logs)
	signals, stop := notify()
	defer stop()
	b.volume.ReadRoot() // beside what the kernel asks for first; so there are two connections, too
	var session *fuse.Session
	err = withSpareProcessors(func() (err error) {
		session, err = fuse.Mount(ctx, dir, b.volume, b.mountOptions(logs.log))
		return err
	})
	if err != nil {
		return err
	}
	if child != nil {
		if err := errors.Join(os.Chdir("/"), child.Ready(dir)); err != nil {
			return errors.Join(err, abandon(ctx, session))
		}
	}
	if err := sdnotify.Send(os.Getenv, "READY=1\nSTATUS=mounted at "+dir); err != nil {
		logs.log.Warn("the service manager does not know of the mount", "error", err)
	}
	logs.log.Info("mounted", "source", b.source, "mountpoint", dir, "version", versionText())
	s := &supervisor{session: session, signals: signals, log: logs.log, reopen: logs.reopen, louder: logs.louder}
	if err = errors.Join(s.run(), b.closeJournal(ctx)); err != nil {
		logs.log.Error("unmounted, but not everything is in order", "mountpoint", dir, "error", err)
		return err
	}
	logs.log.Info("unmounted", "mountpoint", dir)
	return nil
}

// abandon unmounts what nobody has seen yet.
func abandon(ctx context.Context, session mounted) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := session.Unmount(ctx)
	if err != nil {
		err = session.Detach()
	}
	return errors.Join(err, session.Close(ctx))
}

// deviceThere checks for FUSE itself. Users need permission on the device too: fusermount3 opens it in their name.
func deviceThere() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("/dev/fuse cannot be opened (%w): ask the administrator for chmod 666 /dev/fuse", err)
	}
	return fmt.Errorf("/dev/fuse cannot be opened (%w): load FUSE with modprobe fuse, or start the container with --device /dev/fuse --cap-add SYS_ADMIN", err)
}

// runRecord is the run file that pail umount waits for. A mount works without.
type runRecord struct{ run *daemon.Run }

func beginRun(dir, source string, logs *logs) runRecord {
	runs, err := daemon.Dir()
	if err == nil {
		var run *daemon.Run
		if run, err = daemon.Begin(runs, dir, source); err == nil {
			return runRecord{run}
		}
	}
	logs.log.Warn("pail umount will not be able to wait for this mount", "error", err)
	return runRecord{}
}

// answer lets pail status ask. A mount works without.
func (r runRecord) answer(b *bucket, logs *logs) {
	if r.run == nil {
		return
	}
	if err := r.run.Answer(func() any { return b.report(logs.recent) }); err != nil {
		logs.log.Debug("pail status will not know what is unsent", "error", err)
	}
}

func (r runRecord) end(failure error) error {
	if r.run == nil {
		return nil
	}
	return r.run.End(failure)
}
