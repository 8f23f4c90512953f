package fs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// replacedWhileOpen returns a file that is open here while another client has replaced it by now.
func replacedWhileOpen(t *testing.T, m *mount) (f *os.File, now []byte) {
	m.put("f", 1)
	f = m.open("f", 0)
	return f, m.put("f", 2)
}

// An open(2) that truncates reaches what is in place also by the descriptor of an older version; if it is refused, the file
// has to be as it was.
func TestOpenOfAReplacedFileTruncatesItOrFails(t *testing.T) {
	m := newMount(t)
	f, now := replacedWhileOpen(t, m)
	g, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		g.Close()
		now = nil
	}
	if got := m.stored("f"); got != string(now) {
		t.Errorf("open: %v; %d bytes are stored, want %d", err, len(got), len(now))
	}
}

// Who has a file without its name, as by a descriptor with O_PATH or a bind mount, cannot look that up again.
func TestReplacedFileIsOpenedByItsDescriptor(t *testing.T) {
	m := newMount(t)
	m.put("f", 1)
	f := m.open("f", 0)
	m.check(f, bytesOf("f", 1))
	path, err := unix.Open(m.path("f"), unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(path)
	now := m.put("f", 2)
	for range 3 {
		g, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", path))
		if err != nil {
			t.Fatal(err)
		}
		m.check(g, now)
		if info, err := g.Stat(); err != nil || info.Size() != int64(len(now)) {
			t.Errorf("%v, %v", info, err)
		}
		g.Close()
		h := m.open("f", 0)
		m.check(h, now)
		h.Close()
	}
	f.Close()
	g, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", path))
	if err != nil {
		t.Fatal(err)
	}
	m.check(g, now)
	g.Close()
}

// What is set by a name is there for who asks by that name, whatever version is open.
func TestChangeOfAReplacedFileIsSeen(t *testing.T) {
	m := newMount(t)
	_, now := replacedWhileOpen(t, m)
	if err := os.Chmod(m.path("f"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(m.path("f"))
	if err != nil || info.Mode() != 0o600 || info.Size() != int64(len(now)) {
		t.Errorf("%v, %v", info, err)
	}
}

// What is set by a descriptor is set of what is open, and there at once: of a file that is known to be replaced of nothing else.
func TestAttributesAreSetByTheDescriptorOfAReplacedFile(t *testing.T) {
	m := newMount(t)
	f, now := replacedWhileOpen(t, m)
	set := func(mode os.FileMode) {
		t.Helper()
		day := time.Unix(86400, 5)
		ts := []unix.Timespec{unix.NsecToTimespec(day.UnixNano()), unix.NsecToTimespec(day.UnixNano())}
		if err := errors.Join(f.Chmod(mode), f.Chown(os.Getuid(), os.Getgid()),
			unix.UtimesNanoAt(int(f.Fd()), "", ts, unix.AT_EMPTY_PATH)); err != nil {
			t.Error(err)
		}
		info, err := f.Stat()
		if err != nil || info.Mode() != mode || !info.ModTime().Equal(day) || info.Size() == int64(len(now)) {
			t.Errorf("%v, %v", info, err)
		}
	}
	set(0o600)
	if err := os.Chmod(m.path("f"), 0o640); err != nil {
		t.Fatal(err)
	}
	set(0o604)
	info, err := os.Stat(m.path("f"))
	if err != nil || info.Mode() != 0o640 || info.Size() != int64(len(now)) {
		t.Errorf("%v, %v", info, err)
	}
}

// A file that another client has removed has its attributes for who has it open.
func TestRemovedFileThatIsOpenHasAttributes(t *testing.T) {
	m := newMount(t)
	one := m.put("f", 1)
	f := m.open("f", 0)
	if r := m.order(order{Op: "delete", Key: "f"}); r.Error != "" {
		t.Fatal(r.Error)
	}
	if _, err := os.Open(m.path("f")); err == nil {
		t.Fatal("it is there")
	}
	for range 3 {
		if info, err := f.Stat(); err != nil || info.Size() != int64(len(one)) {
			t.Fatalf("%v, %v", info, err)
		}
	}
}

// However often another client replaces a file that many open, and some keep open, each open(2) works.
func TestOpensOfAFileThatIsReplacedAllTheTime(t *testing.T) {
	m := newMount(t)
	const versions, readers = 200, 6
	small := func(v int) []byte { return bytes.Repeat([]byte{byte(v)}, 100+v) }
	put := func(v int) {
		if r := m.order(order{Op: "put", Key: "f", Body: small(v)}); r.Error != "" {
			t.Fatal(r.Error)
		}
	}
	put(1)
	var end atomic.Bool
	var opens, bad atomic.Int64
	var work sync.WaitGroup
	for r := range readers {
		work.Go(func() {
			var kept []*os.File
			for i := r; !end.Load(); i++ {
				f, err := os.Open(m.path("f"))
				opens.Add(1)
				if err != nil {
					bad.Add(1)
					continue
				}
				got := make([]byte, 1000)
				n, err := f.ReadAt(got, 0)
				if n > 0 && !bytes.Equal(got[:n], small(int(got[0]))) || n == 0 && !errors.Is(err, syscall.ESTALE) {
					t.Errorf("%d bytes of version %d, %v", n, got[0], err)
				}
				if kept = append(kept, f); len(kept) > i%4 {
					kept[0].Close()
					kept = kept[1:]
				}
			}
			for _, f := range kept {
				f.Close()
			}
		})
	}
	for v := 1; v <= versions; v++ {
		put(v)
		if v%4 == 0 {
			_, _ = os.Stat(m.path("f"))
		}
	}
	end.Store(true)
	work.Wait()
	if bad.Load() > 0 {
		t.Errorf("%d of %d opens failed", bad.Load(), opens.Load())
	}
}
