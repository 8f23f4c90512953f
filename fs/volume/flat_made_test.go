package volume_test

import (
	"fmt"
	"testing"
	"time"

	"pail/s3client/memclient"
)

// A directory that is made anew shows nothing of what a page from before tells of one that another client has removed.
func TestWalkShowsADirectoryThatIsMadeAnew(t *testing.T) {
	m := newMount(t, memclient.Full(), ttl(time.Second))
	m.foreign("t/", "")
	for d := range 6 {
		m.foreign(fmt.Sprintf("t/d%d/", d), "")
		m.foreign(fmt.Sprintf("t/d%d/x", d), "")
	}
	m.names("t", "d0", "d1", "d2", "d3", "d4", "d5")
	m.clock.advance(900 * time.Millisecond)
	dir, _, err := m.walk("t")
	m.ok(err)
	for d := range 3 {
		n, _, err := m.Lookup(ctx, dir, fmt.Sprint("d", d))
		m.ok(err)
		m.listOf(n) // from the second on, of a page that tells of the others too
	}
	m.foreignDelete("t/d4/x")
	m.foreignDelete("t/d4/")
	m.clock.advance(200 * time.Millisecond)
	m.missing("t/d4")
	m.mkdir("t/d4")
	m.names("t/d4")
}
