package volume_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pail/s3client"
)

// One of three names, or of two, is removed, while the service takes nothing more once the name itself is gone: what is left
// to do is done later, or by Close.
func TestNameThatCouldNotBeUnlistedIsTriedAgain(t *testing.T) {
	for _, others := range []int{2, 1} {
		for failing := 1; failing <= 4; failing++ { // the first request that fails, of those that change something
			for _, closed := range []bool{false, true} {
				t.Run(fmt.Sprint(others, " left, request ", failing, ", closed ", closed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := newMount(t, conditional, ttl(0))
						m.put("a", "content")
						m.ok(m.link("a", "b"))
						if others == 2 {
							m.ok(m.link("a", "c"))
						}
						changes := 0
						m.faults.set(func(op, _ string) error {
							if op == s3client.OpPut || op == s3client.OpCopy {
								if changes++; changes >= failing {
									return errCut
								}
							}
							return nil
						})
						m.ok(m.unlink("b"))
						m.faults.set(nil)
						if closed {
							m.ok(m.Close(ctx))
						} else {
							time.Sleep(2 * time.Minute)
							synctest.Wait()
							m.mem.ResetCounts()
							time.Sleep(time.Hour)
							m.requests(0, "when all is done")
						}
						after := m.second()
						after.nlink("a", uint32(others))
						after.whole("afterwards", []string{"a"}, nil)
					})
				})
			}
		}
	}
}
