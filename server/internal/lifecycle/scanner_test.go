package lifecycle

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/blob/blobtest"
	"pail/server/internal/meta/memdb"
	"pail/server/internal/store"
)

var ctx = context.Background()

// world is a store with a clock, and a scanner whose day is a second.
type world struct {
	*testing.T
	*store.Store
	clock   atomic.Int64
	scanner *Scanner
}

func newWorld(t *testing.T, versioning store.Versioning) *world {
	t.Helper()
	w := &world{T: t}
	w.clock.Store(1_900_000_000)
	now := func() time.Time { return time.Unix(w.clock.Load(), 0) }
	blobs, err := blob.Open("/data", blob.Options{FS: blobtest.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	if w.Store, err = store.Open(ctx, store.Options{DB: memdb.New(), Blobs: blobs, Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.ok(w.CreateBucket(ctx, store.Bucket{Name: "b", Owner: "me"}))
	if versioning != store.Unversioned {
		w.ok(w.SetVersioning(ctx, "b", versioning))
	}
	w.scanner = NewScanner(Options{Store: w.Store, Now: now, Day: time.Second, Rate: 1 << 20})
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) rules(rules ...string) {
	w.Helper()
	b, err := xml.Marshal(mustParse(w.T, conf(rules...)))
	w.ok(err)
	w.ok(w.SetBucketConfig(ctx, "b", store.ConfigLifecycle, b))
}

func (w *world) put(key, body string, tags ...store.Tag) string {
	w.Helper()
	o, err := w.PutObject(ctx, store.PutInput{Bucket: "b", Key: key, Body: strings.NewReader(body), Size: int64(len(body)), Attrs: store.Attrs{Tags: tags}})
	w.ok(err)
	return o.VersionID
}

func (w *world) delete(key string) {
	w.Helper()
	_, err := w.DeleteObject(ctx, "b", key, store.DeleteInput{})
	w.ok(err)
}

// pass lets days go by and makes a pass, which must do that.
func (w *world) pass(days int64, want Report) {
	w.Helper()
	w.clock.Add(days)
	got, err := w.scanner.Pass(ctx)
	if err != nil || got != want {
		w.Errorf("pass did %+v, %v, want %+v", got, err, want)
	}
}

// list gives all versions: keys, with a "*" when they are current and a "!" when they are markers.
func (w *world) list(want string) {
	w.Helper()
	page, err := w.ListVersions(ctx, "b", store.VersionsQuery{Max: 1000})
	w.ok(err)
	var got []string
	for _, v := range page.Versions {
		text := v.Key
		if v.Latest {
			text += "*"
		}
		if v.DeleteMarker {
			text += "!"
		}
		got = append(got, text)
	}
	if text := strings.Join(got, " "); text != want {
		w.Errorf("there are %q, want %q", text, want)
	}
}

func TestScannerExpiresObjects(t *testing.T) {
	w := newWorld(t, store.Unversioned)
	w.rules("<Filter><Prefix>a/</Prefix></Filter>"+enabled+expire,
		"<Filter><And><Prefix>t/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"+enabled+"<Expiration><Days>3</Days></Expiration>",
		"<Filter><ObjectSizeGreaterThan>4</ObjectSizeGreaterThan></Filter><Status>Disabled</Status>"+expire)
	w.put("a/1", "x")
	w.put("b/1", "long enough")
	w.put("t/1", "x", store.Tag{Key: "k", Value: "v"})
	w.put("t/2", "x")
	w.pass(0, Report{})
	w.clock.Add(1)
	w.put("a/2", "x")
	w.pass(0, Report{Expired: 1})
	w.list("a/2* b/1* t/1* t/2*")
	w.pass(2, Report{Expired: 2})
	w.list("b/1* t/2*")
	w.pass(100, Report{})
}

func TestScannerOfVersions(t *testing.T) {
	w := newWorld(t, store.Enabled)
	w.rules(all+enabled+"<Expiration><Days>10</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
		"<Prefix>m</Prefix>"+enabled+"<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")
	for range 4 {
		w.put("k", "x")
	}
	w.put("m", "x")
	w.delete("m")
	w.pass(1, Report{})
	w.pass(1, Report{Noncurrent: 2})
	w.list("k* k m*! m")
	w.pass(8, Report{Expired: 1})
	w.list("k*! k k m*! m")
	w.pass(2, Report{Noncurrent: 1})
	w.list("k*! k m*! m")
	w.rules(all + enabled + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")
	w.pass(0, Report{Noncurrent: 2, Markers: 2})
	w.list("")
}

func TestScannerSuspended(t *testing.T) {
	w := newWorld(t, store.Enabled)
	w.put("k", "1")
	w.ok(w.SetVersioning(ctx, "b", store.Suspended))
	w.put("k", "2")
	w.rules(all + enabled + expire)
	w.pass(1, Report{Expired: 1})
	w.list("k*! k")
	w.pass(50, Report{})
}

func TestScannerAbortsUploads(t *testing.T) {
	w := newWorld(t, store.Unversioned)
	w.rules("<Prefix>a</Prefix>" + enabled + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>")
	for _, key := range []string{"a1", "a2", "b"} {
		_, err := w.CreateUpload(ctx, store.UploadInput{Bucket: "b", Key: key})
		w.ok(err)
	}
	w.pass(1, Report{})
	w.pass(1, Report{Aborted: 2})
	page, err := w.ListUploads(ctx, "b", store.UploadsQuery{Max: 10})
	if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Key != "b" {
		t.Errorf("%v, %v", page, err)
	}
}

// A bucket of more versions than a page holds is seen whole, also where a key's versions lie on two pages.
func TestScannerPages(t *testing.T) {
	w := newWorld(t, store.Enabled)
	w.rules(all + enabled + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>")
	for i := range 700 {
		for range 3 {
			w.put(fmt.Sprintf("k%04d", i), "x")
		}
	}
	w.pass(1, Report{Noncurrent: 1400})
	w.pass(1, Report{})
}

// What object lock protects stays until it may go.
func TestScannerRespectsObjectLock(t *testing.T) {
	w := newWorld(t, store.Enabled)
	w.ok(w.SetObjectLock(ctx, "b", store.DefaultRetention{}))
	id := w.put("k", "x")
	w.ok(w.SetRetention(ctx, "b", "k", id, store.Retention{Mode: store.Compliance, Until: time.Unix(w.clock.Load()+10, 0)}, false))
	w.delete("k")
	w.rules(all + enabled + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>")
	w.pass(5, Report{})
	w.list("k*! k")
	w.pass(6, Report{Noncurrent: 1})
}

// An object that was written anew, or lost its tag, between listing and deletion stays.
func TestScannerLooksAgain(t *testing.T) {
	w := newWorld(t, store.Unversioned)
	w.rules("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" + enabled + expire)
	w.put("a", "x", store.Tag{Key: "k", Value: "v"})
	w.clock.Add(5)
	listed, err := w.HeadObject(ctx, "b", "a", store.ReadInput{})
	w.ok(err)
	_, err = w.SetTags(ctx, "b", "a", "", nil)
	w.ok(err)
	var done Report
	document, err := w.BucketConfig(ctx, "b", store.ConfigLifecycle)
	w.ok(err)
	c, err := Parse(document)
	w.ok(err)
	generation, err := w.ConfigGeneration(ctx)
	w.ok(err)
	p := &pass{Scanner: w.scanner, bucket: store.Bucket{Name: "b"}, document: document, conf: c, generation: generation, done: &done, began: time.Now()}
	w.ok(p.current(ctx, &listed))
	if w.list("a*"); done != (Report{}) {
		t.Errorf("%+v", done)
	}
	w.ok(w.DeleteBucketConfig(ctx, "b", store.ConfigLifecycle))
	if err := p.current(ctx, &listed); err != errChanged {
		t.Errorf("rules that are gone: %v", err)
	}
}

func TestScannerRuns(t *testing.T) {
	w := newWorld(t, store.Unversioned)
	w.rules(all + enabled + expire)
	w.put("k", "x")
	w.clock.Add(10)
	w.scanner.opt.Interval = time.Millisecond
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { w.scanner.Run(running); close(ended) }()
	for {
		if _, err := w.HeadObject(ctx, "b", "k", store.ReadInput{}); err != nil {
			break
		}
	}
	stop()
	<-ended
}
