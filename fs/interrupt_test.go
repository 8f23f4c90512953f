package fs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestInterruptEndsARequestAfterAGrace(t *testing.T) {
	for name, asked := range map[string]bool{"that waits already": true, "that waits later": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				interrupt := make(chan struct{})
				p, end := interruptible(&fuse.Context{Cancel: interrupt})
				defer end()
				if asked {
					p.Done()
				}
				close(interrupt)
				began := time.Now()
				<-p.Done()
				if after := time.Since(began); after != interruptGrace || p.Err() != context.Canceled {
					t.Errorf("ended after %v with %v", after, p.Err())
				}
			})
		})
	}
}

// TestInterruptOfTheNextRequest: go-fuse uses the channel of a request that is over for another one.
func TestInterruptOfTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupt := make(chan struct{})
		before, end := interruptible(&fuse.Context{Cancel: interrupt})
		before.Done()
		end()
		late, end := interruptible(&fuse.Context{Cancel: interrupt})
		end()
		close(interrupt)
		time.Sleep(2 * interruptGrace)
		select {
		case <-before.Done():
			t.Error("a request that was over has ended once more")
		case <-late.Done():
			t.Error("a request is interrupted that was over before anybody waited")
		default:
		}
		if before.Err() != nil || late.Err() != nil {
			t.Error(before.Err(), late.Err())
		}
	})
}
