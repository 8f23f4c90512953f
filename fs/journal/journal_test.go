package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/journal"
	"pail/fs/journal/journaltest"
)

func open(t *testing.T, fs journal.FS, change ...func(*journal.Options)) *journal.Journal {
	t.Helper()
	opt := journal.Options{Owner: "s3://bucket/prefix"}
	for _, fn := range change {
		fn(&opt)
	}
	j, err := journal.Open(fs, opt)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func small(o *journal.Options) { o.InlineMax, o.SegmentSize = 64, 1<<10 }

// bytesOf is a content of one extent.
func bytesOf(data string) *journal.Content {
	c := &journal.Content{Data: strings.NewReader(data)}
	if data != "" {
		c.Extents = []journal.Extent{{Off: 0, Len: int64(len(data))}}
	}
	return c
}

func put(t *testing.T, j *journal.Journal, id uint64, info, data string) journal.Ref {
	t.Helper()
	refs, err := j.Put([]journal.Change{{ID: id, Info: []byte(info), Content: bytesOf(data)}})
	if err != nil {
		t.Fatal(err)
	}
	return refs[0]
}

// contents returns what a journal holds: info and bytes of each entry.
func contents(t *testing.T, j *journal.Journal) map[uint64]string {
	t.Helper()
	got := map[uint64]string{}
	for _, e := range j.Entries() {
		var b bytes.Buffer
		err := j.Read(e.ID, func(p []byte, off int64) error {
			fmt.Fprintf(&b, "%d:%s;", off, p)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got[e.ID] = string(e.Info) + "=" + b.String()
	}
	return got
}

func want(t *testing.T, j *journal.Journal, entries map[uint64]string) {
	t.Helper()
	if got := contents(t, j); fmt.Sprint(got) != fmt.Sprint(entries) {
		t.Fatalf("journal has %v, want %v", got, entries)
	}
}

func closed(t *testing.T, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEntriesComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	d, err := journal.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, d, small)
	long := strings.Repeat("x", 100)
	a, b, c := j.NewID(), j.NewID(), j.NewID()
	put(t, j, a, "a1", "one")
	ref := put(t, j, b, "b1", "two")
	put(t, j, c, "c1", long)
	if _, err := j.Put([]journal.Change{{ID: a, Info: []byte("a2")}}, ref); err != nil {
		t.Fatal(err)
	}
	entries := map[uint64]string{a: "a2=0:one;", c: "c1=0:" + long + ";"}
	want(t, j, entries)
	closed(t, j)
	j = open(t, d, small)
	want(t, j, entries)
	if id := j.NewID(); id <= c {
		t.Errorf("number %d is given twice", id)
	}
	leavesNothing(t, j, d)
}

// leavesNothing ends all entries of a journal, and closes it.
func leavesNothing(t *testing.T, j *journal.Journal, d *journal.Dir) {
	t.Helper()
	for _, e := range j.Entries() {
		j.Forget(e.Ref)
	}
	closed(t, j)
	if names, err := d.List(); err != nil || len(names) != 0 {
		t.Errorf("an empty journal leaves %q, %v", names, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestExtentsKeepTheirPlaces(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs, small)
	data := strings.Repeat("abcdefghij", 30)
	c := &journal.Content{Data: strings.NewReader(data), Extents: []journal.Extent{{1, 2}, {10, 5}}}
	big := &journal.Content{Data: strings.NewReader(data), Extents: []journal.Extent{{1, 2}, {10, 200}}}
	if _, err := j.Put([]journal.Change{{ID: 1, Content: c}, {ID: 2, Content: big}}); err != nil {
		t.Fatal(err)
	}
	entries := map[uint64]string{1: "=1:bc;10:abcde;", 2: "=1:bc;10:" + data[10:210] + ";"}
	want(t, j, entries)
	closed(t, j)
	j = open(t, fs)
	want(t, j, entries)
	closed(t, j)
}

func TestForgetEndsNoLaterState(t *testing.T) {
	j := open(t, journaltest.New())
	defer closed(t, j)
	first := put(t, j, 1, "1", "one")
	second := put(t, j, 1, "2", "two")
	j.Forget(first)
	want(t, j, map[uint64]string{1: "2=0:two;"})
	j.Forget(second)
	want(t, j, nil)
	if _, err := j.Put([]journal.Change{{ID: 1, Info: []byte("3")}}); !errors.Is(err, journal.ErrKept) {
		t.Errorf("kept bytes of an entry that has none: %v", err)
	}
}

func TestJournalOfAnother(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs)
	put(t, j, 1, "a", "b")
	closed(t, j)
	_, err := journal.Open(fs, journal.Options{Owner: "s3://other"})
	if !errors.Is(err, journal.ErrOwner) || !strings.Contains(err.Error(), "s3://bucket/prefix") {
		t.Errorf("another's journal opens: %v", err)
	}
}

func TestDirectoryIsPrivateAndLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "j")
	d, err := journal.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenDir(dir); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second mount gets %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenDir(dir); err == nil {
		t.Error("a directory that others can read is taken")
	}
}

// TestOneSyncForMany holds the first fsync up until all others wait.
func TestOneSyncForMany(t *testing.T) {
	const writers = 50
	fs := journaltest.New()
	var syncs atomic.Int64
	hold := make(chan struct{})
	fs.Hook = func(op, name string) error {
		if op == "sync" && strings.HasPrefix(name, "log-") && syncs.Add(1) == 2 { // the first is the header's
			<-hold
		}
		return nil
	}
	j := open(t, fs)
	defer closed(t, j)
	var done sync.WaitGroup
	for i := range writers {
		done.Go(func() { put(t, j, uint64(i+1), "i", "data") })
	}
	for j.Asked() < writers {
		runtime.Gosched()
	}
	close(hold)
	done.Wait()
	if n := syncs.Load(); n > 3 {
		t.Errorf("%d writers needed %d syncs", writers, n-1)
	}
	if s := j.Stats(); s.Entries != writers || s.Bytes != 4*writers {
		t.Errorf("it has %+v", s)
	}
}

func TestFullDisk(t *testing.T) {
	fs := journaltest.New()
	fs.Capacity = 2 << 10
	j := open(t, fs, small)
	var refs []journal.Ref
	entries := map[uint64]string{}
	for id := uint64(1); ; id++ {
		got, err := j.Put([]journal.Change{{ID: id, Info: []byte("i"), Content: bytesOf("0123456789")}})
		if err != nil {
			if !errors.Is(err, journal.ErrFull) {
				t.Fatal(err)
			}
			break
		}
		refs = append(refs, got...)
		entries[id] = "i=0:0123456789;"
	}
	if _, err := j.Put([]journal.Change{{ID: 1000, Content: bytesOf(strings.Repeat("x", 4000))}}); !errors.Is(err, journal.ErrFull) {
		t.Fatalf("too large a file on a full disk: %v", err)
	}
	want(t, j, entries)
	after := open(t, fs.Kill(), small)
	want(t, after, entries)
	closed(t, after)
	j.Forget(refs[0], refs[1:]...)
	closed(t, j) // though there is no room for what Forget writes
	j = open(t, fs)
	want(t, j, nil)
	closed(t, j)
}

// TestForgetIsSyncedWhenNothingElseComes ends an entry in a journal of which nothing else is wanted.
func TestForgetIsSyncedWhenNothingElseComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := journaltest.New()
		var fail atomic.Bool
		fs.Hook = func(op, _ string) error {
			if op == "sync" && fail.Load() {
				return errors.New("broken")
			}
			return nil
		}
		j := open(t, fs, small)
		ref := put(t, j, 1, "i", strings.Repeat("x", 100))
		put(t, j, 2, "i", "stays")
		fail.Store(true)
		j.Forget(ref)
		time.Sleep(2 * time.Second)
		if names, _ := fs.List(); !slices.Contains(names, "data-0000000000000001") {
			t.Errorf("a data file goes before its end is synced: %q", names)
		}
		fail.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if names, _ := fs.List(); slices.Contains(names, "data-0000000000000001") {
			t.Errorf("the data file stays: %q", names)
		}
		after := open(t, fs.Crash(rand.New(rand.NewPCG(1, 1)), 0), small)
		want(t, after, map[uint64]string{2: "i=0:stays;"})
		closed(t, after)
		j.Forget(ref)
		closed(t, j)
	})
}

