package volume_test

import (
	"bytes"
	"testing"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// A small change of a large object costs as many requests whatever its size: of a change in the middle, what a part needs
// around it is fetched at once and sent with it; all else is copied inside the service.
func TestRequestBudgetOfChangesToLargeObjects(t *testing.T) {
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
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
