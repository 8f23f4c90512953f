package readahead

import "testing"

// Chunks are filled together where they follow each other in memory.
func TestRunsOfChunks(t *testing.T) {
	m := newMemory(2*slabChunks, func(size int) ([]byte, func() error) {
		return make([]byte, size), func() error { return nil }
	})
	m.grow()
	m.grow()
	c := m.free
	mixed := [][]byte{c[0], c[1], c[3], c[2], c[slabChunks-1], c[slabChunks], c[2*slabChunks-1]}
	for _, x := range []struct {
		chunks [][]byte
		at     int64
		want   int
	}{
		{mixed, 0, 2 * chunkSize},
		{mixed, 10, 2*chunkSize - 10},
		{mixed, chunkSize + 10, chunkSize - 10},
		{mixed, 2 * chunkSize, chunkSize},
		{mixed, 3 * chunkSize, chunkSize},
		{mixed, 5 * chunkSize, chunkSize},
		{mixed, 6 * chunkSize, chunkSize},
		{c, chunkSize, maxRun * chunkSize},
		{c, (slabChunks - 2) * chunkSize, 2 * chunkSize}, // the slab ends
	} {
		got := runAt(x.chunks, x.at)
		if len(got) != x.want || &got[0] != &chunkAt(x.chunks, x.at)[0] {
			t.Errorf("at %d: %d bytes, want %d", x.at, len(got), x.want)
		}
	}
}