// TestFullDiskIsFreedOfWhatIsDone needs the room of data files whose end is not synced yet.
func TestFullDiskIsFreedOfWhatIsDone(t *testing.T) {
	fs := journaltest.New()
	fs.Capacity = 8 << 10
	j := open(t, fs, small, func(o *journal.Options) { o.KeepFree = 1 << 10 })
	for id := uint64(1); id <= 5; id++ {
		j.Forget(put(t, j, id, "i", strings.Repeat("x", 5<<10)))
	}
	closed(t, j)
}

func TestMaxBytes(t *testing.T) {
	j := open(t, journaltest.New(), func(o *journal.Options) { o.MaxBytes = 10 })
	defer closed(t, j)
	ref := put(t, j, 1, "", "123456")
	if _, err := j.Put([]journal.Change{{ID: 2, Content: bytesOf("78901")}}); !errors.Is(err, journal.ErrFull) {
		t.Errorf("more than it may have: %v", err)
	}
	j.Forget(ref)
	put(t, j, 2, "", "78901")
}

func TestLogIsReclaimed(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs, small)
	put(t, j, 1, "stays", "for long")
	big := strings.Repeat("y", 100)
	put(t, j, 2, "large", big)
	for range 2000 {
		j.Forget(put(t, j, j.NewID()+100, "comes and goes", "0123456789"))
	}
	if s := j.Stats(); s.Disk > 16<<10 {
		t.Errorf("two small entries take %d bytes", s.Disk)
	}
	entries := map[uint64]string{1: "stays=0:for long;", 2: "large=0:" + big + ";"}
	want(t, j, entries)
	after := open(t, fs.Kill(), small)
	want(t, after, entries)
	closed(t, after)
	closed(t, j)
}

