package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"pail/server/internal/meta/memdb"
)

// model draws operations on a few keys, does them on a store, and keeps what each key must hold.
type model struct {
	e    *env
	want state
}

func (m *model) key(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "d/", "d/1", "d/2", "e/1"}).Draw(t, "key")
}

func (m *model) bytes(t *rapid.T) []byte {
	n := rapid.SampledFrom([]int{0, 10, testInline + 1, 12_000}).Draw(t, "size")
	return data(n, rapid.Byte().Draw(t, "seed"))
}

func (m *model) put(t *rapid.T) {
	k, p := m.key(t), m.bytes(t)
	m.e.put(k, p)
	m.want[k] = p
}

func (m *model) delete(t *rapid.T) {
	k := m.key(t)
	m.e.delete(k)
	delete(m.want, k)
}

func (m *model) deleteDirectory(t *rapid.T) {
	dir := rapid.SampledFrom([]string{"d/", "e/"}).Draw(t, "dir")
	_, err := m.e.DeleteDirectory(ctx, "b", DeleteInput{Key: dir})
	marker, found := m.want[dir]
	full := len(marker) > 0
	for k := range m.want {
		full = full || strings.HasPrefix(k, dir) && k != dir
	}
	switch {
	case full && errors.Is(err, ErrDirectoryNotEmpty), !full && !found && errors.Is(err, ErrNoSuchKey):
	case !full && found && err == nil:
		delete(m.want, dir)
	default:
		t.Fatalf("deletion of directory %q: %v; %s", dir, err, m.want)
	}
}

func (m *model) copy(t *rapid.T) {
	src, dst := m.key(t), m.key(t)
	in := CopyInput{SrcBucket: "b", SrcKey: src, DstBucket: "b", DstKey: dst, Replace: &Attrs{}}
	_, err := m.e.CopyObject(ctx, in)
	if p, ok := m.want[src]; ok && err == nil {
		m.want[dst] = p
	} else if ok || !errors.Is(err, ErrNoSuchKey) {
		t.Fatalf("copy of %q (there: %v) to %q: %v", src, ok, dst, err)
	}
}

func (m *model) rename(t *rapid.T) {
	src, dst := m.key(t), m.key(t)
	err := m.e.RenameObject(ctx, RenameInput{Bucket: "b", Src: src, Dst: dst})
	p, ok := m.want[src]
	switch {
	case strings.HasSuffix(src, "/") != strings.HasSuffix(dst, "/"):
		if !errors.Is(err, ErrInvalidRename) {
			t.Fatalf("rename of %q to %q: %v", src, dst, err)
		}
	case strings.HasSuffix(src, "/"): // onto itself
	case ok && err == nil:
		delete(m.want, src)
		m.want[dst] = p
	case ok || !errors.Is(err, ErrNoSuchKey):
		t.Fatalf("rename of %q (there: %v) to %q: %v", src, ok, dst, err)
	}
}

func (m *model) renamePrefix(t *rapid.T) {
	dirs := rapid.Permutation([]string{"d/", "e/"}).Draw(t, "dirs")
	src, dst := dirs[0], dirs[1]
	err := m.e.RenameObject(ctx, RenameInput{Bucket: "b", Src: src, Dst: dst})
	next, found, taken := state{}, false, false
	for k, v := range m.want {
		if rest, ok := strings.CutPrefix(k, src); ok {
			next[dst+rest], found = v, true
			continue
		}
		taken = taken || strings.HasPrefix(k, dst) && k != dst
		if next[k] == nil {
			next[k] = v
		}
	}
	if v, ok := m.want[src]; ok { // its marker wins
		next[dst] = v
	}
	switch {
	case !found && errors.Is(err, ErrNoSuchKey), found && taken && errors.Is(err, ErrRenameNotEmpty):
	case found && !taken && err == nil:
		m.want = next
	default:
		t.Fatalf("rename of %q to %q: %v; %s", src, dst, err, m.want)
	}
}

func (m *model) multipart(t *rapid.T) {
	k := m.key(t)
	id := m.e.upload(k, "", "")
	var parts []CompletedPart
	var all []byte
	for n := range rapid.IntRange(1, 3).Draw(t, "parts") {
		p := append(m.bytes(t), data(5000, 1)...)
		if src := m.key(t); len(m.want[src]) > 5000 {
			off := rapid.IntRange(0, len(m.want[src])-5000).Draw(t, "off")
			length := rapid.IntRange(5000, len(m.want[src])-off).Draw(t, "len")
			p = m.want[src][off : off+length]
			parts = append(parts, m.e.copyPart(k, id, n+1, src, int64(off), int64(length)))
		} else {
			parts = append(parts, m.e.part(k, id, n+1, p))
		}
		if rapid.IntRange(0, 4).Draw(t, "resend") == 0 {
			parts[len(parts)-1] = m.e.part(k, id, n+1, p)
		}
		all = append(all, p...)
	}
	if rapid.IntRange(0, 4).Draw(t, "abort") == 0 {
		if err := m.e.AbortUpload(ctx, "b", k, id); err != nil {
			t.Fatal(err)
		}
		return
	}
	m.e.complete(k, id, parts...)
	m.want[k] = all
}

