package fs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// FUSE does not say whether attributes are set by a name or by a descriptor. The kernel's list of processes does: who sent the
// request waits in his system call, which is shown there, if we may see it. Where we may not, it is taken for one by a name.

// byDescriptor reports whether a request that sets attributes names the file by a descriptor.
func byDescriptor(ctx context.Context) bool {
	c, ok := fuse.FromContext(ctx)
	if !ok {
		return false
	}
	call, err := readProc(c, "syscall")
	return err == nil && setsByDescriptor(string(call))
}

// setsByDescriptor judges the number of a system call and its arguments, as /proc shows them.
func setsByDescriptor(call string) bool {
	const number, path = 0, 2
	words := strings.Fields(call)
	if len(words) < 7 { // it is not in a system call
		return false
	}
	nr, err := strconv.Atoi(words[number])
	if err != nil {
		return false
	}
	flags := map[int]int{unix.SYS_FCHMODAT2: 4, unix.SYS_UTIMENSAT: 4, unix.SYS_FCHOWNAT: 5} // which word
	switch at, ok := flags[nr]; {
	case slices.Contains([]int{unix.SYS_FCHMOD, unix.SYS_FCHOWN}, nr):
		return true
	case nr == unix.SYS_UTIMENSAT && words[path] == "0x0": // futimens(3)
		return true
	case ok:
		value, err := strconv.ParseUint(words[at], 0, 64)
		return err == nil && value&unix.AT_EMPTY_PATH != 0
	}
	return false
}