func TestDamageIsIsolated(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs)
	for id := uint64(1); id <= 3; id++ {
		put(t, j, id, "i", "data")
	}
	closed(t, j)
	name := "log-0000000000000001"
	at := bytes.LastIndex(fs.Bytes(name)[:len(fs.Bytes(name))-30], []byte("data"))
	fs.Corrupt(name, at*8)
	j = open(t, fs)
	if !j.Damaged() {
		t.Error("damage is not noticed")
	}
	want(t, j, map[uint64]string{1: "i=0:data;", 3: "i=0:data;"})
	for _, e := range j.Entries() {
		j.Forget(e.Ref)
	}
	closed(t, j)
	if names, _ := fs.List(); len(names) != 1 || names[0] != "bad-"+name {
		t.Errorf("it leaves %q", names)
	}
}

func TestDamagedDataFile(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs, small)
	put(t, j, 1, "i", strings.Repeat("z", 100))
	fs.Corrupt("data-0000000000000001", 80)
	err := j.Read(1, func([]byte, int64) error { return nil })
	if !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("damaged bytes are read: %v", err)
	}
	closed(t, j)
}

func TestFailedSyncAcknowledgesNothing(t *testing.T) {
	fs := journaltest.New()
	var fail atomic.Bool
	broken := errors.New("broken")
	fs.Hook = func(op, _ string) error {
		if op == "sync" && fail.Load() {
			return broken
		}
		return nil
	}
	j := open(t, fs)
	put(t, j, 1, "old", "data")
	fail.Store(true)
	if _, err := j.Put([]journal.Change{{ID: 1, Info: []byte("new"), Content: bytesOf("other")}}); !errors.Is(err, broken) {
		t.Fatalf("a failed sync: %v", err)
	}
	want(t, j, map[uint64]string{1: "old=0:data;"})
	fail.Store(false)
	put(t, j, 2, "next", "data")
	j2 := open(t, fs.Kill())
	want(t, j2, map[uint64]string{1: "old=0:data;", 2: "next=0:data;"})
	closed(t, j2)
	closed(t, j)
}

// TestBarrierWaitsForAForgetOnItsWay holds the write of a Forget up.
func TestBarrierWaitsForAForgetOnItsWay(t *testing.T) {
	fs := journaltest.New()
	var hold atomic.Pointer[chan struct{}]
	reached := make(chan struct{}, 1)
	fs.Hook = func(op, _ string) error {
		if wait := hold.Load(); wait != nil && op == "write" {
			reached <- struct{}{}
			<-*wait
		}
		return nil
	}
	j := open(t, fs)
	defer closed(t, j)
	ref := put(t, j, 1, "i", "data")
	wait := make(chan struct{})
	hold.Store(&wait)
	var both sync.WaitGroup
	both.Go(func() { j.Forget(ref) })
	<-reached
	hold.Store(nil)
	both.Go(func() {
		if err := j.Barrier(); err != nil {
			t.Error(err)
		}
		after := open(t, fs.Crash(rand.New(rand.NewPCG(1, 1)), 0))
		want(t, after, nil)
		closed(t, after)
	})
	time.Sleep(10 * time.Millisecond) // gives a Barrier that does not wait the time to fail
	close(wait)
	both.Wait()
}

