package volume_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// done is a client that calls hook when the service has done a request, before the answer arrives.
type done struct {
	s3client.Client
	hook func(op, key string)
}

// hooked mounts through d.
func hooked(d *done) setup {
	return func(o *volume.Options, _ *upload.Options) {
		d.Client = o.Client
		o.Client = d
	}
}

func (d *done) call(op, key string) {
	if d.hook != nil {
		d.hook(op, key)
	}
}

func (d *done) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	info, err := d.Client.Head(ctx, key)
	d.call(s3client.OpHead, key)
	return info, err
}

func (d *done) Put(ctx context.Context, key string, r io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	info, err := d.Client.Put(ctx, key, r, opt)
	d.call(s3client.OpPut, key)
	return info, err
}

func (d *done) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	info, err := d.Client.Copy(ctx, dst, src, opt)
	d.call(s3client.OpCopy, dst)
	return info, err
}

func (d *done) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	err := d.Client.Rename(ctx, dst, src, opt)
	d.call(s3client.OpRename, dst)
	return err
}

func (d *done) Delete(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := d.Client.Delete(ctx, keys...)
	d.call(s3client.OpDelete, keys[0])
	return err
}

// unfetched is where a file of 4 MiB has bytes that opening it and reading its start did not bring.
const unfetched = 3 << 20

func (m *mount) foreignLarge(key string) {
	m.t.Helper()
	m.foreign(key, strings.Repeat("0123456789abcdef", 4<<16))
}

// readOnce makes d start a read from h after the next request of a kind, which goes on when the read waits for something.
func readOnce(d *done, op string, h *volume.Handle) <-chan error {
	result := make(chan error, 1)
	d.hook = func(done, _ string) {
		if done != op {
			return
		}
		d.hook = nil
		go func() {
			_, err := h.ReadAt(ctx, make([]byte, 10), unfetched)
			result <- err
		}()
		synctest.Wait()
	}
	return result
}

func TestReadWaitsForTheAnswerToACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &done{}
		m := newMount(t, conditional, hooked(d))
		m.foreignLarge("f")
		w, r := m.open("f", readWrite), m.open("f", readOnly)
		m.writeAll(w, "X", 0)
		result := readOnce(d, s3client.OpPut, r)
		m.close(w)
		m.ok(<-result)
		r.Release()
	})
}

func TestReadWaitsForTheEndOfARename(t *testing.T) {
	for _, c := range []struct {
		name, from, to, op string
		caps               s3client.Capabilities
	}{
		{"copy", "d/f", "d/g", s3client.OpDelete, plain},
		{"one request", "d/f", "d/g", s3client.OpRename, s3client.Capabilities{RenameObject: true}},
		{"copy of a directory", "d", "e", s3client.OpDelete, plain},
		{"one request for a directory", "d", "e", s3client.OpRename, memclient.Full()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &done{}
				m := newMount(t, c.caps, hooked(d))
				m.foreignLarge("d/f")
				r := m.open("d/f", readOnly)
				result := readOnce(d, c.op, r)
				m.ok(m.rename(c.from, c.to))
				m.ok(<-result)
				r.Release()
			})
		})
	}
}

func TestUnlinkOfAnOpenFileThatDoesNotFitHere(t *testing.T) {
	full, err := stage.New(stage.Options{Dir: tempDir(t), KeepFreePercent: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := full.Close(); err != nil {
			t.Error(err)
		}
	})
	m := newMount(t, plain, func(o *volume.Options, _ *upload.Options) {
		if err := o.Stage.Close(); err != nil {
			t.Error(err)
		}
		o.Stage = full
	})
	m.foreignLarge("f")
	h := m.open("f", readOnly)
	m.ok(m.unlink("f"))
	if s, err := content(h); len(s) != 4<<20 || err != nil {
		t.Errorf("%d bytes, %v", len(s), err)
	}
	m.names("")
	m.foreignLarge("g")
	m.clock.advance(2 * time.Minute)
	other := m.open("g", readOnly)
	m.put("new", "new")
	m.ok(m.rename("new", "g"))
	if s, err := content(other); len(s) != 4<<20 || err != nil {
		t.Errorf("replaced: %d bytes, %v", len(s), err)
	}
	h.Release()
	other.Release()
	if got := strings.Join(m.mem.Keys(), " "); got != "g" {
		t.Errorf("keys are %q", got)
	}
}

