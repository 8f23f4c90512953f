package main

import (
	"os"
	"runtime"
)

// waitingThreads is the least number of threads that go-fuse lets wait for requests; there may be one more.
const waitingThreads = 2

// withSpareProcessors mounts so that the runtime has more processors (GOMAXPROCS) than threads wait for requests; by itself
// go-fuse lets as many wait as there are, and one more. A thread that waits in the kernel holds a processor. Where that
// leaves none idle, the runtime takes it away, and looks for others every 20 microseconds from then on, which takes a third
// of the CPU of a mount that is sent one request after the other. Whoever sets GOMAXPROCS decides by himself.
func withSpareProcessors(mount func() error) error {
	if os.Getenv("GOMAXPROCS") != "" {
		return mount()
	}
	all := runtime.GOMAXPROCS(waitingThreads) // go-fuse goes by it
	defer runtime.GOMAXPROCS(max(all, waitingThreads+2))
	return mount()
}
