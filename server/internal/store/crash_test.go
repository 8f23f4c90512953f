package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/server/internal/blob/blobtest"
	"pail/server/internal/meta/pebbledb/pebbletest"
)

// state is what a worker's objects hold, by key.
type state map[string][]byte

// worker runs random operations on keys of its own, one at a time, and keeps what was acknowledged.
type worker struct {
	name string
	s    subject
	rnd  *rand.Rand
	mu   *sync.Mutex // of the harness: held to begin and to acknowledge an operation, and over a power cut

	suspends bool // it turns versioning on and off

	// Guarded by mu.
	acked   state
	kept    map[string][]byte         // acknowledged versions, by key and ID
	pending state                     // the effect of the operation that runs; a nil value is a deletion
	uploads map[string]map[int]string // acknowledged parts, by upload
}

// run does one operation, whose effect on success is given.
func (w *worker) run(effect state, op func() error) error {
	w.mu.Lock()
	w.pending = effect
	w.mu.Unlock()
	err := op()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.acked = w.acked.with(effect)
	}
	w.pending = nil
	return err
}

func (s state) with(effect state) state {
	next := maps.Clone(s)
	for k, v := range effect {
		if v == nil {
			delete(next, k)
		} else {
			next[k] = v
		}
	}
	return next
}

func (w *worker) key() string {
	return fmt.Sprintf("%s/%c/%d", w.name, "xy"[w.rnd.IntN(2)], w.rnd.IntN(4))
}

func (w *worker) bytes() []byte {
	p := make([]byte, []int{0, 10, testInline, testInline + 1, 9000, 30_000}[w.rnd.IntN(6)]+w.rnd.IntN(3))
	for i := range p {
		p[i] = byte(w.rnd.Uint32())
	}
	return p
}

// step does a random operation. An error is one that should not be.
func (w *worker) step() error {
	if w.kept != nil && w.rnd.IntN(8) == 0 {
		return w.removeVersion()
	}
	if w.suspends && w.rnd.IntN(6) == 0 {
		return w.s.SetVersioning(ctx, "b", []Versioning{Enabled, Suspended}[w.rnd.IntN(2)])
	}
	switch w.rnd.IntN(12) {
	case 0, 1, 2, 3:
		return w.put()
	case 4:
		if w.rnd.IntN(2) == 0 {
			return w.deleteDirectory()
		}
		return w.delete()
	case 5, 6:
		return w.copyOrRename()
	case 7:
		return w.renamePrefix()
	case 8, 9:
		return w.patch()
	default:
		return w.multipart()
	}
}

func (w *worker) put() error {
	key, p := w.key(), w.bytes()
	return w.run(state{key: p}, func() error {
		o, err := w.s.PutObject(ctx, PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(p), Size: int64(len(p))})
		if err == nil {
			w.keep(o, p)
		}
		return err
	})
}

// keep notes that a version was acknowledged. A null version may be replaced.
func (w *worker) keep(o Object, p []byte) {
	if o.VersionID == "" || o.VersionID == NullVersion {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = maps.Clone(w.kept)
	if w.kept == nil {
		w.kept = map[string][]byte{}
	}
	w.kept[o.Key+" "+o.VersionID] = p
}

// removeVersion removes one of the versions that were kept, unless it is the current one.
func (w *worker) removeVersion() error {
	for at := range w.kept {
		key, id, _ := strings.Cut(at, " ")
		o, err := w.s.HeadObject(ctx, "b", key, ReadInput{})
		if err == nil && o.VersionID == id || err != nil && !errors.Is(err, ErrNoSuchKey) {
			return err
		}
		w.mu.Lock()
		w.kept = maps.Clone(w.kept)
		delete(w.kept, at)
		w.mu.Unlock()
		_, err = w.s.DeleteObject(ctx, "b", key, DeleteInput{VersionID: id})
		return err
	}
	return w.put()
}

func verifyVersions(t *testing.T, s *Store, w worker) {
	for at, want := range w.kept {
		key, id, _ := strings.Cut(at, " ")
		r, err := s.GetObject(ctx, "b", key, ReadInput{VersionID: id})
		if err != nil {
			t.Errorf("%s: version %s is gone after a power cut: %v", key, id, err)
			continue
		}
		var out bytes.Buffer
		if _, err := r.CopyRange(&out, 0, r.Object.Size); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s: version %s has %d bytes of %d, %v", key, id, out.Len(), len(want), err)
		}
		r.Close()
	}
}

