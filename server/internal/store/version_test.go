package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/server/internal/meta"
)

func TestVersionIDs(t *testing.T) {
	for _, rank := range []uint64{1, 2, 1_800_000_000_000_000_000} {
		id := newVersion(rank, [8]byte{1, 2, byte(rank)})
		if back, ok := parseVersion(versionText(id)); !ok || back != id || versionRank(back) != rank {
			t.Errorf("rank %d: %v comes back as %v, %v", rank, id, back, ok)
		}
		if newer := newVersion(rank+1, [8]byte{}); bytes.Compare(newer[:], id[:]) >= 0 {
			t.Errorf("rank %d is not before %d", rank+1, rank)
		}
	}
	good := versionText(newVersion(5, [8]byte{}))
	for _, bad := range []string{"", "null", "x", good[1:], good + "0", strings.ToUpper("abcdef") + good[6:], strings.Repeat("g", 32)} {
		if _, ok := parseVersion(bad); ok {
			t.Errorf("%q is a version", bad)
		}
	}
	a, b := versionText(newVersion(5, [8]byte{1})), versionText(newVersion(5, [8]byte{2}))
	if a[16:] == b[16:] {
		t.Error("the rank can be read from a version")
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add(versionText(newVersion(7, [8]byte{3})))
	f.Add("null")
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := parseVersion(text); ok && versionText(id) != text {
			t.Errorf("%q comes back as %q", text, versionText(id))
		}
	})
}

func (e *env) versioning(v Versioning) {
	e.t.Helper()
	if err := e.SetVersioning(ctx, "b", v); err != nil {
		e.t.Fatal(err)
	}
}

// versionsOf lists "key version [marker] [latest]".
func (e *env) versionsOf(q VersionsQuery) (list []string, page VersionsResult) {
	e.t.Helper()
	page, err := e.ListVersions(ctx, "b", q)
	if err != nil {
		e.t.Error(err)
	}
	for _, o := range page.Versions {
		list = append(list, fmt.Sprintf("%s %s %v %v", o.Key, o.VersionID, o.DeleteMarker, o.Latest))
	}
	return list, page
}

// TestVersionsWithAClockThatStandsStill: the order of versions is that of the writes, whatever the clock does.
func TestVersionsWithAClockThatStandsStill(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		var want []string
		for i := range 20 {
			if i%5 == 4 {
				e.clock.Add(-100)
			}
			o := e.put("k", data(i, 1))
			want = append([]string{fmt.Sprintf("k %s false %v", o.VersionID, i == 19)}, want...)
		}
		if got, _ := e.versionsOf(VersionsQuery{Max: 100}); !slices.Equal(got, want) {
			t.Errorf("versions\n%q, want\n%q", got, want)
		}
	})
}

func TestVersionPagesWithDelimiter(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		for _, key := range []string{"a", "a/1", "a/2", "b", "b/1", "c"} {
			e.put(key, nil)
			e.delete(key)
		}
		var got []string
		q := VersionsQuery{Delimiter: "/", Max: 3}
		for range 10 {
			_, page := e.versionsOf(q)
			for _, o := range page.Versions {
				got = append(got, fmt.Sprint(o.Key, o.DeleteMarker))
			}
			got = append(append(got, page.Prefixes...), "|")
			if !page.Truncated {
				break
			}
			q.KeyMarker, q.VersionIDMarker = page.NextKeyMarker, page.NextVersionIDMarker
		}
		// A page lists its versions, then its prefixes.
		want := []string{"atrue", "afalse", "a/", "|", "btrue", "bfalse", "b/", "|", "ctrue", "cfalse", "|"}
		if !slices.Equal(got, want) {
			t.Errorf("pages %q, want %q", got, want)
		}
		if got, _ := e.versionsOf(VersionsQuery{Prefix: "b", KeyMarker: "b", Max: 10}); len(got) != 2 || !strings.HasPrefix(got[0], "b/1 ") {
			t.Errorf("behind a key: %q", got)
		}
	})
}

// TestVersionMarkerThatIsGone: a page goes on behind a version that was removed meanwhile.
func TestVersionMarkerThatIsGone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.put("k", data(1, 1))
		e.versioning(Enabled)
		var ids []string
		for range 3 {
			ids = append(ids, e.put("k", nil).VersionID)
		}
		e.remove("k", ids[1])
		got, _ := e.versionsOf(VersionsQuery{KeyMarker: "k", VersionIDMarker: ids[1], Max: 9})
		if want := []string{"k " + ids[0] + " false false", "k null false false"}; !slices.Equal(got, want) {
			t.Errorf("behind a removed version: %q, want %q", got, want)
		}
		if got, _ = e.versionsOf(VersionsQuery{KeyMarker: "k", VersionIDMarker: NullVersion, Max: 9}); len(got) != 0 {
			t.Errorf("behind the null version: %q", got)
		}
		_, err := e.ListVersions(ctx, "b", VersionsQuery{KeyMarker: "k", VersionIDMarker: "x", Max: 9})
		wantErr(t, err, ErrInvalidVersion)
	})
}

func (e *env) remove(key, version string) {
	e.t.Helper()
	if _, err := e.DeleteObject(ctx, "b", key, DeleteInput{VersionID: version}); err != nil {
		e.t.Errorf("removal of %q version %s: %v", key, version, err)
	}
}

