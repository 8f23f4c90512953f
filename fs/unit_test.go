package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"pail/fs/volume"
	"pail/s3client"
)

func TestToErrno(t *testing.T) {
	for _, test := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{volume.ErrNotExist, syscall.ENOENT},
		{fmt.Errorf("wrapped: %w", volume.ErrNotEmpty), syscall.ENOTEMPTY},
		{&s3client.Error{Err: s3client.ErrNotFound}, syscall.ENOENT},
		{&s3client.Error{Err: s3client.ErrNoBucket}, syscall.ENOENT},
		{&s3client.Error{Err: s3client.ErrCredentials}, syscall.EACCES},
		{&s3client.Error{Err: s3client.ErrPrecondition}, syscall.ESTALE},
		{&s3client.Error{Err: context.Canceled}, syscall.EINTR},
		{&s3client.Error{Err: context.DeadlineExceeded}, syscall.ETIMEDOUT},
		{&s3client.Error{Err: s3client.ErrTooLarge}, syscall.EFBIG},
		{&s3client.Error{Err: s3client.ErrNoSpace}, syscall.ENOSPC},
		{&s3client.Error{Err: s3client.ErrUnavailable}, syscall.EIO},
		{&s3client.Error{Err: s3client.ErrRange}, syscall.EIO},
		{fmt.Errorf("wrapped: %w", volume.ErrDamaged), syscall.EIO},
		{errors.New("anything"), syscall.EIO},
	} {
		if got := toErrno(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}

func TestPanicBecomesEIOAndALogLine(t *testing.T) {
	var out bytes.Buffer
	handler := panicHandler(slog.New(slog.NewTextHandler(&out, nil)))
	if got := handler("boom"); got != fuse.EIO {
		t.Errorf("status %v", got)
	}
	if text := out.String(); !strings.Contains(text, "boom") || !strings.Contains(text, "TestPanicBecomes") {
		t.Errorf("log has no reason or no stack: %s", text)
	}
}

func TestInterruptHasAGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupt := make(chan struct{})
		ctx, end := interruptible(&fuse.Context{Cancel: interrupt})
		defer end()
		start := time.Now()
		done := ctx.Done()
		close(interrupt)
		<-done
		if got := time.Since(start); got != interruptGrace {
			t.Errorf("cancelled after %v", got)
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("Err is %v", ctx.Err())
		}
	})
}

func TestRequestThatEndsInGraceIsNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupt := make(chan struct{})
		ctx, end := interruptible(&fuse.Context{Cancel: interrupt})
		ctx.Done()
		close(interrupt)
		time.Sleep(interruptGrace / 2)
		end()
		synctest.Wait() // the watcher is gone
		if ctx.Err() != nil {
			t.Error(ctx.Err())
		}
	})
}

func TestCallerSurvivesDetaching(t *testing.T) {
	ctx := &fuse.Context{Caller: fuse.Caller{Owner: fuse.Owner{Uid: 7, Gid: 8}}}
	if got := caller(detached(ctx)); got != (volume.Caller{UID: 7, GID: 8}) {
		t.Errorf("%+v", got)
	}
}

func TestPagesAreKeptForTheSameVersionOnly(t *testing.T) {
	const one, two, unsaved s3client.ETag = "1", "2", ""
	n := &node{}
	keeps := func(v s3client.ETag) bool { return n.opened(v)&fuse.FOPEN_KEEP_CACHE != 0 }
	if keeps(one) {
		t.Error("kept before anything was known")
	}
	n.closed()
	if !keeps(one) {
		t.Error("dropped the same version")
	}
	if keeps(two) { // one is still open and may read late
		t.Error("kept another version's pages")
	}
	if keeps(two) {
		t.Error("kept while a handle of the older version could still fill the cache")
	}
	for range 3 {
		n.closed()
	}
	if keeps(two) {
		t.Error("kept what two versions had filled")
	}
	if !keeps(two) {
		t.Error("dropped although only one version was read since")
	}
	changing := &node{}
	for range 2 {
		if changing.opened(unsaved) != 0 {
			t.Error("kept pages of a file that changes")
		}
	}
}

