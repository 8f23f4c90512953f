package main

import (
	"testing"

	"pail/fs/volume"
)

// TestMemoryLeavesRoomForNames: with a small memory_limit the collector still has room for all names that may be remembered.
func TestMemoryLeavesRoomForNames(t *testing.T) {
	const names = 100_000
	for _, limit := range []int64{32 << 20, 64 << 20, 1 << 30} {
		with, without := memoryBudget(limit, names), memoryBudget(limit, 0)
		if room := with.heap - without.heap; room < names*volume.NameMemory {
			t.Errorf("with memory_limit=%d there are %d bytes for %d names", limit, room, names)
		}
		if with.stage+with.readahead > limit {
			t.Errorf("with memory_limit=%d data may take %d bytes", limit, with.stage+with.readahead)
		}
	}
}
