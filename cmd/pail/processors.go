package main

import (
	"os"
	"runtime"
)

// waitingThreads is the least number of threads that go-fuse lets wait for requests; there may be one more.
const waitingThreads = 2

// withSpareProcessors mounts so that on small machines Go's runtime has more processors (GOMAXPROCS) than threads wait for
// requests; by itself go-fuse lets as many wait as there are, and one more. A thread that waits in the kernel holds a
// processor. Where that leaves none idle, the runtime takes it away, and looks for others every 20 microseconds from then
// on, which takes a third of the CPU of a mount that is sent one request after the other.
//
// Nothing is done where more threads would only use a share of the CPUs up sooner (a limit of a control group, which the
// runtime goes by, and follows as long as nobody sets the number), nor where GOMAXPROCS is set.
func withSpareProcessors(mount func() error) error {
	all := runtime.GOMAXPROCS(0)
	if all != runtime.NumCPU() || all >= waitingThreads+2 || os.Getenv("GOMAXPROCS") != "" {
		return mount()
	}
	runtime.GOMAXPROCS(waitingThreads) // go-fuse goes by it
	defer runtime.GOMAXPROCS(waitingThreads + 2)
	return mount()
}