func TestDirectMountFlags(t *testing.T) {
	for _, test := range []struct {
		opt  Options
		want uintptr
	}{
		{Options{}, unix.MS_NOSUID | unix.MS_NODEV},
		{Options{ReadOnly: true, KernelFlags: []string{"noatime", "noexec"}}, unix.MS_NOSUID | unix.MS_NODEV | unix.MS_RDONLY | unix.MS_NOATIME | unix.MS_NOEXEC},
		{Options{KernelFlags: []string{"dev", "suid"}}, unix.MS_MGC_VAL},
		{Options{KernelFlags: []string{"suid", "nosuid", "dev"}}, unix.MS_NOSUID},
	} {
		var m fuse.MountOptions
		test.opt.direct(&m)
		if m.DirectMountFlags != test.want {
			t.Errorf("%+v: flags %#x, want %#x", test.opt, m.DirectMountFlags, test.want)
		}
	}
}

func TestHelperGetsNoWordThatUsersMayNotUse(t *testing.T) {
	var m fuse.MountOptions
	Options{ReadOnly: true, KernelFlags: []string{"suid", "dev", "noatime", "relatime"}}.helper(&m)
	if got := strings.Join(m.Options, ","); got != "default_permissions,ro,noatime" {
		t.Errorf("options %q", got)
	}
}

func TestTimesBefore1970(t *testing.T) {
	sec, nsec := unixTime(time.Unix(-2, 500))
	if int64(sec) != -2 || nsec != 500 {
		t.Errorf("%d %d", int64(sec), nsec)
	}
}

func TestTimesOfAccessAreKeptAsTheOptionsSay(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		want atime
	}{
		{Options{}, atime{files: true, dirs: true}},
		{Options{ReadOnly: true}, atime{}},
		{Options{KernelFlags: []string{"noatime"}}, atime{}},
		{Options{KernelFlags: []string{"relatime", "nodiratime"}}, atime{files: true}},
		{Options{KernelFlags: []string{"strictatime"}}, atime{files: true, dirs: true, always: true}},
	} {
		if got := newAtime(c.opt); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.opt, got, c.want)
		}
	}
}

// TestFullDiskIsLoggedOnce has a program go on writing where there is no room.
func TestFullDiskIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	_, f := unmounted(t, 0)
	f.log = slog.New(slog.NewTextHandler(&out, nil))
	n := &node{fs: f, v: f.vol.Root()}
	lines := func(want int, what string) {
		t.Helper()
		if got := strings.Count(out.String(), "request failed"); got != want {
			t.Errorf("%s: %d lines, want %d: %s", what, got, want, out.String())
		}
	}
	for range 100 {
		if errno := n.refuse("write", volume.ErrTooBig); errno != syscall.EFBIG {
			t.Fatal(errno)
		}
	}
	lines(1, "too big, again and again")
	for range 100 {
		n.refuse("write", volume.ErrNoSpace)
	}
	lines(2, "another reason")
	n.admitted()
	n.refuse("write", volume.ErrNoSpace)
	lines(3, "after there was room")
	n.refuse("write", volume.ErrStale)
	n.refuse("write", volume.ErrStale)
	lines(5, "what is no lack of room")
}

// kernel takes files for backing, or answers with an errno.
type kernel struct {
	errno syscall.Errno
	open  map[int32]bool
}

func (k *kernel) RegisterBackingFd(*fuse.BackingMap) (int32, syscall.Errno) {
	if k.errno != 0 {
		return 0, k.errno
	}
	id := int32(len(k.open) + 1)
	k.open[id] = true
	return id, 0
}

func (k *kernel) UnregisterBackingFd(id int32) syscall.Errno {
	k.open[id] = false
	return 0
}

func TestPassthroughIsTriedBeforeItIsUsed(t *testing.T) {
	k := &kernel{open: map[int32]bool{}}
	if _, err := newBackings(k, t.TempDir()); err != nil || k.open[1] {
		t.Errorf("%v, open %v", err, k.open)
	}
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.ENOTTY, syscall.EOPNOTSUPP, syscall.ELOOP} {
		k.errno = errno
		dir := t.TempDir()
		if _, err := newBackings(k, dir); !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	}
	if _, err := newBackings(k, "/nowhere"); err == nil {
		t.Error("no error of a directory that is missing")
	}
}

func TestOpensThatTheKernelReadsAreToldOnce(t *testing.T) {
	b, err := newBackings(&kernel{open: map[int32]bool{}}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	one, two := make(chan struct{}), make(chan struct{})
	b.tell(one, 7)
	var out fuse.OpenOut
	if b.complete(two, &out); out.BackingID != 0 {
		t.Error("told another request")
	}
	if b.complete(one, &out); out.BackingID != 7 {
		t.Error("not told")
	}
	out.BackingID = 0
	if b.complete(one, &out); out.BackingID != 0 || len(b.mu.told) > 0 {
		t.Error("told twice")
	}
}
