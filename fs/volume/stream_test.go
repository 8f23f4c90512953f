package volume_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pail/fs/attr"
	"pail/fs/journal/journaltest"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
)

// Sizes of small parts.
const (
	smallPart   = 1000
	smallSingle = 2500 // a file up to that size is one PUT
)

// smallParts makes files of a few kilobytes large ones.
func smallParts(_ *volume.Options, u *upload.Options) {
	u.MinPartSize, u.PartSize, u.MultipartThreshold = 1, smallPart, smallSingle
}

// newSmallParts mounts a bucket that takes small parts.
func newSmallParts(t tb, caps s3client.Capabilities, change ...setup) *mount {
	t.Helper()
	return newMount(t, caps, append([]setup{smallParts}, change...)...)
}

// line puts requests through a client that can fail.
func line(to **faultclient.Client) setup {
	return func(o *volume.Options, _ *upload.Options) {
		*to = faultclient.New(o.Client)
		o.Client = *to
	}
}

// streaming runs a test on a mount with small parts, and checks that no upload is left.
func streaming(t *testing.T, test func(t *testing.T, m *mount, line *faultclient.Client), change ...setup) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var l *faultclient.Client
		m := newSmallParts(t, memclient.Full(), append([]setup{line(&l)}, change...)...)
		test(t, m, l)
		synctest.Wait()
		m.uploads(0)
	})
}

// uploads checks how many unfinished uploads there are.
func (m *mount) uploads(want int) {
	m.t.Helper()
	page, err := m.mem.ListUploads(ctx, s3client.UploadsQuery{})
	m.ok(err)
	if len(page.Uploads) != want {
		m.t.Errorf("%d uploads are unfinished, want %d: %+v", len(page.Uploads), want, page.Uploads)
	}
}

// sequence is text that does not repeat itself within a part.
func sequence(n int, seed uint64) string {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := range b {
		b[i] = byte('a' + rnd.IntN(26))
	}
	return string(b)
}

// stream writes data in small pieces from off on, and waits until all that is sent meanwhile is.
func (m *mount) stream(h *volume.Handle, data string, off int) {
	m.t.Helper()
	for piece := range slices.Chunk([]byte(data), 130) {
		m.writeAll(h, string(piece), int64(off))
		off += len(piece)
	}
	synctest.Wait()
}

func (m *mount) wantCounts(want map[string]int) {
	m.t.Helper()
	got := m.mem.Counts()
	for op := range got {
		if op != s3client.OpNewUpload && op != s3client.OpPart && op != s3client.OpCopyPart && op != s3client.OpComplete &&
			op != s3client.OpAbort && op != s3client.OpPut && op != s3client.OpCopy {
			delete(got, op)
		}
	}
	if !maps.Equal(got, want) {
		m.t.Errorf("requests are %v, want %v", got, want)
	}
}

// TestLargeFileIsSentWhileItIsWritten: of a file that is written in order, close sends the end and the attributes. No part
// travels twice, and what was there before stays until then.
func TestLargeFileIsSentWhileItIsWritten(t *testing.T) {
	for _, before := range []string{"", "old"} {
		streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
			if before != "" {
				m.put("f", before)
			} else {
				m.close(m.create("f"))
			}
			m.mem.ResetCounts()
			data := sequence(10*smallPart+300, 1)
			h := m.open("f", volume.OpenFlags{Write: true, Truncate: true})
			m.stream(h, data[:smallSingle], 0)
			m.wantCounts(map[string]int{})
			m.stream(h, data[smallSingle:], smallSingle)
			m.wantCounts(map[string]int{s3client.OpNewUpload: 1, s3client.OpPart: 10})
			if got := m.object("f"); got != before {
				t.Errorf("before close the object is %q", got)
			}
			mode, mtime := uint32(0o640), time.Unix(1_000_000_000, 123)
			if _, err := m.Setattr(ctx, h.Inode(), volume.SetAttr{Mode: &mode, Mtime: &mtime}, h); err != nil {
				t.Fatal(err)
			}
			m.ok(m.Setxattr(ctx, h.Inode(), "user.x", []byte("y"), 0))
			m.close(h)
			m.wantCounts(map[string]int{s3client.OpNewUpload: 1, s3client.OpPart: 11, s3client.OpComplete: 1})
			if m.object("f") != data {
				t.Error("the object has other bytes")
			}
			again := mountOn(t, m.mem, m.clock)
			if st := again.stat("f"); st.Mode != attr.Regular|mode || !st.Mtime.Equal(mtime) || string(st.Xattrs["user.x"]) != "y" {
				t.Errorf("another mount sees %+v", st)
			}
			m.mem.ResetCounts()
			m.put("small", sequence(smallSingle, 2))
			if got := m.mem.Counts()[s3client.OpPart]; got != 0 {
				t.Errorf("a small file has made %d parts", got)
			}
		})
	}
}

