package main

import (
	"errors"
	"runtime"
	"testing"
)

func TestProcessorsAreSpared(t *testing.T) {
	cpus, before := runtime.NumCPU(), runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	failed := errors.New("failed")
	mounts := func(with int) (meanwhile, after int) {
		t.Helper()
		runtime.GOMAXPROCS(with)
		err := withSpareProcessors(func() error {
			meanwhile = runtime.GOMAXPROCS(0)
			return failed
		})
		if !errors.Is(err, failed) {
			t.Error(err)
		}
		return meanwhile, runtime.GOMAXPROCS(0)
	}
	t.Setenv("GOMAXPROCS", "")
	meanwhile, after := mounts(cpus)
	if small := cpus < waitingThreads+2; small && (meanwhile != waitingThreads || after <= waitingThreads+1) || !small && after != cpus {
		t.Errorf("on %d CPUs: %d processors, then %d", cpus, meanwhile, after)
	}
	if meanwhile, after := mounts(cpus + 1); meanwhile != cpus+1 || after != cpus+1 {
		t.Errorf("with a number that is not that of the CPUs: %d, then %d", meanwhile, after)
	}
	t.Setenv("GOMAXPROCS", "3")
	if meanwhile, after := mounts(cpus); meanwhile != cpus || after != cpus {
		t.Errorf("although the number is set: %d, then %d", meanwhile, after)
	}
}
