package fs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newKeptMount mounts an empty bucket read-only, with a cache on disk.
func newKeptMount(t *testing.T) *mount {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may have the kernel read files itself")
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	_, _ = fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	if major < 6 || major == 6 && minor < 9 {
		t.Skip("the kernel reads files itself from Linux 6.9 on")
	}
	return newMount(t, cacheEnv+"="+filepath.Join(t.TempDir(), "cache"))
}

// bytesOf returns the content of a version of a file; all versions and files differ everywhere, and in size.
func bytesOf(name string, version int) []byte {
	rnd := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-24s%8d", name, version))))
	data := make([]byte, 2<<20+version*12345)
	rnd.Read(data)
	return data
}

func (m *mount) put(name string, version int) []byte {
	m.t.Helper()
	data := bytesOf(name, version)
	if r := m.order(order{Op: "put", Key: name, Body: data}); r.Error != "" {
		m.t.Fatal(r.Error)
	}
	return data
}

func (m *mount) open(name string, flags int) *os.File {
	m.t.Helper()
	f, err := os.OpenFile(m.path(name), os.O_RDONLY|flags, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { f.Close() })
	return f
}

// passed opens a file until the kernel reads it itself, which it does once all of it has come to the cache.
func (m *mount) passed(name string) *os.File {
	m.t.Helper()
	lent := func() int { return m.order(order{Op: "lent"}).Count["lent"] }
	for before, end := lent(), time.Now().Add(30*time.Second); time.Now().Before(end); {
		f := m.open(name, 0)
		if lent() > before {
			return f
		}
		if _, err := io.Copy(io.Discard, f); err != nil {
			m.t.Fatal(err)
		}
		f.Close()
	}
	m.t.Fatalf("%s is not passed through", name)
	return nil
}

func (m *mount) check(f io.ReaderAt, want []byte) {
	m.t.Helper()
	got := make([]byte, len(want)+1)
	if n, err := f.ReadAt(got, 0); err != io.EOF || !bytes.Equal(got[:n], want) {
		m.t.Errorf("%d bytes, %v; want %d bytes", n, err, len(want))
	}
}

// checkMapping reads through a mapping.
func (m *mount) checkMapping(f *os.File, want []byte) {
	m.t.Helper()
	p, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		m.t.Fatal(err)
	}
	if !bytes.Equal(p, want) {
		m.t.Error("a mapping has other bytes")
	}
	if err := unix.Munmap(p); err != nil {
		m.t.Fatal(err)
	}
}

// alone runs read while the process of the mount stands still.
func (m *mount) alone(read func()) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		m.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); read() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		m.t.Error("the mount is asked")
	}
	if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		m.t.Fatal(err)
	}
	<-done
}

func TestWholeFilesAreReadByTheKernel(t *testing.T) {
	m := newKeptMount(t)
	one := m.put("f", 1)
	f := m.passed("f")
	g := m.open("f", 0)
	m.alone(func() {
		m.check(f, one)
		m.check(g, one)
		m.checkMapping(g, one)
	})
	f.Close()
	m.alone(func() { m.check(g, one) })
	direct := m.open("f", unix.O_DIRECT)
	p := make([]byte, 1000)
	if n, err := direct.ReadAt(p[1:], 77); err != nil || !bytes.Equal(p[1:], one[77:77+n]) {
		t.Errorf("a read with O_DIRECT that is not aligned: %d bytes, %v", n, err)
	}
	if _, err := os.OpenFile(m.path("f"), os.O_RDWR, 0); !errors.Is(err, syscall.EROFS) {
		t.Errorf("open to write: %v", err)
	}
	if at, err := unix.Seek(int(g.Fd()), 0, unix.SEEK_HOLE); err != nil || at != int64(len(one)) {
		t.Errorf("SEEK_HOLE: %d, %v", at, err)
	}
}

// What another client stores is there for the next open, and those who have the file open keep theirs.
func TestNewVersionOfAFileThatTheKernelReads(t *testing.T) {
	m := newKeptMount(t)
	one := m.put("f", 1)
	f := m.passed("f")
	var before unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &before); err != nil {
		t.Fatal(err)
	}
	two := m.put("f", 2)
	g := m.open("f", 0)
	m.check(g, two)
	m.checkMapping(g, two)
	m.check(f, one)
	m.checkMapping(f, one)
	var after unix.Stat_t
	if err := unix.Fstat(int(g.Fd()), &after); err != nil || after.Ino != before.Ino || after.Size != int64(len(two)) {
		t.Errorf("%v: inode %d, then %d of %d bytes", err, before.Ino, after.Ino, after.Size)
	}
	g.Close()
	h := m.passed("f") // as well, beside the old one
	m.alone(func() {
		m.check(h, two)
		m.check(f, one)
	})
	if _, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("open of the old version by its descriptor: %v", err)
	}
	three := m.put("f", 3)
	if data, err := os.ReadFile(m.path("f")); err != nil || !bytes.Equal(data, three) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if r := m.order(order{Op: "delete", Key: "f"}); r.Error != "" {
		t.Fatal(r.Error)
	}
	if _, err := os.Open(m.path("f")); !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESTALE) {
		t.Errorf("open of what is removed: %v", err)
	}
	m.check(f, one)
	m.check(h, two)
}

// However opens, closes and versions of another client come together, every open works and has the version that was
// stored before, or a later one.
func TestOpensAtOnceOfFilesThatTheKernelReads(t *testing.T) {
	m := newKeptMount(t)
	const files, versions, readers = 2, 4, 3
	var busy sync.RWMutex // reads; where none is under way, a file may go another way than before
	var stored [files]atomic.Int64
	name := func(i int) string { return fmt.Sprint("f", i) }
	content := [files][versions + 1][]byte{}
	for i := range files {
		for v := range versions + 1 {
			content[i][v] = bytesOf(name(i), v)
		}
		m.put(name(i), 0)
	}
	m.passed(name(0)).Close()
	var end atomic.Bool
	var work sync.WaitGroup
	for r := range readers {
		work.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(r), 0))
			for !end.Load() {
				busy.RLock()
				i := rnd.IntN(files)
				from := stored[i].Load()
				f, err := os.Open(m.path(name(i)))
				if err != nil {
					t.Error(err)
					busy.RUnlock()
					return
				}
				data, err := io.ReadAll(f)
				which := (len(data) - 2<<20) / 12345
				if err != nil || which < int(from) || which > versions || !bytes.Equal(data, content[i][which]) {
					t.Errorf("%s: %d bytes, version %d after %d, %v", name(i), len(data), which, from, err)
				}
				f.Close()
				busy.RUnlock()
			}
		})
	}
	for v := 1; v <= versions; v++ {
		for i := range files {
			busy.Lock()
			held := m.passed(name(i))
			busy.Unlock()
			m.put(name(i), v)
			stored[i].Store(int64(v))
			m.check(held, content[i][v-1])
			held.Close()
		}
	}
	end.Store(true)
	work.Wait()
	if lent := m.order(order{Op: "lent"}).Count["lent"]; lent < versions*files {
		t.Errorf("files were passed through %d times", lent)
	}
}