// disturbance is something that happens to a file of which ten parts are sent. parts is how many are sent in all.
type disturbance struct {
	name  string
	parts int
	do    func(m *mount, h *volume.Handle, want []byte) []byte
}

var disturbances = []disturbance{
	{"the beginning is written again", 11 + 1, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.writeAll(h, "BEGIN", 0)
		copy(want, "BEGIN")
		return want
	}},
	{"random writes", 11 + 2, func(m *mount, h *volume.Handle, want []byte) []byte {
		for _, off := range []int{9_990, 2_500, 2_600, 10_200} {
			m.writeAll(h, "RANDOM", int64(off))
			copy(want[off:], "RANDOM")
		}
		return want
	}},
	{"the same bytes again", 11 + 1, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.writeAll(h, string(want[5_000:5_010]), 5_000)
		return want
	}},
	{"shorter", 10 + 1, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Truncate(ctx, 5_500))
		return want[:5_500]
	}},
	{"shorter, at the end of a part", 10, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Truncate(ctx, 6_000))
		return want[:6_000]
	}},
	{"shorter and longer", 10 + 7, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Truncate(ctx, 5_500))
		m.ok(h.Truncate(ctx, 11_500))
		return append(want[:5_500:5_500], make([]byte, 6_000)...)
	}},
	{"longer", 12, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Truncate(ctx, 12_000))
		return append(want, make([]byte, 12_000-len(want))...)
	}},
	{"too short for parts", 10, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Truncate(ctx, 100))
		return want[:100]
	}},
	{"nothing, and all again", 20 + 1, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Truncate(ctx, 0))
		next := sequence(10_300, 9)
		m.stream(h, next, 0)
		return []byte(next)
	}},
	{"a hole", 11 + 2, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Allocate(ctx, volume.Allocation{KeepSize: true, Zero: true}, 3_900, 200))
		clear(want[3_900:4_100])
		return want
	}},
	{"allocated", 13, func(m *mount, h *volume.Handle, want []byte) []byte {
		m.ok(h.Allocate(ctx, volume.Allocation{}, 12_000, 500))
		return append(want, make([]byte, 12_500-len(want))...)
	}},
	{"another handle", 11 + 1, func(m *mount, h *volume.Handle, want []byte) []byte {
		other := m.open("f", volume.OpenFlags{Write: true})
		m.writeAll(other, "OTHER", 7_100)
		copy(want[7_100:], "OTHER")
		defer other.Release()
		return want
	}},
	{"another handle that appends", 14, func(m *mount, h *volume.Handle, want []byte) []byte {
		other := m.open("f", volume.OpenFlags{Write: true, Append: true})
		defer other.Release()
		more := sequence(3_000, 4)
		m.stream(other, more, 0)
		return append(want, more...)
	}},
	{"another handle that empties", 10, func(m *mount, h *volume.Handle, want []byte) []byte {
		other := m.open("f", volume.OpenFlags{Write: true, Truncate: true})
		defer other.Release()
		return want[:0]
	}},
	{"far behind the end", 21, func(m *mount, h *volume.Handle, want []byte) []byte {
		want = append(want, make([]byte, 20_000-len(want))...)
		m.writeAll(h, "FAR", 20_000)
		return append(want, "FAR"...)
	}},
}

// TestDisturbedStreams: whatever happens to a file of which a part is sent already, close stores what it has then, and
// sends again only what has changed.
func TestDisturbedStreams(t *testing.T) {
	for _, d := range disturbances {
		t.Run(d.name, func(t *testing.T) {
			streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
				data := sequence(10_300, 1)
				h := m.create("f")
				m.stream(h, data, 0)
				want := d.do(m, h, []byte(data))
				m.close(h)
				if got := m.object("f"); got != string(want) {
					t.Errorf("the object has %d bytes, and not the %d that were written", len(got), len(want))
				}
				if got := m.mem.Counts()[s3client.OpPart]; got != d.parts {
					t.Errorf("%d parts were sent, want %d", got, d.parts)
				}
				if got := m.get("f"); got != string(want) {
					t.Error("the mount reads other bytes")
				}
			})
		})
	}
}

// TestStreamOverUnchangedBytes writes in order over a part of a large object: what is behind is copied by the service.
func TestStreamOverUnchangedBytes(t *testing.T) {
	streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
		old := sequence(6<<20, 3)
		m.foreign("f", old)
		data := sequence(5*smallPart+10, 1)
		h := m.open("f", readWrite)
		m.stream(h, data, 0)
		m.wantCounts(map[string]int{s3client.OpNewUpload: 1, s3client.OpPart: 5})
		m.close(h)
		m.wantCounts(map[string]int{s3client.OpNewUpload: 1, s3client.OpPart: 6, s3client.OpCopyPart: 1, s3client.OpComplete: 1})
		if m.object("f") != data+old[len(data):] {
			t.Error("the object has other bytes")
		}
	})
}