// A service that does not copy leaves the file where it is.
func TestUnlinkOfAnOpenFileThatCannotBeKept(t *testing.T) {
	m := newMount(t, plain)
	m.foreignLarge("f")
	h := m.open("f", readOnly)
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpCopy || op == s3client.OpGet {
			return errCut
		}
		return nil
	})
	m.want(m.unlink("f"), errCut)
	m.faults.set(nil)
	if s, err := content(h); len(s) != 4<<20 || err != nil {
		t.Errorf("%d bytes, %v", len(s), err)
	}
	m.names("", "f")
	h.Release()
	m.ok(m.unlink("f"))
}

// Copies of a mount that died go when they are old.
func TestOldCopiesOfRemovedFilesGo(t *testing.T) {
	m := newMount(t, memclient.Full())
	m.foreign(".pail/unlinked/old", "x")
	m.clock.advance(8 * 24 * time.Hour)
	m.foreign(".pail/unlinked/young", "x")
	m.foreignLarge("f")
	h := m.open("f", readOnly)
	m.ok(m.unlink("f"))
	h.Release()
	want := ".pail/unlinked/young"
	for deadline := time.Now().Add(30 * time.Second); strings.Join(m.mem.Keys(), " ") != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) { // it is done in the background
			t.Fatalf("keys are %q", m.mem.Keys())
		}
	}
	m.ok(m.Close(ctx))
}

// TestLooksDuringARename asks for the names of a file that is open, when the service has moved it and before the rename is
// over. Whatever the answers are, the handle stays what it is.
func TestLooksDuringARename(t *testing.T) {
	looks := map[string]func(m *mount, n *volume.Inode){
		"lookup": func(m *mount, _ *volume.Inode) {
			_, _, _ = m.walk("d/f")
			_, _, _ = m.walk("e/f")
			_, _, _ = m.walk("d/g")
		},
		"getattr": func(m *mount, n *volume.Inode) { _, err := m.Getattr(ctx, n); m.ok(err) },
		"open": func(m *mount, n *volume.Inode) {
			h, err := m.Open(ctx, n, readOnly)
			m.ok(err)
			h.Release()
		},
	}
	for _, c := range []struct {
		name, from, to, op, key string
		caps                    s3client.Capabilities
	}{
		{"copied", "d/f", "d/g", s3client.OpDelete, "d/f", plain},
		{"moved", "d/f", "d/g", s3client.OpRename, "d/g", memclient.Full()},
		{"directory copied", "d", "e", s3client.OpDelete, "d/f", plain},
		{"directory moved", "d", "e", s3client.OpRename, "e/", memclient.Full()},
		{"copied directory looked for", "d", "e", s3client.OpHead, "e/f", plain},
		{"moved directory looked for", "d", "e", s3client.OpHead, "e/f", memclient.Full()},
	} {
		for name, look := range looks {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := &done{}
					m := newMount(t, c.caps, hooked(d), ttl(0))
					m.foreignLarge("d/f")
					h := m.open("d/f", readWrite)
					called := false
					d.hook = func(op, key string) {
						if op == c.op && key == c.key {
							d.hook, called = nil, true
							go look(m, h.Inode())
							synctest.Wait()
						}
					}
					m.ok(m.rename(c.from, c.to))
					if !called {
						t.Fatal("there was no such request")
					}
					synctest.Wait()
					buf := make([]byte, 10)
					if _, err := h.ReadAt(ctx, buf, unfetched); err != nil || string(buf) != "0123456789" {
						t.Errorf("read %q, %v", buf, err)
					}
					m.writeAll(h, "written", 0)
					m.close(h)
					to := strings.Replace("d/f", c.from, c.to, 1)
					if got := m.object(to); got[:10] != "written789" || !slices.Equal(m.mem.Keys(), []string{to}) {
						t.Errorf("%q begins with %q", m.mem.Keys(), got[:10])
					}
				})
			})
		}
	}
}

