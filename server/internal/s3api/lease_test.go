package s3api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pail/server/servertest"
)

const holderHeader = "X-Pail-Lease-Holder: "

// holder is a client with a stream about its leases.
type holder struct {
	*scene
	name  string
	resp  *http.Response
	lines *bufio.Scanner
}

func (s *scene) holder(name string) *holder {
	s.Helper()
	resp, lines := s.listen("lease", holderHeader+name)
	if resp.StatusCode != 200 {
		s.Fatal(resp.Status)
	}
	h := &holder{s, name, resp, lines}
	h.next() // tells that it has begun
	return h
}

// next gives the next line as it is, without the time.
func (h *holder) next() map[string]any {
	h.Helper()
	if !h.lines.Scan() {
		return nil
	}
	var line map[string]any
	if err := json.Unmarshal(h.lines.Bytes(), &line); err != nil || line["time"] == nil {
		h.Fatalf("%q: %v", h.lines.Text(), err)
	}
	delete(line, "time")
	return line
}

// event gives the next line that is one.
func (h *holder) event() map[string]any {
	h.Helper()
	for {
		if line := h.next(); line == nil || len(line) > 0 {
			return line
		}
	}
}

func (h *holder) lease(method, prefix string) answer {
	h.Helper()
	return h.do(method, "/bucket?lease&prefix="+prefix, "", holderHeader+h.name)
}

func TestLeases(t *testing.T) {
	s := newScene(t, servertest.Options{})
	a, b := s.holder("holder-a-of-the-test"), s.holder("holder-b-of-the-test")
	s.want("granted", a.lease("PUT", "d%2F"), 200, "")
	s.want("held", b.lease("PUT", "d%2Fe%2F"), 409, "OperationAborted")
	s.want("in no use", s.do("PUT", "/bucket?lease&prefix=x/", "", holderHeader+"somebody-with-no-stream"), 400, "InvalidRequest")
	s.want("twice", s.do("GET", "/bucket?lease", "", holderHeader+a.name), 409, "OperationAborted")
	s.want("no slash", a.lease("PUT", "x"), 400, "InvalidArgument")
	s.want("no holder", s.do("PUT", "/bucket?lease&prefix=x/", ""), 400, "InvalidArgument")
	s.want("no bucket", s.do("PUT", "/nobucket?lease&prefix=x/", "", holderHeader+a.name), 404, "NoSuchBucket")
	s.want("the holder's own", s.do("PUT", path("d/own"), "x", holderHeader+a.name), 200, "")

	over := make(chan answer, 1)
	go func() { over <- s.do("PUT", path("d/a b"), "x", "If-None-Match: *", holderHeader+b.name) }()
	if e := a.event(); e["recall"] != "d%2F" || e["key"] != "d%2Fa+b" {
		t.Errorf("%v", e)
	}
	s.want("the holder makes it first", s.do("PUT", path("d/a b"), "", "If-None-Match: *", holderHeader+a.name), 200, "")
	s.want("returned", a.lease("DELETE", "d%2F"), 204, "")
	s.want("too late", <-over, 412, "PreconditionFailed")

	s.want("granted again", a.lease("PUT", ""), 200, "")
	go func() { over <- s.do("PUT", path("k"), "x") }()
	if e := a.event(); e["recall"] != "" {
		t.Errorf("%v", e)
	}
	a.resp.Body.Close() // with the stream ends the lease
	s.want("the holder is gone", <-over, 200, "")
	if err := s.Close(); err != nil { // a server that stops does not wait for holders
		t.Error(err)
	}
	if e := b.event(); e != nil {
		t.Errorf("%v", e)
	}
}

// A holder that does not answer loses its lease after a while, and is told so.
func TestLeaseIsRevoked(t *testing.T) {
	s := newScene(t, servertest.Options{})
	h := s.holder("holder-a-of-the-test")
	s.want("granted", h.lease("PUT", "d/"), 200, "")
	s.want("after a while", s.do("PUT", path("d/k"), "x"), 200, "")
	if e := h.event(); e["recall"] != "d%2F" {
		t.Errorf("%v", e)
	}
	if e := h.event(); e["revoked"] != "d%2F" {
		t.Errorf("%v", e)
	}
}

// Leases are for the bucket's owner alone, and only where no policy could deny him a key.
func TestLeasesAreForTheOwner(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("anonymous", s.send(s.request("GET", "/bucket?lease", "", holderHeader+"holder-a-of-the-test")), 403, "AccessDenied")
	h := s.holder("holder-a-of-the-test")
	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/d/secret*"}]}`
	s.want("policy", s.do("PUT", "/bucket?policy", deny), 204, "")
	s.want("denied", h.lease("PUT", "d/"), 403, "AccessDenied")
	for h.next() != nil { // until the stream ends, and with it what he has
	}
	allow := strings.Replace(deny, "Deny", "Allow", 1)
	s.want("policy", s.do("PUT", "/bucket?policy", allow), 204, "")
	s.want("granted", s.holder("another-holder-of-the-test").lease("PUT", "d/"), 200, "")
}

// A bucket of the same name that is made later has other leases: holders of the old one's learn of it.
func TestHoldersEndWithTheBucket(t *testing.T) {
	s := newScene(t, servertest.Options{})
	h := s.holder("holder-a-of-the-test")
	s.want("granted", h.lease("PUT", "d/"), 200, "")
	s.want("deleted", s.do("DELETE", "/bucket", ""), 204, "")
	s.want("made again", s.do("PUT", "/bucket", ""), 200, "")
	if e := h.event(); e != nil {
		t.Errorf("the stream goes on: %v", e)
	}
}

// A lease for reads keeps others from changing what is there, and from nothing else.
func TestLeasesForReads(t *testing.T) {
	s := newScene(t, servertest.Options{})
	h := s.holder("holder-a-of-the-test")
	s.want("there", s.do("PUT", path("d/k"), "old"), 200, "")
	s.want("unknown", h.lease("PUT", "d/&authority=all"), 400, "InvalidArgument")
	granted := h.lease("PUT", "d/&authority=reads")
	s.want("granted", granted, 200, "")
	if got := granted.header.Get("X-Pail-Lease-Authority"); got != "reads" {
		t.Errorf("granted %q", got)
	}
	if got := h.lease("PUT", "e/").header.Get("X-Pail-Lease-Authority"); got != "" {
		t.Errorf("one on names is granted %q", got)
	}
	s.want("read", s.do("GET", path("d/k"), ""), 200, "")
	s.want("list", s.do("GET", "/bucket?list-type=2&prefix=d/", ""), 200, "")
	s.want("head", s.do("HEAD", path("d/none"), ""), 404, "")
	s.want("the holder's own", s.do("PUT", path("d/k"), "own", holderHeader+h.name), 200, "")
	over := make(chan answer, 1)
	go func() { over <- s.do("DELETE", path("d/k"), "") }()
	if e := h.event(); e["recall"] != "d%2F" || e["key"] != "d%2Fk" {
		t.Errorf("%v", e)
	}
	s.want("returned", h.lease("DELETE", "d%2F"), 204, "")
	s.want("deleted", <-over, 204, "")
}