// TestConditionsWithADeleteMarker: a delete marker is no object.
func TestConditionsWithADeleteMarker(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		etag := e.put("k", data(3, 1)).ETag
		e.delete("k")
		put := func(c Conditions) error {
			_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Cond: c})
			return err
		}
		wantErr(t, put(Conditions{IfMatch: []string{etag}}), ErrNoSuchKey)
		wantErr(t, put(Conditions{IfMatch: anything}), ErrNoSuchKey)
		_, err := e.DeleteObject(ctx, "b", "k", DeleteInput{Cond: Conditions{IfMatch: []string{etag}}})
		wantErr(t, err, ErrNoSuchKey)
		wantErr(t, put(Conditions{IfNoneMatch: anything}), nil)
		wantErr(t, put(Conditions{IfNoneMatch: anything}), ErrPrecondition)
	})
}

func TestBucketWithVersionsIsNotEmpty(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		v := e.put("k", nil).VersionID
		res, err := e.DeleteObject(ctx, "b", "k", DeleteInput{})
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, e.DeleteBucket(ctx, "b"), ErrBucketNotEmpty)
		e.remove("k", v)
		wantErr(t, e.DeleteBucket(ctx, "b"), ErrBucketNotEmpty)
		e.remove("k", res.MarkerVersionID)
		wantErr(t, e.DeleteBucket(ctx, "b"), nil)
	})
}

// TestConcurrentVersions: of writes at the same time, each makes its version.
func TestConcurrentVersions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		var wg sync.WaitGroup
		for w := range 5 {
			wg.Go(func() {
				for i := range 10 {
					if _, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(i, byte(w))), Size: int64(i)}); err != nil {
						t.Error(err)
					}
					if _, err := e.DeleteObject(ctx, "b", "k", DeleteInput{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got, _ := e.versionsOf(VersionsQuery{Max: 1000}); len(got) != 100 {
			t.Errorf("%d versions, want 100", len(got))
		}
	})
}

func TestRetentionRules(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	later, latest, past := now.Add(time.Hour), now.Add(2*time.Hour), now.Add(-time.Hour)
	for _, c := range []struct {
		from, to      Retention
		plain, bypass bool // possible
	}{
		{Retention{}, Retention{Compliance, later}, true, true},
		{Retention{Governance, past}, Retention{}, true, true},
		{Retention{Compliance, past}, Retention{}, true, true},
		{Retention{Governance, later}, Retention{Governance, latest}, true, true},
		{Retention{Governance, latest}, Retention{Governance, later}, false, true},
		{Retention{Governance, later}, Retention{Compliance, latest}, false, true},
		{Retention{Governance, later}, Retention{}, false, true},
		{Retention{Compliance, later}, Retention{Compliance, latest}, true, true},
		{Retention{Compliance, later}, Retention{Compliance, later}, true, true},
		{Retention{Compliance, latest}, Retention{Compliance, later}, false, false},
		{Retention{Compliance, later}, Retention{Governance, latest}, false, false},
		{Retention{Compliance, later}, Retention{}, false, false},
	} {
		for bypass, want := range map[bool]bool{false: c.plain, true: c.bypass} {
			if err := c.from.change(c.to, now, bypass); (err == nil) != want || err != nil && !errors.Is(err, ErrLocked) {
				t.Errorf("%v to %v, bypass %v: %v", c.from, c.to, bypass, err)
			}
		}
	}
}

// TestRetentionEnds: what protects a version until a time does so no longer.
func TestRetentionEnds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		if err := e.SetObjectLock(ctx, "b", DefaultRetention{Mode: Compliance, Days: 1}); err != nil {
			t.Fatal(err)
		}
		wantErr(t, e.SetVersioning(ctx, "b", Suspended), ErrBucketState)
		o := e.put("k", data(5000, 1))
		e.delete("k")
		if err := e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "k", Dst: "l"}); !errors.Is(err, ErrNoSuchKey) {
			t.Error(err)
		}
		_, err := e.DeleteObject(ctx, "b", "k", DeleteInput{VersionID: o.VersionID, Bypass: true})
		wantErr(t, err, ErrLocked)
		e.clock.Add(24*3600 + 1)
		e.remove("k", o.VersionID)
		_, err = e.HeadObject(ctx, "b", "k", ReadInput{VersionID: o.VersionID})
		wantErr(t, err, ErrNoSuchVersion)
	})
}

// TestDamagedVersions: a damaged version is listed nowhere, keeps no other from being used, and can be removed.
func TestDamagedVersions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		v1, v2 := e.put("k", nil).VersionID, e.put("k", nil).VersionID
		e.put("k", nil)
		id, _ := parseVersion(v2)
		e.damage(meta.VersionKey(1, "k", id))
		if got, _ := e.versionsOf(VersionsQuery{Max: 10}); len(got) != 2 {
			t.Errorf("versions %q", got)
		}
		_, err := e.HeadObject(ctx, "b", "k", ReadInput{VersionID: v2})
		wantErr(t, err, ErrDamaged)
		if r, err := e.Check(ctx, CheckOptions{}); err != nil || len(r.Problems) == 0 || len(r.Affected) != 1 || r.Affected[0].Version != v2 {
			t.Errorf("Check: %+v, %v", r, err)
		}
		e.remove("k", v2)
		if _, err := e.HeadObject(ctx, "b", "k", ReadInput{VersionID: v1}); err != nil {
			t.Error(err)
		}
	})
}

// damage changes the row of that key.
func (e *env) damage(key []byte) {
	e.t.Helper()
	err := e.db.Update(ctx, func(x meta.Txn) error {
		v, err := x.Get(key)
		if err != nil {
			return err
		}
		v[len(v)-1]++
		return x.Set(key, v)
	})
	if err != nil {
		e.t.Fatalf("row %q: %v", key, err)
	}
}