// TestNewNameIsLookedUpDuringARename looks for what is being moved under its new name, which must not become another inode:
// what was written to that would be stored twice, or not at all. It waits for a file.
func TestNewNameIsLookedUpDuringARename(t *testing.T) {
	for name, c := range map[string]struct {
		op, from, to string
		caps         s3client.Capabilities
	}{
		"file copied":         {s3client.OpDelete, "d/f", "d/g", plain},
		"file moved":          {s3client.OpRename, "d/f", "d/g", memclient.Full()},
		"directory copied":    {s3client.OpDelete, "d", "e", plain},
		"directory moved":     {s3client.OpRename, "d", "e", memclient.Full()},
		"directory replacing": {s3client.OpDelete, "d", "empty", plain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &done{}
				m := newMount(t, c.caps, hooked(d), ttl(0))
				m.mkdir("d")
				m.put("d/f", "content")
				m.mkdir("empty")
				to := strings.Replace("d/f", c.from, c.to, 1)
				n, _, err := m.walk("d/f")
				m.ok(err)
				early := make(chan error, 1)
				d.hook = func(op, _ string) {
					if op == c.op {
						d.hook = nil
						go func() {
							found, _, err := m.walk(to)
							if err == nil && found.Ino() != n.Ino() {
								err = errors.New("it is another inode")
							}
							early <- err
						}()
						synctest.Wait()
					}
				}
				m.ok(m.rename(c.from, c.to))
				if err := <-early; strings.HasPrefix(name, "file") {
					m.ok(err)
				} else {
					m.want(err, volume.ErrNotExist)
				}
				now, _, err := m.walk(to)
				m.ok(err)
				if now.Ino() != n.Ino() {
					t.Errorf("inode %d became %d", n.Ino(), now.Ino())
				}
			})
		})
	}
}

func TestLooksDuringAnUnlink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &done{}
		m := newMount(t, plain, hooked(d), ttl(0))
		m.foreignLarge("f")
		h := m.open("f", readWrite)
		d.hook = func(op, _ string) {
			if op == s3client.OpDelete {
				d.hook = nil
				m.missing("f")
				go func() {
					if st, err := m.Getattr(ctx, h.Inode()); err != nil || st.Nlink != 0 {
						t.Errorf("%+v, %v", st, err)
					}
				}()
				synctest.Wait()
			}
		}
		m.ok(m.unlink("f"))
		synctest.Wait()
		m.writeAll(h, "written", 0)
		if s, err := content(h); len(s) != 4<<20 || s[:10] != "written789" || err != nil {
			t.Errorf("%d bytes, %v", len(s), err)
		}
		m.close(h)
		m.names("")
	})
}

func TestDirectoryRenameTakesAsLongAsItTakes(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("fails=%v", fails), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &done{}
				m := newMount(t, plain, hooked(d), func(o *volume.Options, _ *upload.Options) { o.Parallel = 1 })
				m.mkdir("d")
				for i := range 5 {
					m.put(fmt.Sprintf("d/%d", i), "x")
				}
				before := m.mem.Keys()
				d.hook = func(op, _ string) {
					if op == s3client.OpCopy || op == s3client.OpDelete {
						time.Sleep(volume.DefaultMetaTimeout * 3 / 4)
					}
				}
				m.faults.set(func(op, key string) error {
					if fails && op == s3client.OpCopy && key == "d/4" {
						return errCut
					}
					return nil
				})
				err := m.rename("d", "e")
				d.hook = nil
				if fails {
					m.want(err, errCut)
					if after := m.mem.Keys(); !slices.Equal(after, before) {
						t.Errorf("keys %q, want none moved", after)
					}
					return
				}
				m.ok(err)
				if after := m.mem.Keys(); !slices.Equal(after, renamed(before, "d", "e")) {
					t.Errorf("keys %q, want all moved", after)
				}
			})
		})
	}
}

func TestMetadataChangeOfLargeFileMeetsAnotherClient(t *testing.T) {
	d := &done{}
	m := newMount(t, conditional, hooked(d), func(_ *volume.Options, u *upload.Options) {
		u.SingleCopyLimit, u.CopyPartSize = 6<<20, 5<<20
	})
	m.foreign("f", strings.Repeat("0123456789abcdef", 8<<16))
	n, _, err := m.walk("f")
	m.ok(err)
	parts := &lateVersion{Client: d.Client, store: func() { m.foreign("f", "other") }}
	d.Client = parts
	mode := uint32(0o600)
	st, err := m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
	m.ok(err)
	if got := m.object("f"); got != "other" || st.Size != 5 || st.Mode&0o777 != 0o600 {
		t.Errorf("%d bytes are stored, stat shows %+v", len(got), st)
	}
}

