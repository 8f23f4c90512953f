package store

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pail/server/internal/meta/memdb"
)

// keptVersion is a version as the model knows it.
type keptVersion struct {
	id     string // "" for the null version
	marker bool
	data   []byte
}

func (v keptVersion) text() string {
	if v.id == "" {
		return NullVersion
	}
	return v.id
}

// versionModel does operations on a bucket, and keeps what its versions must be, newest first.
type versionModel struct {
	e     *env
	state Versioning
	keys  map[string][]keptVersion
}

func (m *versionModel) key(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "a\x00", "d/", "d/1", "d/2", "e/1"}).Draw(t, "key")
}

// add is what a write must do.
func (m *versionModel) add(key string, v keptVersion) {
	list := m.keys[key]
	if m.state != Enabled {
		v.id = ""
		list = slices.DeleteFunc(slices.Clone(list), func(o keptVersion) bool { return o.id == "" })
	}
	m.keys[key] = append([]keptVersion{v}, list...)
}

// current is the object, nil when there is none.
func (m *versionModel) current(key string) *keptVersion {
	if list := m.keys[key]; len(list) > 0 && !list[0].marker {
		return &list[0]
	}
	return nil
}

func (m *versionModel) checkID(t *rapid.T, id string) {
	if m.state == Enabled && (len(id) != 32 || id == NullVersion) || m.state == Suspended && id != NullVersion || m.state == Unversioned && id != "" {
		t.Fatalf("in state %q a new version is %q", m.state, id)
	}
}

func (m *versionModel) put(t *rapid.T) {
	key := m.key(t)
	p := data(rapid.SampledFrom([]int{0, 10, testInline + 1}).Draw(t, "size"), rapid.Byte().Draw(t, "seed"))
	o := m.e.put(key, p)
	m.checkID(t, o.VersionID)
	m.add(key, keptVersion{id: o.VersionID, data: p})
	if rapid.IntRange(0, 3).Draw(t, "tick") == 0 {
		m.e.clock.Add(int64(rapid.IntRange(-3, 3).Draw(t, "seconds")))
	}
}

