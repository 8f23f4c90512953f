package main

import (
	"os"
	"strconv"
	"strings"

	fuse "pail/fs"
	"pail/fs/volume"
)

// defaultMemory is what a mount takes when nothing is said, unless the machine is small.
const defaultMemory = 256 << 20

// budget is how the memory of a mount is shared out, in bytes. What is left over is for requests in the kernel's hands,
// and for what the collector has not freed yet.
type budget struct {
	heap      int64 // what Go's collector aims at; the data written is part of it
	readahead int64 // data read ahead, outside Go's heap
	stage     int64 // data written and not yet sent
}

// memoryBudget shares out limit bytes, or a share of the machine's memory for 0. The names that may be remembered come on
// top, and the files that the kernel knows: where they alone are more than the collector's aim, it runs all the time and
// frees nothing.
func memoryBudget(limit int64, names int) budget {
	if limit <= 0 {
		limit = defaultMemory
		if total := machineMemory(); total > 0 {
			limit = min(limit, max(total/4, 64<<20))
		}
	}
	return budget{heap: limit*5/8 + int64(names)*volume.NameMemory + fuse.NodeMemory + volume.KeptMemory, readahead: limit * 3 / 8, stage: limit / 8}
}

// machineMemory returns the memory of the machine or of the process's control group, whichever is less; 0 if unknown.
func machineMemory() (total int64) {
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		fields := strings.Fields(string(text))
		if len(fields) > 1 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				total = kib << 10
			}
		}
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && (total == 0 || n < total) {
			total = n
		}
	}
	return total
}
