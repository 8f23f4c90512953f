package s3api

import (
	"testing"

	"pail/server/internal/lease"
)

// From the time of a line on its reader relies on its leases for a while: none is later than an event that is still to come.
func TestTimesOfLeaseLines(t *testing.T) {
	events := make(chan lease.Event, 3)
	check := func(last, now int64, event *lease.Event, time int64, recall string) {
		t.Helper()
		line := nextLeaseLine(last, now, event, events)
		got := ""
		if line.Recall != nil {
			got = *line.Recall
		}
		if line.Time != time || got != recall {
			t.Errorf("time %d, recall %q", line.Time, got)
		}
	}
	check(1000, 2000, nil, 2000, "")
	events <- lease.Event{Prefix: "a"} // while it looked at the bucket
	check(2000, 3000, nil, 3000, "a")
	events <- lease.Event{Prefix: "b"}
	events <- lease.Event{Prefix: "c"}
	check(3000, 4000, nil, 3000, "b")
	check(3000, 5000, nil, 5000, "c")
	events <- lease.Event{Prefix: "e"}
	check(5000, 6000, &lease.Event{Prefix: "d"}, 5000, "d")
	check(5000, 6000, nil, 6000, "e")
}