func (m *versionModel) complete(t *rapid.T) {
	key, p := m.key(t), data(6000, rapid.Byte().Draw(t, "seed"))
	id := m.e.upload(key, "", "")
	in := CompleteInput{Bucket: "b", Key: key, UploadID: id, Parts: []CompletedPart{m.e.part(key, id, 3, p)}}
	o, err := m.e.CompleteUpload(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	m.checkID(t, o.VersionID)
	m.add(key, keptVersion{id: o.VersionID, data: p})
	if again, err := m.e.CompleteUpload(ctx, in); err != nil || again.VersionID != o.VersionID {
		t.Fatalf("completed again: version %q, %v, want %q", again.VersionID, err, o.VersionID)
	}
}

func (m *versionModel) patch(t *rapid.T) {
	key := m.key(t)
	old := m.current(key)
	if old == nil {
		return
	}
	o, err := m.e.HeadObject(ctx, "b", key, ReadInput{})
	if err != nil {
		t.Fatal(err)
	}
	c := drawEdit(t, len(old.data))
	p := c.apply(old.data)
	if o, err = m.e.PatchObject(ctx, c.input(key, o.ETag)); err != nil {
		t.Fatal(err)
	}
	m.checkID(t, o.VersionID)
	m.add(key, keptVersion{id: o.VersionID, data: p})
}

func (m *versionModel) delete(t *rapid.T) {
	key := m.key(t)
	res, err := m.e.DeleteObject(ctx, "b", key, DeleteInput{})
	if err != nil {
		t.Fatal(err)
	}
	m.checkID(t, res.MarkerVersionID)
	if m.state == Unversioned {
		delete(m.keys, key)
		return
	}
	m.add(key, keptVersion{id: res.MarkerVersionID, marker: true})
}

func (m *versionModel) deleteVersion(t *rapid.T) {
	key := m.key(t)
	list := m.keys[key]
	if len(list) == 0 {
		return
	}
	i := rapid.IntRange(0, len(list)-1).Draw(t, "version")
	res, err := m.e.DeleteObjects(ctx, "b", []DeleteInput{{Key: key, VersionID: list[i].text()}})
	if err != nil || res[0].Err != nil || res[0].DeleteMarker != list[i].marker {
		t.Fatalf("removal of %q version %s: %+v, %v", key, list[i].text(), res, err)
	}
	m.keys[key] = slices.Delete(slices.Clone(list), i, i+1)
}

func (m *versionModel) copy(t *rapid.T) {
	src, dst := m.key(t), m.key(t)
	in := CopyInput{SrcBucket: "b", SrcKey: src, DstBucket: "b", DstKey: dst, Replace: &Attrs{}}
	var want *keptVersion
	if list := m.keys[src]; len(list) > 0 && rapid.Bool().Draw(t, "old") {
		want = &list[rapid.IntRange(0, len(list)-1).Draw(t, "version")]
		in.SrcVersionID = want.text()
	} else {
		want = m.current(src)
	}
	o, err := m.e.CopyObject(ctx, in)
	switch {
	case want == nil && errors.Is(err, ErrNoSuchKey), want != nil && want.marker && errors.Is(err, ErrDeleteMarker):
	case err != nil || want == nil || want.marker:
		t.Fatalf("copy of %q version %q: %v", src, in.SrcVersionID, err)
	default:
		m.add(dst, keptVersion{id: o.VersionID, data: want.data})
	}
}

func (m *versionModel) deleteDirectory(t *rapid.T) {
	res, err := m.e.DeleteDirectory(ctx, "b", DeleteInput{Key: "d/"})
	own := m.current("d/")
	full := m.current("d/1") != nil || m.current("d/2") != nil || own != nil && len(own.data) > 0
	switch {
	case full && errors.Is(err, ErrDirectoryNotEmpty), !full && own == nil && errors.Is(err, ErrNoSuchKey):
	case err != nil || full || own == nil:
		t.Fatalf("deletion of a directory (full: %v, there: %v): %v", full, own != nil, err)
	case m.state == Unversioned:
		delete(m.keys, "d/")
	default:
		m.add("d/", keptVersion{id: res.MarkerVersionID, marker: true})
	}
}

func (m *versionModel) rename(t *rapid.T) {
	src, dst := m.key(t), m.key(t)
	if strings.HasSuffix(src, "/") || strings.HasSuffix(dst, "/") || src == dst {
		return
	}
	want := m.current(src)
	err := m.e.RenameObject(ctx, RenameInput{Bucket: "b", Src: src, Dst: dst})
	if want == nil && errors.Is(err, ErrNoSuchKey) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.moved(t, src, dst, *want)
}

// moved is what a rename must do; the IDs are the store's.
func (m *versionModel) moved(t *rapid.T, src, dst string, v keptVersion) {
	if m.state == Unversioned {
		delete(m.keys, src)
		m.add(dst, keptVersion{data: v.data})
		return
	}
	o, err := m.e.HeadObject(ctx, "b", dst, ReadInput{})
	if err != nil {
		t.Fatal(err)
	}
	m.add(dst, keptVersion{id: o.VersionID, data: v.data})
	_, err = m.e.HeadObject(ctx, "b", src, ReadInput{})
	var marker *MarkerError
	if !errors.As(err, &marker) || !errors.Is(err, ErrNoSuchKey) {
		t.Fatalf("%q after its rename: %v", src, err)
	}
	m.add(src, keptVersion{id: marker.VersionID, marker: true})
}

func (m *versionModel) renamePrefix(t *rapid.T) {
	err := m.e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "d/", Dst: "f/"})
	found := false
	for _, key := range []string{"d/", "d/1", "d/2"} {
		found = found || m.current(key) != nil
	}
	taken := m.current("f/1") != nil || m.current("f/2") != nil
	switch {
	case !found && errors.Is(err, ErrNoSuchKey), found && taken && errors.Is(err, ErrRenameNotEmpty):
		return
	case err != nil || !found || taken:
		t.Fatalf("rename of a prefix (there: %v, taken: %v): %v", found, taken, err)
	}
	for _, rest := range []string{"", "1", "2"} {
		if v := m.current("d/" + rest); v != nil {
			m.moved(t, "d/"+rest, "f/"+rest, *v)
		}
	}
}

