package upload

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"pail/fs/stage"
	"pail/s3client"
)

// small has the proportions of S3's limits, with a unit of one byte for one MiB.
func small() limits {
	return limits{min: 5, max: 5000, maxCopy: 5000, count: 1000, send: 10, copied: 500}
}

func TestPlan(t *testing.T) {
	const (
		d = stage.Data
		u = stage.Unchanged
		z = stage.Zero
	)
	for _, c := range []struct {
		name string
		size int64
		ext  []stage.Extent
		lim  func(*limits)
		want []part
	}{
		{"new file", 35, []stage.Extent{{Off: 0, Len: 35, Kind: d}}, nil,
			[]part{{0, 10, false}, {10, 10, false}, {20, 10, false}, {30, 5, false}}},
		{"a small rest is the last part", 31, []stage.Extent{{Off: 0, Len: 31, Kind: d}}, nil,
			[]part{{0, 10, false}, {10, 10, false}, {20, 10, false}, {30, 1, false}}},
		{"holes are sent", 30, []stage.Extent{{Off: 0, Len: 1, Kind: d}, {Off: 1, Len: 28, Kind: z}, {Off: 29, Len: 1, Kind: d}}, nil,
			[]part{{0, 10, false}, {10, 10, false}, {20, 10, false}}},
		{"append", 103, []stage.Extent{{Off: 0, Len: 100, Kind: u}, {Off: 100, Len: 3, Kind: d}}, nil,
			[]part{{0, 100, true}, {100, 3, false}}},
		{"a small change borrows from what follows", 100,
			[]stage.Extent{{Off: 0, Len: 50, Kind: u}, {Off: 50, Len: 1, Kind: d}, {Off: 51, Len: 49, Kind: u}}, nil,
			[]part{{0, 50, true}, {50, 5, false}, {55, 45, true}}},
		{"a change at the start", 100, []stage.Extent{{Off: 0, Len: 1, Kind: d}, {Off: 1, Len: 99, Kind: u}}, nil,
			[]part{{0, 5, false}, {5, 95, true}}},
		{"a change near the end takes the rest", 100,
			[]stage.Extent{{Off: 0, Len: 96, Kind: u}, {Off: 96, Len: 1, Kind: d}, {Off: 97, Len: 3, Kind: u}}, nil,
			[]part{{0, 96, true}, {96, 4, false}}},
		{"a short unchanged start is sent", 100, []stage.Extent{{Off: 0, Len: 4, Kind: u}, {Off: 4, Len: 96, Kind: d}}, nil,
			[]part{{0, 10, false}, {10, 10, false}, {20, 10, false}, {30, 10, false}, {40, 10, false}, {50, 10, false},
				{60, 10, false}, {70, 10, false}, {80, 10, false}, {90, 10, false}}},
		{"a short unchanged end is copied", 24, []stage.Extent{{Off: 0, Len: 20, Kind: d}, {Off: 20, Len: 4, Kind: u}}, nil,
			[]part{{0, 10, false}, {10, 10, false}, {20, 4, true}}},
		{"no room between two changes", 40,
			[]stage.Extent{{Off: 0, Len: 10, Kind: u}, {Off: 10, Len: 1, Kind: d}, {Off: 11, Len: 6, Kind: u}, {Off: 17, Len: 1, Kind: d}, {Off: 18, Len: 22, Kind: u}}, nil,
			[]part{{0, 10, true}, {10, 8, false}, {18, 22, true}}},
		{"a rest in the middle joins the part before it", 50,
			[]stage.Extent{{Off: 0, Len: 13, Kind: d}, {Off: 13, Len: 37, Kind: u}}, nil,
			[]part{{0, 13, false}, {13, 37, true}}},
		{"long copies are cut", 1203, []stage.Extent{{Off: 0, Len: 1203, Kind: u}}, nil,
			[]part{{0, 500, true}, {500, 500, true}, {1000, 203, true}}},
		{"a copy's small rest in the middle", 520, []stage.Extent{{Off: 0, Len: 502, Kind: u}, {Off: 502, Len: 18, Kind: d}},
			func(l *limits) { l.maxCopy = 500 },
			[]part{{0, 251, true}, {251, 251, true}, {502, 10, false}, {512, 8, false}}},
		{"copying is off", 20, []stage.Extent{{Off: 0, Len: 20, Kind: u}}, func(l *limits) { l.copied = 0 },
			[]part{{0, 10, false}, {10, 10, false}}},
		{"a short end is sent when parts are short", 2, []stage.Extent{{Off: 0, Len: 1, Kind: d}, {Off: 1, Len: 1, Kind: u}},
			func(l *limits) { l.min, l.count = 1, 1 }, []part{{0, 2, false}}},
		{"parts grow", 100, []stage.Extent{{Off: 0, Len: 100, Kind: d}}, func(l *limits) { l.count = 4 },
			[]part{{0, 40, false}, {40, 40, false}, {80, 20, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lim := small()
			if c.lim != nil {
				c.lim(&lim)
			}
			got, err := plan(c.size, c.ext, lim)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("plan = %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestPlanOfWhatCannotFit(t *testing.T) {
	lim := s3limits()
	for _, kind := range []stage.Kind{stage.Data, stage.Unchanged} {
		const most = s3client.MaxParts * s3client.MaxPartSize
		if parts, err := plan(most, []stage.Extent{{Len: most, Kind: kind}}, lim); err != nil || len(parts) != s3client.MaxParts {
			t.Errorf("the largest object: %d parts, %v", len(parts), err)
		}
		if _, err := plan(most+1, []stage.Extent{{Len: most + 1, Kind: kind}}, lim); !errors.Is(err, s3client.ErrTooLarge) {
			t.Errorf("one byte more: %v", err)
		}
	}
}

func s3limits() limits { return New(Options{}).lim }

func TestLargestObjectHasAPlan(t *testing.T) {
	whole := []stage.Extent{{Len: MaxObjectSize, Kind: stage.Unchanged}}
	changed := []stage.Extent{{Len: 1}, {Off: 1, Len: MaxObjectSize - 2, Kind: stage.Unchanged}, {Off: MaxObjectSize - 1, Len: 1}}
	for _, extents := range [][]stage.Extent{nil, whole, changed} {
		parts, err := plan(MaxObjectSize, extents, New(Options{}).lim)
		if err != nil || len(parts) > s3client.MaxParts {
			t.Errorf("plan of %v: %d parts, %v", extents, len(parts), err)
		}
	}
}

func TestPlanOfManyChangesKeepsToTheNumberOfParts(t *testing.T) {
	const step, changes = 64 << 20, 20_000
	var ext []stage.Extent
	for i := range int64(changes) {
		ext = append(ext, stage.Extent{Off: i * step, Len: step / 2, Kind: stage.Unchanged},
			stage.Extent{Off: i*step + step/2, Len: step / 2, Kind: stage.Data})
	}
	parts, err := plan(changes*step, ext, s3limits())
	if err != nil || len(parts) > s3client.MaxParts {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	checkPlan(t, changes*step, ext, s3limits(), parts)
}

func TestPlanIsLegal(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lim := limits{
			min:     rapid.Int64Range(1, 8).Draw(rt, "min"),
			count:   rapid.IntRange(1, 200).Draw(rt, "count"),
			maxCopy: rapid.Int64Range(20, 100).Draw(rt, "maxCopy"),
			max:     rapid.Int64Range(20, 100).Draw(rt, "max"),
		}
		lim.send = rapid.Int64Range(lim.min, lim.max).Draw(rt, "send")
		if rapid.IntRange(0, 3).Draw(rt, "copy") > 0 {
			lim.copied = rapid.Int64Range(lim.min, lim.maxCopy).Draw(rt, "copied")
		}
		var ext []stage.Extent
		size := int64(0)
		for range rapid.IntRange(1, 20).Draw(rt, "extents") {
			e := stage.Extent{Off: size, Len: rapid.Int64Range(1, 60).Draw(rt, "len"), Kind: stage.Kind(rapid.IntRange(0, 2).Draw(rt, "kind"))}
			if n := len(ext); n > 0 && ext[n-1].Kind == e.Kind {
				continue
			}
			ext = append(ext, e)
			size += e.Len
		}
		parts, err := plan(size, ext, lim)
		if err != nil {
			if size <= int64(lim.count)*lim.max/2 {
				rt.Fatalf("%d bytes: %v", size, err)
			}
			return
		}
		checkPlan(rt, size, ext, lim, parts)
	})
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkPlan checks that parts cover the content, are of legal sizes, and copy only what is unchanged.
func checkPlan(t failer, size int64, ext []stage.Extent, lim limits, parts []part) {
	t.Helper()
	if len(parts) > lim.count {
		t.Fatalf("%d parts", len(parts))
	}
	end := int64(0)
	for i, p := range parts {
		most := lim.max
		if p.copied {
			most = lim.maxCopy
		}
		if p.off != end || p.len <= 0 || p.len > most || i < len(parts)-1 && p.len < lim.min {
			t.Fatalf("part %d of %v", i+1, parts)
		}
		if p.copied && (lim.copied == 0 || !unchanged(ext, p)) {
			t.Fatalf("part %d of %v copies what has changed", i+1, parts)
		}
		end = p.end()
	}
	if end != size {
		t.Fatalf("parts end at %d of %d", end, size)
	}
}

func unchanged(ext []stage.Extent, p part) bool {
	for _, e := range ext {
		if e.Kind == stage.Unchanged && e.Off <= p.off && p.end() <= e.Off+e.Len {
			return true
		}
	}
	return false
}

func TestPlanSendsLittleAroundASmallChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lim := small()
		size := rapid.Int64Range(30, 3000).Draw(rt, "size")
		off := rapid.Int64Range(0, size-1).Draw(rt, "off")
		n := rapid.Int64Range(1, size-off).Draw(rt, "n")
		var ext []stage.Extent
		for _, e := range []stage.Extent{{Off: 0, Len: off, Kind: stage.Unchanged}, {Off: off, Len: n, Kind: stage.Data}, {Off: off + n, Len: size - off - n, Kind: stage.Unchanged}} {
			if e.Len > 0 {
				ext = append(ext, e)
			}
		}
		parts, err := plan(size, ext, lim)
		if err != nil {
			rt.Fatal(err)
		}
		sent := int64(0)
		for _, p := range parts {
			if !p.copied {
				sent += p.len
			}
		}
		if sent > n+2*lim.min {
			rt.Fatalf("%d bytes sent for a change of %d: %v", sent, n, parts)
		}
	})
}
