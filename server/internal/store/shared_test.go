package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/blob/blobtest"
	"pail/server/internal/meta"
)

// openShared opens Stores that share a database and blobs, each with a connection of its own.
func openShared(t *testing.T, n int) (list []*env) {
	t.Helper()
	address, fs := postgres.Address(t), blobtest.NewMemFS()
	for range n {
		db := openPostgres(t, address)
		blobs, err := blob.Open("/data", blob.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(ctx, Options{DB: db, Blobs: blobs, Keys: testKeys, InlineLimit: testInline, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stopBeats(s)
		list = append(list, &env{subject: subject{Store: s}, t: t, db: db, fs: fs})
	}
	if err := list[0].CreateBucket(ctx, Bucket{Name: "b", Owner: "me"}); err != nil {
		t.Fatal(err)
	}
	return list
}

// stopBeats ends what a Store does by itself, so that the test does it.
func stopBeats(s *Store) {
	s.stop()
	s.background.Wait()
}

func beats(t *testing.T, list ...*env) {
	t.Helper()
	for _, e := range list {
		if err := e.beat(ctx); err != nil {
			t.Fatal(err)
		}
		e.reclaim.removeDue(ctx)
	}
}

// TestReadersElsewhereFinish: bytes that one Store frees stay while a reader of another one may still need them.
func TestReadersElsewhereFinish(t *testing.T) {
	list := openShared(t, 3)
	a, b, c := list[0], list[1], list[2]
	beats(t, a, b, c)
	p := data(50_000, 1)
	a.put("k", p)
	r, err := b.GetObject(ctx, "b", "k", ReadInput{})
	if err != nil {
		t.Fatal(err)
	}
	c.delete("k")
	for range 4 {
		beats(t, a, b, c)
	}
	a.sweep(ctx) // which is far from the next one
	if n := len(a.fs.Files()); n != 1 {
		t.Fatalf("%d files while another Store reads", n)
	}
	if got, err := io.ReadAll(r.Section(0, r.Object.Size)); err != nil || !bytes.Equal(got, p) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.Close()
	for range 3 {
		beats(t, a, b, c)
	}
	if n := len(a.fs.Files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestDatabaseOfServersOnlyIsEmpty: what servers note of themselves makes a database that lost all else none to sweep after.
func TestDatabaseOfServersOnlyIsEmpty(t *testing.T) {
	a := openShared(t, 1)[0]
	a.put("k", data(50_000, 1))
	wantErr(t, Fits(ctx, a.Store.db, a.blobs), nil)
	err := a.Store.db.Update(ctx, func(x meta.Txn) error {
		it := x.Iter(nil, nil)
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			if key := bytes.Clone(it.Key()); meta.Table(key[0]) != meta.Members && !bytes.Equal(key, meta.FormatKey()) {
				wantErr(t, x.Delete(key), nil)
			}
		}
		return errors.Join(it.Err(), save(x, meta.GraveKey(a.newID()), make([]byte, 8)), save(x, meta.PairKey(), []byte("id")))
	})
	wantErr(t, err, nil)
	wantErr(t, Fits(ctx, a.Store.db, a.blobs), ErrNotItsBlobs)
}

// TestBeatWaitsForNoVolume: a Store that frees much would be taken for dead.
func TestBeatWaitsForNoVolume(t *testing.T) {
	a := openShared(t, 1)[0]
	beating := false
	a.reclaim.blobs = removals{a.reclaim.blobs, func() {
		if beating {
			t.Error("a beat removes files")
		}
	}}
	a.put("k", data(50_000, 1))
	a.delete("k")
	for range 2 {
		beating = true
		err := a.beat(ctx)
		beating = false
		wantErr(t, err, nil)
		a.reclaim.removeDue(ctx)
	}
	if n := len(a.fs.Files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// removals tells of each.
type removals struct {
	blob.Store
	tell func()
}

func (r removals) Remove(ctx context.Context, id blob.ID) error {
	r.tell()
	return r.Store.Remove(ctx, id)
}

// TestOutageKillsNobody: when the database was away for long, no member has beaten meanwhile, and none is dead for that.
func TestOutageKillsNobody(t *testing.T) {
	m := members{others: map[meta.ID]*member{}}
	seen := func() map[meta.ID]memberRow { return map[meta.ID]memberRow{{1}: {beat: 1, oldest: 1}} }
	m.update(seen())
	for i := range deadAfter {
		if dead := m.update(seen()); (len(dead) > 0) != (i == deadAfter-1) {
			t.Errorf("look %d: %v are dead", i, dead)
		}
	}
}

// TestReaderThatBeginsDuringABeat: one who looks up before the deletion, and after its Store has last told of its readers,
// is waited for.
func TestReaderThatBeginsDuringABeat(t *testing.T) {
	list := openShared(t, 2)
	a, b := list[0], list[1]
	a.put("k", data(50_000, 1))
	beats(t, b, a)
	row, _ := b.reclaim.beat(b.members.published + 1) // it is on its way
	r, err := b.GetObject(ctx, "b", "k", ReadInput{})
	if err != nil {
		t.Fatal(err)
	}
	a.delete("k")
	beats(t, a)
	if err := b.db.Update(ctx, func(x meta.Txn) error { return save(x, meta.MemberKey(b.members.id), row.encode()) }); err != nil {
		t.Fatal(err)
	}
	b.members.published = row.beat
	for range 4 {
		beats(t, a, b)
	}
	if n := len(a.fs.Files()); n != 1 {
		t.Errorf("%d files while another Store reads", n)
	}
	r.Close()
}

// TestSweepElsewhere: a Store takes nothing for an orphan that is new; what it has taken, no other Store makes visible.
func TestSweepElsewhere(t *testing.T) {
	list := openShared(t, 2)
	a, b := list[0], list[1]
	young := time.Unix(1, 0).Add(orphanAge - time.Second) // files are of second 1
	a.now = func() time.Time { return young }
	body := &during{Reader: bytes.NewReader(data(3<<20, 2)), do: func() { a.sweep(ctx); a.sweep(ctx) }}
	put := func() error {
		_, err := b.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: body, Size: 3 << 20, Owner: "me"})
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	b.delete("k")
	a.now = func() time.Time { return young.Add(time.Minute) }
	*body = during{Reader: bytes.NewReader(data(3<<20, 3)), do: body.do}
	if err := put(); !errors.Is(err, errSwept) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("a body whose blob was swept: %v", err)
	}
	if got := b.get("k"); got != nil {
		t.Errorf("%d bytes", len(got))
	}
	a.now = func() time.Time { return young.Add(2 * graveAge) }
	a.clearGraves(ctx)
	if err := a.view(ctx, func(r meta.Reader) error {
		it := r.Iter(meta.Graves.Bounds())
		if it.First() {
			t.Error("a grave stays for ever")
		}
		return it.Err()
	}); err != nil {
		t.Error(err)
	}
}

// TestSweepAfterUnknownOutcome: a server that runs for ever does not keep for ever what came to nothing.
func TestSweepAfterUnknownOutcome(t *testing.T) {
	a := openShared(t, 1)[0]
	db := a.Store.db
	a.Store.db = undoing{db}
	p := data(50_000, 1)
	_, err := a.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(p), Size: int64(len(p)), Owner: "me"})
	wantErr(t, err, ErrUnavailable)
	a.Store.db = db
	a.now = func() time.Time { return time.Unix(1, 0).Add(orphanAge + time.Second) } // files are of second 1
	a.sweep(ctx)
	a.sweep(ctx)
	if n := len(a.fs.Files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// undoing is a database whose Updates fail when they have run.
type undoing struct{ meta.DB }

func (u undoing) Update(ctx context.Context, fn func(meta.Txn) error) error {
	_ = u.DB.Update(ctx, func(t meta.Txn) error {
		_ = fn(t)
		return meta.ErrUnavailable
	})
	return meta.ErrUnavailable
}

// during does something once, after the first bytes.
type during struct {
	io.Reader
	do   func()
	done bool
	n    int
}

func (d *during) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if d.n += n; !d.done && d.n > 2<<20 {
		d.done = true
		d.do()
	}
	return n, err
}

// TestConfigurationsElsewhere: a change through one Store is seen by all.
func TestConfigurationsElsewhere(t *testing.T) {
	list := openShared(t, 2)
	a, b := list[0], list[1]
	seen, err := b.ConfigGeneration(ctx)
	wantErr(t, err, nil)
	for i, change := range []func() error{
		func() error { return a.SetBucketConfig(ctx, "b", ConfigTagging, []byte("x")) },
		func() error { return a.DeleteBucketConfig(ctx, "b", ConfigTagging) },
		func() error { return a.SetVersioning(ctx, "b", Enabled) },
		func() error { return a.DeleteBucket(ctx, "b") },
	} {
		wantErr(t, change(), nil)
		now, err := b.ConfigGeneration(ctx)
		wantErr(t, err, nil)
		if now == seen {
			t.Errorf("change %d is not seen", i)
		}
		seen = now
	}
}

// TestEventsElsewhere: who listens at one Store hears of what is done through another, in order.
func TestEventsElsewhere(t *testing.T) {
	address := postgres.Address(t)
	var list []*env
	fs := blobtest.NewMemFS()
	for range 2 {
		e := &env{t: t, fs: fs, db: openPostgres(t, address)}
		blobs, err := blob.Open("/data", blob.Options{FS: fs})
		wantErr(t, err, nil)
		e.Store, err = Open(ctx, Options{DB: e.db, Blobs: blobs, Keys: testKeys, Shared: true})
		wantErr(t, err, nil)
		t.Cleanup(func() { e.Close() })
		list = append(list, e)
	}
	a, b := list[0], list[1]
	wantErr(t, a.CreateBucket(ctx, Bucket{Name: "b", Owner: "me"}), nil)
	l := listen(t, b)
	a.put("k", data(5, 1))
	_, err := a.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: strings.NewReader(""), Cond: Conditions{IfNoneMatch: []string{"*"}}})
	wantErr(t, err, ErrPrecondition)
	a.delete("k")
	b.put("own", data(6, 1))
	if got, want := received(l, 3), "ObjectCreated:Put k 5, ObjectRemoved:Delete k 5, ObjectCreated:Put own 6"; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
}

// listen waits for the connection that events come over.
func listen(t *testing.T, e *env) *Listener {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		l, err := e.Listen(ctx, "b", 100)
		if err == nil {
			t.Cleanup(l.Close)
			return l
		}
		if !errors.Is(err, ErrUnavailable) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestOneLeads also when the one that led is dead.
func TestOneLeads(t *testing.T) {
	list := openShared(t, 3)
	beats(t, list...)
	leader := func() (at int) {
		at = -1
		for i, e := range list {
			if e.Leads() {
				if at >= 0 {
					t.Error("two lead")
				}
				at = i
			}
			if n := e.Members(); n != len(list) {
				t.Errorf("%d members, want %d", n, len(list))
			}
		}
		return at
	}
	if leader() != 0 {
		t.Error("not the first one leads")
	}
	list = list[1:]
	for range deadAfter + 1 {
		beats(t, list...)
	}
	if leader() != 0 {
		t.Error("nobody has followed")
	}
}