func (m *model) patch(t *rapid.T) {
	k := m.key(t)
	o, err := m.e.HeadObject(ctx, "b", k, ReadInput{})
	if err != nil {
		return
	}
	c := drawEdit(t, len(m.want[k]))
	if _, err := m.e.PatchObject(ctx, c.input(k, o.ETag)); err != nil {
		t.Fatal(err)
	}
	m.want[k] = c.apply(m.want[k])
}

func (m *model) verify(t *rapid.T) {
	var keys []string
	for k, p := range m.want {
		keys = append(keys, k)
		if got := m.e.get(k); !bytes.Equal(got, p) {
			t.Fatalf("%q holds %d bytes, want %d", k, len(got), len(p))
		}
	}
	slices.Sort(keys)
	if got := m.e.keys("b"); got != strings.Join(keys, " ") {
		t.Fatalf("keys %s, want %s", got, keys)
	}
	r, err := m.e.Check(ctx, CheckOptions{})
	if err != nil || len(r.Problems) > 0 || r.Orphans > 0 || r.Blobs != len(m.e.fs.Files()) {
		t.Fatalf("Check: %+v, %v", r, err)
	}
}

// TestReferencesAgreeWithAModel: whatever is copied, renamed, cut out, replaced and deleted, each object holds its bytes,
// and each blob is there exactly as long as something refers to it.
func TestReferencesAgreeWithAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{e: newEnv(t, memdb.New()), want: state{}}
		if rapid.Bool().Draw(rt, "encrypted") {
			m.e.encryption = func() []byte {
				return rapid.SampledFrom([][]byte{nil, withMaster(), withDefaultKey()}).Draw(rt, "encryption")
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "delete": m.delete, "deleteDirectory": m.deleteDirectory, "copy": m.copy, "rename": m.rename, "renamePrefix": m.renamePrefix,
			"multipart": m.multipart, "patch": m.patch, "patch again": m.patch, "": m.verify,
		})
		m.e.Close()
	})
}

// TestConcurrentClients: clients work on the same keys at once. Each read gives some version whole, and at the end all
// agrees.
func TestConcurrentClients(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				for i := range 40 {
					k := fmt.Sprint("k", (w+i)%3)
					if err := oneOf(e, w, i, k); err != nil && !errors.Is(err, ErrNoSuchKey) {
						t.Errorf("client %d, step %d: %v", w, i, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func oneOf(e *env, w, i int, k string) error {
	switch (w + i) % 7 {
	case 0, 1:
		p := data([]int{100, 5000, 150_000}[i%3], byte(w))
		_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: k, Body: bytes.NewReader(p), Size: int64(len(p))})
		return err
	case 2:
		_, err := e.DeleteObject(ctx, "b", k, DeleteInput{})
		return err
	case 3:
		_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: k, DstBucket: "b", DstKey: "k9", Replace: &Attrs{}})
		return err
	case 4:
		return e.RenameObject(ctx, RenameInput{Bucket: "b", Src: k, Dst: "k1"})
	case 5:
		o, err := e.HeadObject(ctx, "b", k, ReadInput{})
		if err != nil {
			return err
		}
		_, err = e.PatchObject(ctx, overwrite(int(o.Size), o.Size/2, data(3000, byte(w))).input(k, o.ETag))
		if errors.Is(err, ErrPrecondition) || errors.Is(err, ErrConditionalConflict) {
			err = nil
		}
		return err
	}
	r, err := e.GetObject(ctx, "b", k, ReadInput{})
	if err != nil {
		return err
	}
	defer r.Close()
	var out bytes.Buffer
	if _, err := r.CopyRange(&out, 0, r.Object.Size); err != nil {
		return err
	}
	if r.Object.PartCount == 0 && md5hex(out.Bytes()) != r.Object.ETag {
		return errors.New("the bytes are not those of the ETag")
	}
	return nil
}

// TestOnlyOneCreates: of many conditional creations of one key, one succeeds.
func TestOnlyOneCreates(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		var wg sync.WaitGroup
		won := make(chan int, 10)
		for w := range 10 {
			wg.Go(func() {
				p := data(3000+w, 1)
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(p), Size: int64(len(p)),
					Cond: Conditions{IfNoneMatch: anything}})
				if err == nil {
					won <- w
				} else if !errors.Is(err, ErrPrecondition) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d clients created the key", len(won))
		}
		e.has("k", data(3000+<-won, 1))
	})
}
