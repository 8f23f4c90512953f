package volume_test

import (
	"bytes"
	"testing"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// A small change of a large object costs as many requests whatever its size: of a change in the middle, what a part needs
// around it is fetched at once and sent with it; all else is copied inside the service.
func TestRequestBudgetOfChangesToLargeObjects(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		caps.Patch = false
		m := newMount(t, caps, func(_ *volume.Options, u *upload.Options) { u.PartSize, u.MultipartThreshold = 5<<20, 6<<20 })
		big := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
		m.foreign("f", string(big))
		m.stat("f")
		change := func(what string, flags volume.OpenFlags, data string, off int64, want map[string]int) {
			t.Helper()
			h := m.open("f", flags)
			m.mem.ResetCounts()
			m.writeAll(h, data, off)
			m.close(h)
			counts := m.mem.Counts()
			for op, n := range want {
				if counts[op] != n {
					t.Errorf("%s: %v, want %v", what, counts, want)
					break
				}
			}
			if got := m.object("f"); got != string(big) {
				t.Errorf("%s: the object is wrong", what)
			}
		}
		big = append(big, "appended"...)
		change("append", volume.OpenFlags{Write: true, Append: true}, "appended", 0, map[string]int{
			s3client.OpGet: 0, s3client.OpNewUpload: 1, s3client.OpCopyPart: 1, s3client.OpPart: 1, s3client.OpComplete: 1,
		})
		copy(big[10<<20+4096:], "overwritten")
		change("overwrite", readWrite, "overwritten", 10<<20+4096, map[string]int{
			s3client.OpNewUpload: 1, s3client.OpCopyPart: 2, s3client.OpPart: 1, s3client.OpComplete: 1,
			s3client.OpGet: 5, // of one MiB, as large as the requests of this pool
		})
	})
}

// Where the service can patch objects, it is one request, and nothing is fetched, be the file large or not.
func TestRequestBudgetOfPatches(t *testing.T) {
	for _, size := range []int{2 << 20, 30 << 20} {
		m := newMount(t, memclient.Full())
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		m.foreign("f", string(want))
		change := func(what string, flags volume.OpenFlags, data string, off int64) {
			t.Helper()
			h := m.open("f", flags)
			m.mem.ResetCounts()
			m.writeAll(h, data, off)
			m.close(h)
			if counts := m.mem.Counts(); counts[s3client.OpPatch] != 1 || m.mem.Requests() != 1 {
				t.Errorf("%s: %v", what, counts)
			}
			if got := m.object("f"); got != string(want) {
				t.Errorf("%s: the object is wrong", what)
			}
		}
		want = append(want, "appended"...)
		change("append", volume.OpenFlags{Write: true, Append: true}, "appended", 0)
		copy(want[1<<20+4096:], "overwritten")
		change("overwrite", readWrite, "overwritten", 1<<20+4096)
		n, _, err := m.walk("f")
		m.ok(err)
		m.mem.ResetCounts()
		half := uint64(len(want) * 3 / 4)
		_, err = m.Setattr(ctx, n, volume.SetAttr{Size: &half}, nil)
		m.ok(err)
		if counts := m.mem.Counts(); counts[s3client.OpHead] != 1 || counts[s3client.OpPatch] != 1 || m.mem.Requests() != 2 {
			t.Errorf("truncate: %v", counts)
		}
		if got := m.object("f"); got != string(want[:half]) {
			t.Error("truncate: the object is wrong")
		}
	}
}
