package server

import "testing"

func TestMemoryIsGivenBackOnceInEachPause(t *testing.T) {
	var i idle
	for n, look := range []struct{ busy, give bool }{
		{false, true}, {false, false}, {true, false}, {true, false}, {false, true}, {false, false}, {true, false}, {false, true},
	} {
		if look.busy {
			i.requests.Add(1)
		}
		if got := i.pauses(); got != look.give {
			t.Errorf("look %d: gives back: %v", n, got)
		}
	}
}
