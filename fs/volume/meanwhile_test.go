package volume_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// heldPut is a client whose first PUT of a key waits for gate.
type heldPut struct {
	s3client.Client
	key     string
	once    *sync.Once
	reached chan struct{}
	gate    chan struct{}
}

func (c heldPut) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	if key == c.key {
		c.once.Do(func() {
			close(c.reached)
			<-c.gate
		})
	}
	return c.Client.Put(ctx, key, body, opt)
}

// heldUp holds the first PUT of a key up.
func heldUp(key string) (c *heldPut, through setup) {
	c = &heldPut{key: key, once: &sync.Once{}, reached: make(chan struct{}), gate: make(chan struct{})}
	return c, func(o *volume.Options, _ *upload.Options) {
		c.Client = o.Client
		o.Client = c
	}
}

// TestWriterDoesNotWaitForAnUpload writes to a file, and syncs it, while the service takes its time with what it had before:
// each of the two gets what it has asked for, also if the mount dies before or after the service has the first.
func TestWriterDoesNotWaitForAnUpload(t *testing.T) {
	old := strings.Repeat("0123456789", 1000)
	for name, local := range map[string]setup{"in memory": noChange, "on disk": onDisk(t)} {
		for _, emptied := range []bool{false, true} {
			for _, crash := range []string{"", "before it is stored", "after it is stored"} {
				t.Run(fmt.Sprintf("%s, emptied %v, crash %s", name, emptied, crash), func(t *testing.T) {
					slow, through := heldUp("f")
					m := newJournaled(t, conditional, local, through)
					m.put("f", old)
					<-slow.reached
					h, written := m.writeMeanwhile("f", old, emptied)
					switch crash {
					case "":
						close(slow.gate)
						m.close(h)
					case "before it is stored":
						m = m.dieUnsent(h, slow, local)
					case "after it is stored":
						m = m.dieUnheard(h, slow, local)
					}
					if got := m.get("f"); got != written {
						t.Fatalf("it reads %d bytes", len(got))
					}
					m.stored()
					if got := m.object("f"); got != written {
						t.Errorf("the service has %d bytes", len(got))
					}
					if keys := m.mem.Keys(); len(keys) != 1 {
						t.Errorf("the service has %q", keys)
					}
				})
			}
		}
	}
}

func noChange(*volume.Options, *upload.Options) {}

// writeMeanwhile changes a file, or empties it and writes it anew, and syncs it.
func (m *mount) writeMeanwhile(path, old string, emptied bool) (h *volume.Handle, written string) {
	m.t.Helper()
	if emptied {
		h, written = m.open(path, volume.OpenFlags{Write: true, Truncate: true}), "XYZ, and nothing else"
		m.writeAll(h, written, 0)
	} else {
		h, written = m.open(path, readWrite), old[:100]+"XYZ"+old[103:]+"end"
		m.writeAll(h, "XYZ", 100)
		m.writeAll(h, "end", int64(len(old)))
	}
	m.ok(h.Fsync(ctx))
	if got := m.get(path); got != written {
		m.t.Fatalf("it reads %d bytes", len(got))
	}
	return h, written
}

// dieUnsent ends a mount before what is held up is stored.
func (m *mount) dieUnsent(h *volume.Handle, slow *heldPut, change ...setup) *mount {
	m.t.Helper()
	disk := m.disk.Kill()
	m.faults.set(func(string, string) error { return errCut })
	close(slow.gate)
	h.Release()
	return m.after(disk, change...)
}

// dieUnheard ends a mount after what is held up is stored, of which it hears nothing.
func (m *mount) dieUnheard(h *volume.Handle, slow *heldPut, change ...setup) *mount {
	m.t.Helper()
	var once sync.Once
	stored := make(chan struct{})
	m.faults.set(func(op, _ string) error {
		if op != "after "+s3client.OpPut {
			return nil
		}
		once.Do(func() { close(stored) })
		return errCut
	})
	close(slow.gate)
	<-stored
	h.Release()
	return m.crash(change...)
}

// TestWrittenWhileAnotherClientWins keeps what is written to a file beside, also what came while the first of it was being
// kept.
func TestWrittenWhileAnotherClientWins(t *testing.T) {
	slow, through := heldUp("f")
	m := newJournaled(t, conditional, onDisk(t), through)
	m.put("f", "mine")
	<-slow.reached
	m.foreign("f", "theirs")
	kept := make(chan struct{})
	h := m.open("f", readWrite)
	first := true
	m.faults.set(func(op, key string) error {
		if op == s3client.OpPut && strings.Contains(key, "conflict") && first {
			first = false
			m.writeAll(h, " and more", 4)
			m.ok(h.Fsync(ctx))
			close(kept)
		}
		return nil
	})
	close(slow.gate)
	<-kept
	err := h.Flush(ctx)
	for err == nil { // the journal has it, and who has won is not known yet
		runtime.Gosched()
		err = h.Flush(ctx)
	}
	m.want(err, volume.ErrStale)
	h.Release()
	m.stored()
	if m.object("f") != "theirs" || m.object(m.conflictOf("f")) != "mine and more" {
		t.Errorf("f has %q, the other %q", m.object("f"), m.object(m.conflictOf("f")))
	}
}