// TestStreamsAndFsync: each fsync stores the object; the next part of the file is another upload.
func TestStreamsAndFsync(t *testing.T) {
	streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
		data := sequence(20_000, 1)
		h := m.create("f")
		for off := 0; off < len(data); off += 5_000 {
			m.stream(h, data[off:off+5_000], off)
			m.ok(h.Fsync(ctx))
			if m.object("f") != data[:off+5_000] {
				t.Fatal("after fsync the object has other bytes")
			}
		}
		m.close(h)
	})
}

// TestStreamsThatAreNotStored: what is removed, or given another name, leaves no upload behind.
func TestStreamsThatAreNotStored(t *testing.T) {
	data := sequence(10_300, 1)
	for name, do := range map[string]func(t *testing.T, m *mount, h *volume.Handle){
		"unlink": func(t *testing.T, m *mount, h *volume.Handle) {
			m.ok(m.unlink("f"))
			synctest.Wait()
			m.uploads(0)
			m.stream(h, data, len(data))
			m.uploads(0)
			if got, err := content(h); err != nil || got != data+data {
				t.Errorf("the removed file has %d bytes, %v", len(got), err)
			}
			m.close(h)
			m.missing("f")
		},
		"rename": func(t *testing.T, m *mount, h *volume.Handle) {
			m.ok(m.rename("f", "g"))
			m.stream(h, data, len(data))
			m.close(h)
			if m.object("g") != data+data {
				t.Error("the object has other bytes")
			}
			m.missing("f")
		},
		"renamed onto": func(t *testing.T, m *mount, h *volume.Handle) {
			m.put("g", "other")
			m.ok(m.rename("g", "f"))
			m.stream(h, data, len(data))
			m.close(h)
			if m.object("f") != "other" {
				t.Error("the object has other bytes")
			}
		},
		"link": func(t *testing.T, m *mount, h *volume.Handle) {
			dir, name := m.parent("second")
			if _, err := m.Link(ctx, h.Inode(), dir, name); err != nil {
				t.Fatal(err)
			}
			m.stream(h, data, len(data))
			m.close(h)
			if m.get("f") != data+data || m.get("second") != data+data {
				t.Error("the file has other bytes")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
				h := m.create("f")
				m.stream(h, data, 0)
				do(t, m, h)
			})
		})
	}
}

// TestStreamsAndOtherClients: conflicts are found and settled as those of files that are sent at close.
func TestStreamsAndOtherClients(t *testing.T) {
	data := sequence(10_300, 1)
	for _, removed := range []bool{false, true} {
		streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
			m.put("f", "base")
			h := m.open("f", volume.OpenFlags{Write: true, Truncate: true})
			m.stream(h, data, 0)
			if removed {
				m.foreignDelete("f")
				m.close(h)
				if m.object("f") != data {
					t.Error("what another client removed is not stored again")
				}
				return
			}
			m.foreign("f", "theirs")
			m.want(h.Flush(ctx), volume.ErrStale)
			h.Release()
			if m.object("f") != "theirs" {
				t.Errorf("the object is %q", m.object("f"))
			}
			kept := slices.DeleteFunc(m.mem.Keys(), func(key string) bool { return !strings.Contains(key, ".conflict-") })
			if len(kept) != 1 || m.object(kept[0]) != data {
				t.Errorf("kept is %q", kept)
			}
		})
	}
}