func (m *versionModel) setState(t *rapid.T) {
	s := rapid.SampledFrom([]Versioning{Enabled, Enabled, Suspended}).Draw(t, "state")
	if err := m.e.SetVersioning(ctx, "b", s); err != nil {
		t.Fatal(err)
	}
	m.state = s
}

// check compares all versions, in pages, and the bytes of each, with the model.
func (m *versionModel) check(t *rapid.T) {
	var got, want []string
	add := func(list *[]string, key, id string, marker, latest bool) {
		s := key + " " + id
		if marker {
			s += " marker"
		}
		if latest {
			s += " latest"
		}
		*list = append(*list, s)
	}
	for _, key := range []string{"a", "a\x00", "d/", "d/1", "d/2", "e/1", "f/", "f/1", "f/2"} {
		for i, v := range m.keys[key] {
			add(&want, key, v.text(), v.marker, i == 0)
			m.checkVersion(t, key, v)
		}
		p := m.e.get(key)
		if v := m.current(key); (p == nil) != (v == nil) || v != nil && !bytes.Equal(p, v.data) {
			t.Fatalf("%q holds %d bytes", key, len(p))
		}
	}
	q := VersionsQuery{Max: rapid.IntRange(1, 5).Draw(t, "page")}
	for {
		page, err := m.e.ListVersions(ctx, "b", q)
		if err != nil || len(page.Versions) > q.Max || page.Truncated && len(page.Versions) < q.Max {
			t.Fatalf("a page has %d versions of %d: %v", len(page.Versions), q.Max, err)
		}
		for _, o := range page.Versions {
			add(&got, o.Key, o.VersionID, o.DeleteMarker, o.Latest)
		}
		if !page.Truncated {
			break
		}
		q.KeyMarker, q.VersionIDMarker = page.NextKeyMarker, page.NextVersionIDMarker
	}
	if !slices.Equal(got, want) {
		t.Fatalf("versions are\n%q, want\n%q", got, want)
	}
	m.e.check()
}

func (m *versionModel) checkVersion(t *rapid.T, key string, v keptVersion) {
	r, err := m.e.GetObject(ctx, "b", key, ReadInput{VersionID: v.text()})
	if v.marker {
		var marker *MarkerError
		if !errors.As(err, &marker) || !errors.Is(err, ErrDeleteMarker) || errors.Is(err, ErrNoSuchKey) || marker.VersionID != v.text() {
			t.Fatalf("%q delete marker %s: %v", key, v.text(), err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q version %s: %v", key, v.text(), err)
	}
	defer r.Close()
	var out bytes.Buffer
	if _, err := r.CopyRange(&out, 0, r.Object.Size); err != nil || !bytes.Equal(out.Bytes(), v.data) {
		t.Fatalf("%q version %s has %d bytes, %v", key, v.text(), out.Len(), err)
	}
	if want := v.text(); r.Object.VersionID != want && m.state != Unversioned {
		t.Fatalf("%q version %s calls itself %q", key, want, r.Object.VersionID)
	}
}

// TestVersionsModel compares a bucket that goes through all states of versioning with a model of S3's versions.
func TestVersionsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &versionModel{e: newEnv(t, memdb.New()), keys: map[string][]keptVersion{}}
		if rapid.Bool().Draw(rt, "encrypted") {
			m.e.encryption = withMaster
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "complete": m.complete, "patch": m.patch, "delete": m.delete, "deleteVersion": m.deleteVersion, "copy": m.copy,
			"deleteDirectory": m.deleteDirectory, "rename": m.rename, "renamePrefix": m.renamePrefix, "state": m.setState, "": m.check,
		})
	})
}