// lateVersion calls store before the first upload is completed.
type lateVersion struct {
	s3client.Client
	store func()
}

func (c *lateVersion) NewUpload(ctx context.Context, key string, opt s3client.PutOptions) (s3client.Upload, error) {
	up, err := c.Client.NewUpload(ctx, key, opt)
	return &lateUpload{up, c}, err
}

type lateUpload struct {
	s3client.Upload
	c *lateVersion
}

func (u *lateUpload) Complete(ctx context.Context, parts []s3client.Part, as *s3client.PutOptions) (s3client.ObjectInfo, error) {
	if store := u.c.store; store != nil {
		u.c.store = nil
		store()
	}
	return u.Upload.Complete(ctx, parts, as)
}

func TestUnlinkOfAnOpenFileThatAnotherClientReplaced(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps)
		m.put("new", "content")
		for _, remove := range []func() error{
			func() error { return m.unlink("f") },
			func() error { return m.rename("new", "f") },
		} {
			m.foreignLarge("f")
			m.clock.advance(time.Hour)
			r := m.open("f", readOnly)
			m.foreign("f", "other")
			m.ok(remove())
			_, err := r.ReadAt(ctx, make([]byte, 10), unfetched)
			m.want(err, volume.ErrStale)
			r.Release()
		}
		m.names("", "f")
	})
}

func TestLostAnswerBeforeMoreWrites(t *testing.T) {
	for name, caps := range map[string]s3client.Capabilities{"full": memclient.Full(), "conditional": conditional, "plain": plain} {
		t.Run(name, func(t *testing.T) {
			m := newMount(t, caps)
			m.foreign("f", strings.Repeat("0123456789abcdef", 12<<16)) // more than is kept of what was read
			h := m.open("f", readWrite)
			for i, part := range []string{"first", "second", "third"} {
				m.faults.set(func(op, _ string) error {
					if op == "after "+s3client.OpPut || op == "after "+s3client.OpPatch {
						return errCut
					}
					return nil
				})
				m.writeAll(h, part, int64(10*i))
				m.want(h.Fsync(ctx), errCut)
				m.faults.set(nil)
				buf := make([]byte, 5)
				if _, err := h.ReadAt(ctx, buf, int64(i+1)<<20); err != nil || string(buf) != "01234" {
					t.Fatalf("unchanged bytes are %q, %v", buf, err)
				}
			}
			m.writeAll(h, "last", 30)
			m.close(h)
			if got := m.mem.Keys(); !slices.Equal(got, []string{"f"}) {
				t.Errorf("keys %q", got)
			}
			if got := m.object("f")[:40]; got != "first56789second0123third9abcdlast234567" {
				t.Errorf("stored %q", got)
			}
		})
	}
}

func TestLostAnswerToAMetadataChangeOfAnOpenFile(t *testing.T) {
	d := &done{}
	m := newMount(t, conditional, hooked(d))
	m.put("f", "old!")
	h := m.open("f", readWrite)
	m.writeAll(h, "new!", 0)
	mode := uint32(0o600)
	d.hook = func(op, _ string) { // while the bytes are on their way
		d.hook = nil
		_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
		m.ok(err)
		d.Client = &otherETag{d.Client}
	}
	m.want(h.Flush(ctx), errCut)
	d.Client = m.faults
	mode = 0o640
	_, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode}, h)
	m.ok(err)
	m.close(h)
	if st := m.stat("f"); st.Mode&0o777 != 0o640 {
		t.Errorf("mode %o", st.Mode)
	}
	if got := m.get("f"); got != "new!" {
		t.Errorf("content %q", got)
	}
}

// otherETag gives copies another ETag than their source has, as encryption does, and loses the answer.
type otherETag struct{ s3client.Client }

func (c *otherETag) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	o, err := c.Client.Get(ctx, src, s3client.GetOptions{IfMatch: opt.SrcIfMatch})
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	defer o.Body.Close()
	up, err := c.Client.NewUpload(ctx, dst, s3client.PutOptions{Meta: opt.Meta, System: opt.System})
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	body, err := io.ReadAll(o.Body)
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	part, err := up.Part(ctx, 1, strings.NewReader(string(body)))
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	if _, err := up.Complete(ctx, []s3client.Part{part}, nil); err != nil {
		return s3client.ObjectInfo{}, err
	}
	return s3client.ObjectInfo{}, errCut
}

