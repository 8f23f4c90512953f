package volume_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
)

// badDisk is a directory for local data that can be damaged.
type badDisk string

// use has everything that is written on that disk.
func (d badDisk) use(t tb) setup {
	return func(o *volume.Options, _ *upload.Options) {
		area, err := stage.New(stage.Options{Dir: string(d), MemoryPerFile: -1})
		if err != nil {
			t.Fatal(err)
		}
		o.Stage = area
	}
}

// flip changes a byte of the local files, which have no names.
func (d badDisk) flip(t tb, off int64) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, fd := range open {
		at := filepath.Join("/proc/self/fd", fd.Name())
		if to, err := os.Readlink(at); err != nil || !strings.HasPrefix(to, string(d)+"/") {
			continue
		}
		f, err := os.OpenFile(at, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, off); err == nil {
			b[0] ^= 16
			_, err = f.WriteAt(b, off)
			flipped++
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if flipped == 0 {
		t.Fatal("there is no local file")
	}
}

// Sizes in these tests: local data is checked in blocks.
const (
	checked   = 32 << 10
	damagedAt = 5*checked - 1000
)

// damaged checks that err names a file and a place.
func (m *mount) damaged(err error) {
	m.t.Helper()
	m.want(err, volume.ErrDamaged)
	if place := fmt.Sprintf("byte %d to %d", 4*checked, 5*checked); !strings.Contains(err.Error(), `"f"`) || !strings.Contains(err.Error(), place) {
		m.t.Errorf("the error is %q", err)
	}
}

// TestDamagedLocalBytesAreNeverStored changes a byte on the local disk before it is sent, or journaled: nobody gets to see
// it, every close(2) and fsync(2) fails, what was stored before stays; until the range is written anew, or cut off.
func TestDamagedLocalBytesAreNeverStored(t *testing.T) {
	data := sequence(10*checked, 5)
	parts := func(_ *volume.Options, u *upload.Options) {
		u.MinPartSize, u.PartSize, u.MultipartThreshold = 1, 2*checked+77, 3*checked
	}
	for name, start := range map[string]func(d badDisk) *mount{
		"one PUT":  func(d badDisk) *mount { return newMount(t, conditional, d.use(t)) },
		"parts":    func(d badDisk) *mount { return newMount(t, conditional, d.use(t), parts) },
		"journal":  func(d badDisk) *mount { return newJournaled(t, conditional, d.use(t)) },
		"streamed": func(d badDisk) *mount { return newMount(t, memclient.Full(), d.use(t), parts) },
	} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cut %v", name, cut), func(t *testing.T) {
				disk := badDisk(tempDir(t))
				m := start(disk)
				m.t = t
				m.put("f", "old")
				m.stored()
				h := m.open("f", volume.OpenFlags{Write: true, Truncate: true})
				m.writeAll(h, data, 0)
				disk.flip(t, damagedAt)
				m.writeAll(h, data[4*checked-1:4*checked], 4*checked-1) // of the same part
				m.damaged(h.Flush(ctx))
				m.damaged(h.Fsync(ctx))
				other := m.open("f", readWrite)
				_, err := other.ReadAt(ctx, make([]byte, 10), 4*checked)
				m.damaged(err)
				_, err = other.WriteAt(ctx, []byte("x"), damagedAt)
				m.damaged(err)
				m.damaged(other.Flush(ctx))
				if got := m.object("f"); got != "old" {
					t.Errorf("the service has %d bytes", len(got))
				}
				want := data
				if cut {
					want = data[:4*checked]
					m.ok(other.Truncate(ctx, 4*checked))
				} else {
					m.writeAll(other, data[4*checked:4*checked+5000], 4*checked)
					m.writeAll(other, data[4*checked+5000:5*checked], 4*checked+5000)
				}
				m.close(other)
				m.close(h)
				m.stored()
				if got := m.object("f"); got != want {
					t.Errorf("in the end the service has %d bytes", len(got))
				}
			})
		}
	}
}

// TestDamageOfWhatWasSentDoesNoHarm: a part that has been sent is not read again.
func TestDamageOfWhatWasSentDoesNoHarm(t *testing.T) {
	disk := badDisk(tempDir(t))
	streaming(t, func(t *testing.T, m *mount, _ *faultclient.Client) {
		data := sequence(10*checked, 5)
		h := m.create("f")
		m.stream(h, data, 0)
		synctest.Wait()
		disk.flip(t, damagedAt)
		m.ok(h.Flush(ctx))
		if got := m.object("f"); got != data {
			t.Errorf("the service has %d bytes", len(got))
		}
		_, err := h.ReadAt(ctx, make([]byte, 10), 4*checked)
		m.damaged(err)
		h.Release()
		if got := m.get("f"); got != data {
			t.Errorf("it reads %d bytes", len(got))
		}
	}, disk.use(t))
}

// TestDamageAfterItWasJournaled: the journal has the right bytes, which the next mount sends.
func TestDamageAfterItWasJournaled(t *testing.T) {
	disk := badDisk(tempDir(t))
	m := newJournaled(t, conditional, disk.use(t))
	data := sequence(10*checked, 5)
	m.faults.set(func(op, _ string) error {
		if op == s3client.OpPut {
			return errCut
		}
		return nil
	})
	m.put("f", data)
	disk.flip(t, damagedAt)
	m.faults.set(nil)
	if err := m.Sync(ctx); !errors.Is(err, stage.ErrDamaged) || !strings.Contains(err.Error(), `"f"`) {
		t.Errorf("Sync says %v", err)
	}
	if keys := m.mem.Keys(); len(keys) > 0 {
		t.Errorf("the service has %q", keys)
	}
	m = m.crash()
	m.stored()
	if got := m.object("f"); got != data {
		t.Errorf("the service has %d bytes", len(got))
	}
}

// TestJournalThatIsDamagedAfterTheMount: bytes that are read from where the journal has them are checked each time.
func TestJournalThatIsDamagedAfterTheMount(t *testing.T) {
	m := newJournaled(t, conditional)
	data := sequence(10*checked, 5)
	down := func(op, _ string) error {
		if op == s3client.OpPut {
			return errCut
		}
		return nil
	}
	m.faults.set(down)
	m.put("f", data)
	m.faults.set(func(string, string) error { return errCut })
	disk := m.disk.Kill()
	m.dead = true
	var began *faults
	m = mountOn(t, m.mem, m.clock, journaled(t, disk), func(o *volume.Options, _ *upload.Options) {
		began = o.Client.(*faults)
		began.set(down)
	})
	m.disk = disk
	disk.Corrupt("data-0000000000000001", 8*damagedAt)
	h := m.open("f", readWrite)
	_, err := h.ReadAt(ctx, make([]byte, 10), 4*checked)
	m.damaged(err)
	_, err = h.WriteAt(ctx, []byte("x"), 0) // which would need a copy
	m.damaged(err)
	m.faults.set(nil)
	if err := m.Sync(ctx); err == nil || !strings.Contains(err.Error(), `"f"`) {
		t.Errorf("Sync says %v", err)
	}
	if keys := m.mem.Keys(); len(keys) > 0 {
		t.Errorf("the service has %q", keys)
	}
	m.ok(h.Truncate(ctx, 0))
	m.writeAll(h, "written anew", 0)
	m.close(h)
	m.stored()
	if got := m.object("f"); got != "written anew" {
		t.Errorf("in the end the service has %q", got)
	}
}