func (w *worker) delete() error {
	a, b := w.key(), w.key()
	return w.run(state{a: nil, b: nil}, func() error {
		_, err := w.s.DeleteObjects(ctx, "b", []DeleteInput{{Key: a}, {Key: b}})
		return err
	})
}

// deleteDirectory makes a directory and deletes it, in which the other keys are in the way of its own.
func (w *worker) deleteDirectory() error {
	dir := w.name + "/x/"
	full := false
	for k := range w.acked {
		full = full || strings.HasPrefix(k, dir) && k != dir
	}
	if full {
		_, err := w.s.DeleteDirectory(ctx, "b", DeleteInput{Key: dir})
		if errors.Is(err, ErrDirectoryNotEmpty) {
			return nil
		}
		return fmt.Errorf("deletion of a directory with entries: %w", err)
	}
	if _, there := w.acked[dir]; !there {
		return w.run(state{dir: []byte{}}, func() error {
			_, err := w.s.PutObject(ctx, PutInput{Bucket: "b", Key: dir, Body: strings.NewReader("")})
			return err
		})
	}
	return w.run(state{dir: nil}, func() error {
		_, err := w.s.DeleteDirectory(ctx, "b", DeleteInput{Key: dir})
		return err
	})
}

func (w *worker) copyOrRename() error {
	src, dst := w.key(), w.key()
	p, ok := w.acked[src]
	if !ok || src == dst {
		return w.put()
	}
	if w.rnd.IntN(2) == 0 {
		return w.run(state{dst: p}, func() error {
			_, err := w.s.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: src, DstBucket: "b", DstKey: dst})
			return err
		})
	}
	return w.run(state{dst: p, src: nil}, func() error {
		return w.s.RenameObject(ctx, RenameInput{Bucket: "b", Src: src, Dst: dst})
	})
}

func (w *worker) renamePrefix() error {
	src, dst := w.name+"/x/", w.name+"/y/"
	effect := state{}
	for k, v := range w.acked {
		if strings.HasPrefix(k, dst) {
			return w.run(state{k: nil}, func() error {
				_, err := w.s.DeleteObject(ctx, "b", k, DeleteInput{})
				return err
			})
		}
		if rest, ok := strings.CutPrefix(k, src); ok {
			effect[k], effect[dst+rest] = nil, v
		}
	}
	if len(effect) == 0 {
		return nil
	}
	return w.run(effect, func() error {
		return w.s.RenameObject(ctx, RenameInput{Bucket: "b", Src: src, Dst: dst})
	})
}

// multipart makes an object of a part of new bytes and a range of an old object, or gives up half-way.
func (w *worker) multipart() error {
	key, src, p := w.key(), w.key(), w.bytes()
	p = append(p, make([]byte, 5000)...)
	id, err := w.s.CreateUpload(ctx, UploadInput{Bucket: "b", Key: key})
	if err != nil {
		return err
	}
	parts := []CompletedPart{}
	info, err := w.s.PutPart(ctx, PartInput{Bucket: "b", Key: key, UploadID: id, N: 1, Body: bytes.NewReader(p), Size: -1})
	if err != nil {
		return err
	}
	parts = append(parts, CompletedPart{N: 1, ETag: info.ETag})
	w.ackPart(id, info)
	if old := w.acked[src]; len(old) > 10 {
		info, _, err := w.s.CopyPart(ctx, CopyPartInput{Bucket: "b", Key: key, UploadID: id, N: 7, SrcBucket: "b", SrcKey: src,
			Off: 5, Len: int64(len(old) - 10)})
		if err != nil {
			return err
		}
		parts = append(parts, CompletedPart{N: 7, ETag: info.ETag})
		w.ackPart(id, info)
		p = append(p, old[5:len(old)-5]...)
	}
	switch w.rnd.IntN(5) {
	case 0:
		return nil
	case 1:
		w.end(id)
		return w.s.AbortUpload(ctx, "b", key, id)
	}
	w.end(id)
	return w.run(state{key: p}, func() error {
		_, err := w.s.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: key, UploadID: id, Parts: parts})
		return err
	})
}

