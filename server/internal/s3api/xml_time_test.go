package s3api

import (
	"testing"
	"time"
)

func TestTimesAreWrittenAsPackageTimeWritesThem(t *testing.T) {
	const layout = "2006-01-02T15:04:05.000Z"
	zone := time.FixedZone("", -7*3600)
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(1700000000, 999999999), time.Unix(1, 1e6),
		time.Date(2024, 2, 29, 23, 59, 59, 1e6-1, zone), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		if got, want := string(appendTime(nil, at)), at.UTC().Format(layout); got != want {
			t.Errorf("%v is written as %s, not %s", at, got, want)
		}
	}
}
