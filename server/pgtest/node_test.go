package pgtest

import (
	"runtime"
	"sync"
	"testing"
)

// A thread that ends, as others do whose goroutines keep them, takes no program with it.
func TestProgramsOutliveThreads(t *testing.T) {
	Need(t)
	over := make(chan struct{})
	defer close(over)
	for range 4 {
		go func() {
			for ended := make(chan struct{}); ; <-ended {
				select {
				case <-over:
					return
				default:
					go func() { runtime.LockOSThread(); ended <- struct{}{} }() // not unlocked
				}
			}
		}()
	}
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 10 {
				if err := program("postgres", "--version"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}