// patch overwrites a range of an object, or a piece that reaches beyond its end, or cuts it.
func (w *worker) patch() error {
	key := w.key()
	old, ok := w.acked[key]
	if !ok {
		return w.put()
	}
	o, err := w.s.HeadObject(ctx, "b", key, ReadInput{})
	if err != nil {
		return err
	}
	c := overwrite(len(old), w.rnd.Int64N(o.Size+1), append(w.bytes(), 7))
	if w.rnd.IntN(4) == 0 {
		c = edit{size: w.rnd.Int64N(o.Size + 1)}
	}
	p := c.apply(old)
	return w.run(state{key: p}, func() error {
		o, err := w.s.PatchObject(ctx, c.input(key, o.ETag))
		if err == nil {
			w.keep(o, p)
		}
		return err
	})
}

func (w *worker) ackPart(id string, info PartInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	parts := maps.Clone(w.uploads[id])
	if parts == nil {
		parts = map[int]string{}
	}
	parts[info.N] = info.ETag
	w.uploads[id] = parts
}

// end forgets the upload: from now on it may be there or not.
func (w *worker) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.uploads, id)
}

// cut is a power cut: the disks after it, and what each worker had been told before it.
type cut struct {
	meta    *pebbletest.Disk
	data    *blobtest.MemFS
	workers []worker
}

// TestPowerLossAtAnyMoment cuts the power at random operations of either disk, while several clients work. After each
// cut the store must open, hold exactly what was acknowledged (and of the operations that ran, all or nothing), and
// agree with itself, down to each byte and reference.
func TestPowerLossAtAnyMoment(t *testing.T) { losePower(t, 900, Unversioned) }

// TestPowerLossWithVersions is the same in a bucket with versions: none that was acknowledged may be lost, or come back.
func TestPowerLossWithVersions(t *testing.T) { losePower(t, 600, Enabled) }

// TestPowerLossWithVersionsSuspended is the same where versioning is turned on and off all the time, so that null versions
// replace each other and stand among others.
func TestPowerLossWithVersionsSuspended(t *testing.T) { losePower(t, 600, Suspended) }

func losePower(t *testing.T, cuts int, versioning Versioning) {
	const workers, steps = 3, 210
	if testing.Short() || raced {
		cuts /= 8
	}
	h := &harness{t: t, rnd: rand.New(rand.NewPCG(11, 12)), left: cuts, cuts: make(chan cut, 4)}
	h.meta = pebbletest.NewDisk(h.maybeCut)
	h.data = blobtest.NewMemFS()
	h.data.Hook = func(string, string) error { h.maybeCut(); return nil }
	db, err := h.meta.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := openStore(t, db, h.data, time.Now)
	if err := s.CreateBucket(ctx, Bucket{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	if versioning != Unversioned {
		if err := s.SetVersioning(ctx, "b", versioning); err != nil {
			t.Fatal(err)
		}
	}
	for i := range workers {
		rnd := rand.New(rand.NewPCG(uint64(i), 5))
		some := func() []byte { return [][]byte{nil, withMaster(), withDefaultKey()}[rnd.IntN(3)] }
		h.workers = append(h.workers, &worker{name: fmt.Sprint("w", i), s: subject{s, some}, rnd: rnd,
			mu: &h.mu, acked: state{}, uploads: map[string]map[int]string{}, suspends: versioning == Suspended && i == 0})
	}
	var verifying sync.WaitGroup
	checked := 0
	verifying.Go(func() {
		for c := range h.cuts {
			verifyCut(t, c)
			checked++
		}
	})
	h.start()
	var working sync.WaitGroup
	for _, w := range h.workers {
		working.Go(func() {
			for range steps {
				if err := w.step(); err != nil {
					t.Errorf("%s: %v", w.name, err)
					return
				}
			}
		})
	}
	working.Wait()
	h.stop()
	verifying.Wait()
	t.Logf("%d power cuts", checked)
	if checked < cuts/2 {
		t.Errorf("only %d power cuts", checked)
	}
}

type harness struct {
	t    *testing.T
	meta *pebbletest.Disk
	data *blobtest.MemFS

	mu      sync.Mutex // guards what follows, and the workers
	workers []*worker
	rnd     *rand.Rand
	on      bool
	left    int
	cuts    chan cut
}

func (h *harness) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on = true
}

func (h *harness) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on = false
	close(h.cuts)
}

