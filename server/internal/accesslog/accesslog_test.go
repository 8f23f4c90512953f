package accesslog

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 2, 6, 23, 59, 38, 0, time.UTC)

func TestRecord(t *testing.T) {
	r := Record{Owner: "79a59d", Bucket: "b", Time: at, RemoteIP: "192.0.2.3", Requester: "79a59d", RequestID: "3E57427F3E", Operation: "REST.GET.OBJECT",
		Key: "a%2520b", URI: "GET /b/a%20b?x HTTP/1.1", Status: 404, Code: "NoSuchKey", Sent: 297, Size: -1, Took: 38 * time.Millisecond,
		Referer: "http://x/\"\n", UserAgent: "S3Console/0.4 é", HostID: "s9lz", Signature: "SigV4", AuthType: "AuthHeader", Host: "h:8000"}
	const want = `79a59d b [06/Feb/2026:23:59:38 +0000] 192.0.2.3 79a59d 3E57427F3E REST.GET.OBJECT a%2520b "GET /b/a%20b?x HTTP/1.1" ` +
		`404 NoSuchKey 297 - 38 - "http://x/%22%0A" "S3Console/0.4 %C3%A9" - s9lz SigV4 - AuthHeader h:8000 - - -` + "\n"
	if got := string(r.Append(nil)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got := string(new(Record).Append(nil)); len(strings.Fields(got)) != 27 { // the time is two
		t.Errorf("an empty record: %s", got)
	}
}

// delivered collects what a Writer puts.
type delivered map[string]string

func (d delivered) put(_ context.Context, t Target, key string, body []byte) error {
	if t.Bucket == "gone" {
		return errors.New("no bucket")
	}
	d[t.Bucket+"/"+key] += string(body)
	return nil
}

func (d delivered) matching(t *testing.T, pattern string) string {
	t.Helper()
	for key, body := range d {
		if regexp.MustCompile("^" + pattern + "-[0-9A-F]{16}$").MatchString(key) {
			return body
		}
	}
	t.Errorf("nothing like %s among %v", pattern, d)
	return ""
}

func TestDelivery(t *testing.T) {
	d := delivered{}
	w := New(Options{Put: d.put, Now: func() time.Time { return at.Add(time.Hour) }})
	simple := Target{Bucket: "logs", Prefix: "p/"}
	part := Target{Bucket: "logs", Prefix: "q/", Partitioned: true, Account: "111122223333", Region: "us-east-1", Source: "src"}
	event := part
	event.EventTime = true
	for i := range 3 {
		w.Add(simple, &Record{Key: fmt.Sprint(i), Time: at})
		w.Add(Target{Bucket: "gone"}, &Record{})
	}
	w.Add(part, &Record{Time: at})
	w.Add(event, &Record{Time: at})
	w.Add(event, &Record{Time: at.Add(time.Minute)}) // the next day
	ctx, stop := context.WithCancel(context.Background())
	stop()
	w.Run(ctx) // delivers what is left
	if len(d) != 4 {
		t.Errorf("%d objects: %v", len(d), d)
	}
	if body := d.matching(t, "logs/p/2026-02-07-00-59-38"); strings.Count(body, "\n") != 3 {
		t.Errorf("%s", body)
	}
	d.matching(t, "logs/q/111122223333/us-east-1/src/2026/02/07/2026-02-07-00-59-38")
	d.matching(t, "logs/q/111122223333/us-east-1/src/2026/02/06/2026-02-06-00-00-00")
	d.matching(t, "logs/q/111122223333/us-east-1/src/2026/02/07/2026-02-07-00-00-00")
	w.Deliver(context.Background())
	if len(d) != 4 {
		t.Errorf("delivered twice: %v", d)
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	d := delivered{}
	w := New(Options{Put: d.put})
	line := Record{URI: strings.Repeat("x", 1<<20)}
	for range 2 * maxWaiting >> 20 {
		w.Add(Target{Bucket: "logs"}, &line)
	}
	if w.mu.waiting > maxWaiting+2<<20 || w.mu.dropped == 0 || len(w.full) != 1 {
		t.Errorf("%d bytes wait, %d lines dropped", w.mu.waiting, w.mu.dropped)
	}
	w.Deliver(context.Background())
	if w.mu.waiting != 0 || len(d) != 1 {
		t.Errorf("%d bytes wait after %d deliveries", w.mu.waiting, len(d))
	}
}
