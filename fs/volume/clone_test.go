package volume_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// cloning lets files that are larger than S3 wants for a part to be copied.
func cloning(_ *volume.Options, up *upload.Options) { up.MultipartThreshold = 1 << 20 }

const cloneSize = 6 << 20

func TestFilesAreCopiedInsideTheService(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", cloneSize/16)
	bothWays(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, cloning)
		m.put("a", data)
		m.put("old", "to be replaced")
		src := m.open("a", volume.OpenFlags{Read: true})
		for _, name := range []string{"new", "excl", "old"} {
			var dst *volume.Handle
			dir, base := m.parent(name)
			var err error
			switch name {
			case "old":
				dst = m.open(name, volume.OpenFlags{Write: true, Truncate: true})
			default:
				_, dst, _, err = m.Create(ctx, dir, base, 0o640, volume.OpenFlags{Read: true, Write: true, Excl: name == "excl"}, volume.Caller{UID: 3, GID: 4})
				m.ok(err)
			}
			m.mem.ResetCounts()
			n, err := dst.CopyFrom(ctx, src, math.MaxInt32)
			m.ok(err)
			if n != cloneSize {
				t.Errorf("%s: %d bytes", name, n)
			}
			if counts := m.mem.Counts(); counts["GetObject"]+counts["PutObject"]+counts["UploadPart"] > 0 || counts["UploadPartCopy"] == 0 {
				t.Errorf("%s: requests %v", name, counts)
			}
			m.writeAll(dst, "end", cloneSize)
			m.close(dst)
			if got := m.object(name); got != data+"end" {
				t.Errorf("%s holds %d bytes, %.20q...", name, len(got), got)
			}
			if st := m.stat(name); name != "old" && (st.Mode&0o777 != 0o640 || st.UID != 3 || st.GID != 4) {
				t.Errorf("%s: mode %o, owner %d:%d", name, st.Mode, st.UID, st.GID)
			}
		}
		m.close(src)
	})
}

func TestWhatIsNotCopiedInsideTheService(t *testing.T) {
	m := newMount(t, memclient.Full(), cloning)
	data := string(bytes.Repeat([]byte("x"), cloneSize))
	m.put("a", data)
	m.put("small", "x")
	src, small, dst := m.open("a", readWrite), m.open("small", readWrite), m.create("b")
	refused := func(from *volume.Handle, n int64) {
		t.Helper()
		_, err := dst.CopyFrom(ctx, from, n)
		m.want(err, volume.ErrNotSupported)
	}
	refused(small, math.MaxInt32)
	refused(src, cloneSize-1)
	refused(dst, math.MaxInt32)
	m.writeAll(src, "y", 0)
	refused(src, math.MaxInt32) // not stored
	m.ok(src.Flush(ctx))
	m.foreign("b", "of another client")
	refused(src, math.MaxInt32)
	if got := m.object("b"); got != "of another client" {
		t.Errorf("b holds %q", got)
	}
	m.foreignDelete("b")
	m.foreign("a", "replaced")
	refused(src, math.MaxInt32)
	m.writeAll(dst, "y", 0)
	refused(src, math.MaxInt32)
	for _, h := range []*volume.Handle{src, small, dst} {
		m.close(h)
	}
	if got := m.object("b"); got != "y" {
		t.Errorf("b holds %q", got)
	}
}
