package main

import (
	"errors"
	"runtime"
	"testing"
)

func TestProcessorsAreSpared(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	failed := errors.New("failed")
	for _, c := range []struct{ all, want int }{{1, 4}, {2, 4}, {3, 4}, {4, 4}, {16, 16}} {
		runtime.GOMAXPROCS(c.all)
		err := withSpareProcessors(func() error {
			if now := runtime.GOMAXPROCS(0); now != waitingThreads {
				t.Errorf("mounted with %d processors", now)
			}
			return failed
		})
		if now := runtime.GOMAXPROCS(0); now != c.want || !errors.Is(err, failed) {
			t.Errorf("%d processors of %d, want %d; error %v", now, c.all, c.want, err)
		}
	}
	t.Setenv("GOMAXPROCS", "3")
	runtime.GOMAXPROCS(3)
	err := withSpareProcessors(func() error { return nil })
	if now := runtime.GOMAXPROCS(0); now != 3 || err != nil {
		t.Errorf("%d processors, although 3 are set; error %v", now, err)
	}
}