var oddHeaders = s3client.System{ContentType: "text/x-odd", CacheControl: "no-store", ContentLanguage: "rm"}

func TestHeadersThatListingsDoNotTellSurvive(t *testing.T) {
	for name, change := range map[string]func(m *mount){
		"chmod": func(m *mount) {
			n, _, err := m.walk("f")
			m.ok(err)
			mode := uint32(0o600)
			_, err = m.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil)
			m.ok(err)
		},
		"write": func(m *mount) {
			h := m.open("f", readWrite)
			m.clock.advance(time.Hour)
			_, err := m.mem.Another().Copy(ctx, "f", "f", s3client.CopyOptions{
				Replace: true, Meta: s3client.Meta{"mode": "33152"}, System: oddHeaders,
			})
			m.ok(err)
			m.names("", "f")
			if st := m.stat("f"); st.Mode&0o777 != 0o600 {
				t.Errorf("mode %o", st.Mode)
			}
			m.writeAll(h, "more", 4)
			m.close(h)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
				m := newMount(t, caps)
				_, err := m.mem.Another().Put(ctx, "f", strings.NewReader("data"), s3client.PutOptions{System: oddHeaders})
				m.ok(err)
				m.names("", "f")
				change(m)
				info, err := m.mem.Head(ctx, "f")
				m.ok(err)
				if info.System != oddHeaders {
					t.Errorf("headers are %+v", info.System)
				}
			})
		})
	}
}

func TestTooLargeForOneRequestIsRefusedAtTheWrite(t *testing.T) {
	m := newMount(t, plain, func(_ *volume.Options, u *upload.Options) { u.NoMultipart = true })
	h := m.create("f")
	_, err := h.WriteAt(ctx, []byte("xy"), s3client.MaxPartSize-1)
	m.want(err, volume.ErrTooBig)
	m.want(h.Truncate(ctx, s3client.MaxPartSize+1), volume.ErrTooBig)
	m.writeAll(h, "data", 0)
	m.close(h)
	if got := m.object("f"); got != "data" {
		t.Errorf("stored %q", got)
	}
}

// deaf lets reads go on when their context has ended, until they are let go.
type deaf struct {
	s3client.Client
	hold chan struct{}
}

func (c *deaf) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	<-c.hold
	return c.Client.Get(ctx, key, opt)
}

func TestInodeIsUsableWhileItsContentIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t, plain)
		m.foreignLarge("f")
		c := &deaf{m.faults.Client, make(chan struct{})}
		h := m.open("f", readOnly)
		m.faults.Client = c
		cut, cancel := context.WithCancel(ctx)
		go func() {
			_, _ = h.ReadAt(cut, make([]byte, 10), unfetched)
			h.Release()
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()                                                                         // Release waits for the fetch
		again, err := m.Open(ctx, h.Inode(), volume.OpenFlags{Read: true, Cached: h.Version()}) // asks without a Get
		m.ok(err)
		close(c.hold)
		if s, err := content(again); len(s) != 4<<20 || err != nil {
			t.Errorf("%d bytes, %v", len(s), err)
		}
		again.Release()
	})
}

// A name is there all the time while another file is renamed to it, also for who has never looked at what was there before.
func TestNameIsThereWhileAFileIsRenamedToIt(t *testing.T) {
	for _, target := range []string{"f", "d/f"} {
		synctest.Test(t, func(t *testing.T) {
			d := &done{}
			m := newMount(t, memclient.Full(), hooked(d))
			m.foreign("d/x", "")
			m.foreign(target, "theirs")
			m.put("t", "mine")
			dir, name := m.parent(target)
			found := make(chan error, 1)
			d.hook = func(op, _ string) {
				if op == s3client.OpRename {
					d.hook = nil
					go func() {
						_, _, err := m.Lookup(ctx, dir, name)
						found <- err
					}()
					synctest.Wait()
				}
			}
			m.ok(m.rename("t", target))
			m.ok(<-found)
			m.Close(ctx)
		})
	}
}