// maybeCut is called before each operation of a disk. No worker begins or acknowledges anything while it cuts.
func (h *harness) maybeCut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on || h.left == 0 || h.rnd.IntN(5) != 0 {
		return
	}
	h.left--
	var c cut
	percent := []int{0, 100, 50, h.rnd.IntN(101)}[h.rnd.IntN(4)]
	c.data = h.data.Crash(h.rnd, percent, func() { c.meta = h.meta.Crash(h.rnd, percent) })
	for _, w := range h.workers {
		c.workers = append(c.workers, worker{name: w.name, acked: w.acked, pending: w.pending, kept: w.kept, uploads: maps.Clone(w.uploads)})
	}
	h.cuts <- c
}

func verifyCut(t *testing.T, c cut) {
	db, err := c.meta.Open()
	if err != nil {
		t.Errorf("metadata after a power cut: %v", err)
		return
	}
	defer db.Close()
	s := openStore(t, db, c.data, time.Now)
	defer s.Close()
	s.background.Wait()
	r, err := s.Check(ctx, CheckOptions{Bytes: true})
	if err != nil || r.Orphans > 0 {
		t.Errorf("Check after a power cut: %v, %d orphans after the sweep", err, r.Orphans)
	}
	for _, p := range r.Problems {
		t.Errorf("Check after a power cut: %v", p)
	}
	for _, w := range c.workers {
		got := contents(t, s, w.name+"/")
		if !equal(got, w.acked) && !equal(got, w.acked.with(w.pending)) {
			t.Errorf("%s: after a power cut it is neither before nor after an operation\nis     %s\nbefore %s\neffect %s", w.name, got,
				w.acked, w.pending)
		}
		verifyUploads(t, s, w)
		verifyVersions(t, s, w)
	}
}

func verifyUploads(t *testing.T, s *Store, w worker) {
	page, err := s.ListUploads(ctx, "b", UploadsQuery{Prefix: w.name + "/", Max: 10_000})
	if err != nil {
		t.Error(err)
	}
	keys := map[string]string{}
	for _, u := range page.Uploads {
		keys[u.ID] = u.Key
	}
	for id, parts := range w.uploads {
		list, err := s.ListParts(ctx, PartsQuery{Bucket: "b", Key: keys[id], UploadID: id, Max: MaxParts})
		if err != nil {
			t.Errorf("%s: upload %s after a power cut: %v", w.name, id, err)
		}
		for _, p := range list.Parts {
			if parts[p.N] == p.ETag {
				delete(parts, p.N)
			}
		}
		if len(parts) > 0 {
			t.Errorf("%s: acknowledged parts are gone after a power cut: %v", w.name, parts)
		}
	}
}

// contents reads all objects below a prefix.
func contents(t *testing.T, s *Store, prefix string) state {
	page, err := s.ListObjects(ctx, "b", ListQuery{Prefix: prefix, Max: 1000})
	if err != nil {
		if !errors.Is(err, ErrNoSuchBucket) {
			t.Error(err)
		}
		return nil
	}
	got := state{}
	for _, o := range page.Objects {
		p, err := read(s, "b", o.Key)
		if err != nil || int64(len(p)) != o.Size {
			t.Errorf("%s: %d bytes of %d, %v", o.Key, len(p), o.Size, err)
		}
		got[o.Key] = p
	}
	return got
}

func equal(a, b state) bool {
	return maps.EqualFunc(a, b, bytes.Equal)
}

func (s state) String() string {
	var list []string
	for k, v := range s {
		if v == nil {
			list = append(list, k+"=deleted")
		} else {
			list = append(list, fmt.Sprintf("%s=%d:%.6s", k, len(v), md5hex(v)))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