// TestViewReadsAnywhere compares views with what was put, also after the entry has ended.
func TestViewReadsAnywhere(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs, small)
	defer closed(t, j)
	file := []byte(strings.Repeat("0123456789", 100))
	for id, extents := range [][]journal.Extent{
		{}, {{Off: 3, Len: 5}, {Off: 20, Len: 2}}, {{Off: 0, Len: 500}, {Off: 500, Len: 7}, {Off: 600, Len: 400}},
	} {
		refs, err := j.Put([]journal.Change{{ID: uint64(id + 1), Content: &journal.Content{Extents: extents, Data: bytes.NewReader(file)}}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := j.View(uint64(id + 1))
		if err != nil {
			t.Fatal(err)
		}
		j.Forget(refs[0])
		if err := j.Barrier(); err != nil {
			t.Fatal(err)
		}
		want := make([]byte, len(file))
		for _, x := range extents {
			copy(want[x.Off:x.Off+x.Len], file[x.Off:])
		}
		for off := range len(file) {
			for _, n := range []int{0, 1, 7, 300} {
				n = min(n, len(file)-off)
				p := make([]byte, n)
				if err := v.Fill(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+n]) {
					t.Fatalf("entry %d, %d bytes at %d: %q, %v", id, n, off, p, err)
				}
			}
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestViewOutlivesTheLog reads an entry of which the log is removed, and the journal closed.
func TestViewOutlivesTheLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	d, err := journal.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, d)
	data := journal.Content{Extents: []journal.Extent{{Len: 4}}, Data: strings.NewReader("data")}
	refs, err := j.Put([]journal.Change{{ID: 1, Content: &data}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := j.View(1)
	if err != nil {
		t.Fatal(err)
	}
	j.Forget(refs[0])
	closed(t, j)
	if left, err := filepath.Glob(filepath.Join(dir, "log-*")); err != nil || len(left) > 0 {
		t.Errorf("%q are left: %v", left, err)
	}
	p := make([]byte, 4)
	if err := v.Fill(p, 0); err != nil || string(p) != "data" {
		t.Errorf("read %q, %v", p, err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamageAfterViewIsFound changes a byte after the bytes were checked as a whole.
func TestDamageAfterViewIsFound(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs, small)
	defer closed(t, j)
	file := bytes.Repeat([]byte("0123456789"), 10_000)
	extents := []journal.Extent{{Off: 10, Len: 40_000}, {Off: 50_010, Len: 30_000}}
	if _, err := j.Put([]journal.Change{{ID: 1, Content: &journal.Content{Extents: extents, Data: bytes.NewReader(file)}}}); err != nil {
		t.Fatal(err)
	}
	v, err := j.View(1)
	if err != nil {
		t.Fatal(err)
	}
	fs.Corrupt("data-0000000000000001", 8*45_000) // at 55010 of the file
	for off, good := range map[int64]bool{10: true, 32_000: true, 32_778: false, 50_010: false, 55_010: false, 76_000: true} {
		p := make([]byte, 10)
		err := v.Fill(p, off)
		if good != (err == nil) || !good && !errors.Is(err, journal.ErrDamaged) || good && !bytes.Equal(p, file[off:off+10]) {
			t.Errorf("10 bytes at %d: %q, %v", off, p, err)
		}
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamagedEntryIsNotWrittenAgain: where the log is mostly dead, its live entries move; one that the disk has changed stays
// damaged, and the others are not in danger.
func TestDamagedEntryIsNotWrittenAgain(t *testing.T) {
	fs := journaltest.New()
	j := open(t, fs, small)
	put(t, j, 1, "long", "to be damaged")
	put(t, j, 2, "long", "good")
	list, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	for _, one := range list {
		if i := bytes.Index(fs.Bytes(one), []byte("to be damaged")); i >= 0 {
			name = one
			fs.Corrupt(one, 8*i)
		}
	}
	for range 200 {
		j.Forget(put(t, j, 3, "short", strings.Repeat("x", 50)))
	}
	if err := j.Read(1, func([]byte, int64) error { return nil }); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("what was damaged reads: %v", err)
	}
	v, err := j.View(1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := v.Fill(make([]byte, 3), 5); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("what was damaged is viewed: %v", err)
		}
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	closed(t, j)
	again := open(t, fs, small)
	want(t, again, map[uint64]string{2: "long=0:good;"})
	closed(t, again)
}
