package s3api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/server/servertest"
)

func TestUsageAndQuota(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "12345")
	want := func(text string) {
		t.Helper()
		if a := s.do("GET", "/bucket?usage", ""); a.status != 200 || !strings.HasSuffix(a.body, ">"+text+"</BucketUsage>") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	want("<Objects>1</Objects><Bytes>5</Bytes>")
	s.want("quota", s.do("PUT", "/bucket?quota", "<BucketQuota><Bytes>10</Bytes></BucketQuota>"), 200, "")
	s.want("too much", s.do("PUT", path("l"), "123456"), 403, "QuotaExceeded")
	s.want("too much at once", s.do("PUT", path("l"), strings.Repeat("x", 100<<10)), 403, "QuotaExceeded")
	s.want("just enough", s.do("PUT", path("l"), "12345"), 200, "")
	want("<Objects>2</Objects><Bytes>10</Bytes><Quota>10</Quota>")
	for _, body := range []string{"<BucketQuota><Bytes>0</Bytes></BucketQuota>", "<BucketQuota><Bytes>-1</Bytes></BucketQuota>", "<BucketQuota/>"} {
		s.want(body, s.do("PUT", "/bucket?quota", body), 400, "InvalidArgument")
	}
	s.want("no quota", s.do("DELETE", "/bucket?quota", ""), 204, "")
	s.want("as much as there is room", s.do("PUT", path("m"), strings.Repeat("x", 100<<10)), 200, "")
	s.want("no bucket", s.do("GET", "/nobucket?usage", ""), 404, "NoSuchBucket")
	s.want("anonymous", s.send(s.request("GET", "/bucket?usage", "")), 403, "AccessDenied")
}

// listen begins to listen, and gives the lines.
func (s *scene) listen(query string, headers ...string) (*http.Response, *bufio.Scanner) {
	s.Helper()
	req := s.request("GET", "/bucket?"+query, "", headers...)
	s.sign(req, "", time.Now())
	resp, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewScanner(resp.Body)
}

// next gives name and key of the next event, "end" at the end.
func next(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	if !lines.Scan() {
		return "end"
	}
	var line struct {
		Records []struct {
			EventName string
			S3        struct {
				Bucket struct{ Name string }
				Object struct{ Key, Sequencer string }
			}
		}
	}
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil || len(line.Records) != 1 {
		t.Fatalf("%q: %v", lines.Text(), err)
	}
	r := line.Records[0]
	if r.S3.Bucket.Name != bucket || len(r.S3.Object.Sequencer) != 16 {
		t.Errorf("%+v", r)
	}
	return r.EventName + " " + r.S3.Object.Key
}

func TestListenBucketNotification(t *testing.T) {
	s := newScene(t, servertest.Options{})
	resp, all := s.listen("events=s3:*&ping=60")
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	_, some := s.listen("prefix=a/&suffix=.txt&events=s3:ObjectCreated:*&events=s3:ObjectRemoved:Delete")
	s.put("a/b c.txt", "x")
	s.put("a/b.jpg", "x")
	s.do("PUT", path("a/d.txt")+"?renameObject", "", "X-Amz-Rename-Source: a%2Fb.jpg")
	s.do("DELETE", path("a/d.txt"), "")
	for _, want := range []string{"s3:ObjectCreated:Put a%2Fb+c.txt", "s3:ObjectCreated:Put a%2Fb.jpg", "s3:ObjectRemoved:Rename a%2Fb.jpg",
		"s3:ObjectCreated:Rename a%2Fd.txt", "s3:ObjectRemoved:Delete a%2Fd.txt"} {
		if got := next(t, all); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, want := range []string{"s3:ObjectCreated:Put a%2Fb+c.txt", "s3:ObjectCreated:Rename a%2Fd.txt", "s3:ObjectRemoved:Delete a%2Fd.txt"} {
		if got := next(t, some); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	s.want("unknown event", s.do("GET", "/bucket?events=ec2:x", ""), 400, "InvalidArgument")
	s.want("bad ping", s.do("GET", "/bucket?events=s3:*&ping=0", ""), 400, "InvalidArgument")
	s.want("no bucket", s.do("GET", "/nobucket?events=s3:*", ""), 404, "NoSuchBucket")
	s.want("anonymous", s.send(s.request("GET", "/bucket?events=s3:*", "")), 403, "AccessDenied")
	// A server that stops does not wait for its listeners.
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := next(t, all); got != "end" {
		t.Errorf("%s", got)
	}
}
