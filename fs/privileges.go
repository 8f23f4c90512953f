package fs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"pail/fs/volume"
)

// The kernel says with a request whether whoever makes it lacks the right to leave setuid and setgid as they are, but
// go-fuse does not pass that on to the node. It gets there as a bit of the caller's process number, which no real one has.
const lossBit = 1 << 31

// withLoss notes that a request takes set-id bits away.
func withLoss(in *fuse.InHeader) { in.Pid |= lossBit }

// threadOf returns the number of the thread that a request comes from; 0: it is not known.
func threadOf(c *fuse.Caller) uint32 { return c.Pid &^ lossBit }

// losesSetID reports whether withLoss was called.
func losesSetID(ctx context.Context) bool {
	c, ok := fuse.FromContext(ctx)
	return ok && c.Pid&lossBit != 0
}

// loss returns what a file loses by the request.
func loss(ctx context.Context) volume.Loss {
	return volume.Loss{SetID: losesSetID(ctx), Member: func(gid uint32) bool { return mayUseGroup(ctx, gid) }}
}

// mayUseGroup reports whether the caller may leave the setgid bit to a file of this group: who is in it, or may do so
// with any. FUSE tells one group only.
func mayUseGroup(ctx context.Context, gid uint32) bool {
	c, ok := fuse.FromContext(ctx)
	if !ok || c.Gid == gid {
		return ok
	}
	p := processOf(c)
	return p.can(unix.CAP_FSETID) || slices.Contains(p.groups, strconv.FormatUint(uint64(gid), 10))
}

// mayChangeMode reports whether the caller may change the mode of a file with this owner.
func mayChangeMode(ctx context.Context, uid uint32) bool {
	c, ok := fuse.FromContext(ctx)
	return ok && (c.Uid == uid || processOf(c).can(unix.CAP_FOWNER))
}

// process is what only the kernel's list of processes tells of a caller.
type process struct {
	groups []string
	caps   uint64
}

func (p process) can(capability uint) bool { return p.caps&(1<<capability) != 0 }

// readProc reads a file of the kernel's list of processes about a caller.
func readProc(c *fuse.Caller, name string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", threadOf(c), name))
}

// processOf returns what is known of a caller. One that cannot be found is in no further group, and root can do all.
func processOf(c *fuse.Caller) process {
	status, err := readProc(c, "status")
	if err != nil {
		return process{caps: map[bool]uint64{true: ^uint64(0)}[c.Uid == 0]}
	}
	field := func(name string) []string {
		_, rest, _ := strings.Cut(string(status), "\n"+name+":")
		value, _, _ := strings.Cut(rest, "\n")
		return strings.Fields(value)
	}
	caps, _ := strconv.ParseUint(strings.Join(field("CapEff"), ""), 16, 64) // the kernel's own format
	return process{groups: field("Groups"), caps: caps}
}

// lose takes from an open file what a request costs it. The kernel may have the old mode still, by which it would
// execute the file.
func (n *node) lose(ctx context.Context, h *volume.Handle, how volume.Loss) error {
	lost, err := h.Lose(ctx, how)
	if lost {
		n.attributesChanged()
	}
	return err
}
