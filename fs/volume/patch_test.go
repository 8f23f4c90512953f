package volume_test

import (
	"strings"
	"testing"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// smallPatches has files of any size patched.
func smallPatches(_ *volume.Options, u *upload.Options) { u.MinPatched = 1 }

// A patch of which no answer came may have been done: what is stored next goes on from there, and is no conflict.
func TestLostAnswerToAPatch(t *testing.T) {
	for _, lost := range []string{s3client.OpPatch, "after " + s3client.OpPatch} {
		for _, more := range []bool{false, true} {
			m := newMount(t, memclient.Full(), smallPatches)
			m.foreign("f", strings.Repeat("0123456789", 100))
			h := m.open("f", readWrite)
			m.writeAll(h, "changed", 500)
			m.faults.set(func(op, _ string) error {
				if op == lost {
					return s3client.ErrUnavailable
				}
				return nil
			})
			m.want(h.Flush(ctx), s3client.ErrUnavailable)
			m.faults.set(nil)
			want := strings.Repeat("0123456789", 50) + "changed789" + strings.Repeat("0123456789", 49)
			if more {
				m.writeAll(h, "again", 3)
				want = "012again89" + want[10:]
			}
			m.close(h)
			if got := m.object("f"); got != want || len(m.mem.Keys()) != 1 {
				t.Errorf("lost %s, more %v: %q, keys %q", lost, more, got, m.mem.Keys())
			}
		}
	}
}

// A patch of an object that another client has replaced is none: both versions stay.
func TestPatchMeetsAnotherClient(t *testing.T) {
	m := newMount(t, memclient.Full(), smallPatches)
	m.foreign("f", strings.Repeat("0123456789", 100))
	h := m.open("f", readWrite)
	m.writeAll(h, "changed", 500)
	m.foreign("f", strings.Repeat("9876543210", 100))
	m.want(h.Flush(ctx), volume.ErrStale)
	h.Release()
	if got := m.object("f"); got != strings.Repeat("9876543210", 100) {
		t.Errorf("the other client's became %q", got)
	}
	want := strings.Repeat("9876543210", 50) + "changed210" + strings.Repeat("9876543210", 49) // the old bytes were never fetched
	if got := m.object(m.conflictOf("f")); got != want {
		t.Errorf("kept %q", got)
	}
	if n := m.mem.Counts()[s3client.OpPatch]; n == 0 {
		t.Error("nothing was patched")
	}
}