// TestStreamsThatFail: a service that fails while a file is written, or loses the upload, costs nothing but time.
func TestStreamsThatFail(t *testing.T) {
	data := sequence(10_300, 1)
	fail := faultclient.Fail(nil)
	for name, test := range map[string]struct {
		faults []faultclient.Fault
		after  func(m *mount, line *faultclient.Client) // when ten parts were to be sent
		fails  int                                      // closes
	}{
		"to begin":       {faults: []faultclient.Fault{{Op: s3client.OpNewUpload, Times: 1, Do: fail}}},
		"a part":         {faults: []faultclient.Fault{{Op: s3client.OpPart, Times: 1, Do: fail}}},
		"every part":     {faults: []faultclient.Fault{{Op: s3client.OpPart, Times: -1, Do: fail}}, after: func(_ *mount, line *faultclient.Client) { line.Clear() }},
		"answer of part": {faults: []faultclient.Fault{{Op: s3client.OpPart, Times: 1, Do: faultclient.Lose(nil)}}},
		"the last part": {fails: 1, after: func(_ *mount, line *faultclient.Client) {
			line.Add(faultclient.Fault{Op: s3client.OpPart, Times: 1, Do: fail})
		}},
		"to complete": {fails: 1, after: func(_ *mount, line *faultclient.Client) {
			line.Add(faultclient.Fault{Op: s3client.OpComplete, Times: 1, Do: fail})
		}},
		"answer of complete": {fails: 1, after: func(_ *mount, line *faultclient.Client) {
			line.Add(faultclient.Fault{Op: s3client.OpComplete, Times: 1, Do: faultclient.Lose(nil)})
		}},
		"a part is another by now": {after: func(_ *mount, line *faultclient.Client) {
			invalid := &s3client.Error{Code: "InvalidPart", Status: 400, Err: s3client.ErrInvalid}
			line.Add(faultclient.Fault{Op: s3client.OpComplete, Times: 1, Do: faultclient.Fail(invalid)})
		}},
		"to abort": {fails: 1, after: func(_ *mount, line *faultclient.Client) {
			line.Add(faultclient.Fault{Op: s3client.OpComplete, Times: 1, Do: fail})
			line.Add(faultclient.Fault{Op: s3client.OpAbort, Times: 1, Do: fail})
		}},
		"it is aborted by somebody": {after: func(m *mount, _ *faultclient.Client) {
			page, err := m.mem.ListUploads(ctx, s3client.UploadsQuery{})
			m.ok(err)
			up, err := m.mem.ResumeUpload(ctx, "f", page.Uploads[0].ID, s3client.PutOptions{})
			m.ok(err)
			m.ok(up.Abort(ctx))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			streaming(t, func(t *testing.T, m *mount, line *faultclient.Client) {
				for _, f := range test.faults {
					line.Add(f)
				}
				h := m.create("f")
				m.stream(h, data, 0)
				if test.after != nil {
					test.after(m, line)
				}
				for range test.fails {
					m.want(h.Flush(ctx), s3client.ErrUnavailable)
					synctest.Wait() // until the upload is given up
				}
				m.close(h)
				if m.object("f") != data {
					t.Error("the object has other bytes")
				}
			})
		})
	}
}

// TestStreamsAtTheEndOfAMount: the volume stores what is open, and gives up what it cannot store.
func TestStreamsAtTheEndOfAMount(t *testing.T) {
	data := sequence(10_300, 1)
	streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
		h := m.create("f")
		m.stream(h, data, 0)
		m.ok(m.Close(ctx))
		m.uploads(0)
		if m.object("f") != data {
			t.Error("the object has other bytes")
		}
		h.Release()
	})
	streaming(t, func(t *testing.T, m *mount, line *faultclient.Client) {
		h := m.create("f")
		m.stream(h, data, 0)
		line.Add(faultclient.Fault{Op: s3client.OpComplete, Times: -1, Do: faultclient.Fail(nil)})
		line.Add(faultclient.Fault{Op: s3client.OpAbort, Times: 1, Do: faultclient.Fail(nil)})
		if err := m.Close(ctx); err == nil {
			t.Error("a volume with unsent data is closed without an error")
		}
		m.uploads(0)
		line.Clear()
		m.close(h)
	})
}

// TestNothingIsSentEarly where the service cannot be told the metadata at the end, with a journal, and without multipart
// uploads.
func TestNothingIsSentEarly(t *testing.T) {
	data := sequence(10_300, 1)
	noMetadata := memclient.Full()
	noMetadata.CompleteMetadata = false
	for name, mounted := range map[string]func(t *testing.T) *mount{
		"plain":       func(t *testing.T) *mount { return newSmallParts(t, plain) },
		"no metadata": func(t *testing.T) *mount { return newSmallParts(t, noMetadata) },
		"no multipart": func(t *testing.T) *mount {
			return newSmallParts(t, memclient.Full(), func(_ *volume.Options, u *upload.Options) { u.NoMultipart = true })
		},
		"journal": func(t *testing.T) *mount {
			return newSmallParts(t, memclient.Full(), journaled(t, journaltest.New()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := mounted(t)
				h := m.create("f")
				m.stream(h, data, 0)
				if n := m.mem.Counts()[s3client.OpNewUpload] + m.mem.Counts()[s3client.OpPart]; n != 0 {
					t.Errorf("%d requests were made", n)
				}
				m.close(h)
				m.stored()
				if m.object("f") != data {
					t.Error("the object has other bytes")
				}
			})
		})
	}
}

// TestStreamWithoutLocalRoom: a write that finds no room says so, and what went before is stored.
func TestStreamWithoutLocalRoom(t *testing.T) {
	data := sequence(10_300, 1)
	streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
		h := m.create("f")
		m.stream(h, data, 0)
		if n, err := h.WriteAt(ctx, bytes.Repeat([]byte("x"), 100<<10), 3_000); n != 0 || !errors.Is(err, volume.ErrNoSpace) {
			t.Errorf("a write gives %d, %v", n, err)
		}
		m.close(h)
		if m.object("f") != data {
			t.Error("the object has other bytes")
		}
	}, noDisk(100<<10))
}
