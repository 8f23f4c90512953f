package s3api_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"pail/server/servertest"
)

// TestClientsThatHangUpAreNoErrors: a client that needs no more of an object closes its connection, as mounts that stop
// reading do all day; an operator must not see it among the errors.
func TestClientsThatHangUpAreNoErrors(t *testing.T) {
	var log syncBuffer
	s := newScene(t, servertest.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	s.put("k", strings.Repeat("x", 32<<20))
	req := s.request("GET", path("k"), "")
	s.sign(req, "", time.Now())
	answer, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()               // with nearly all of it unread
	if err := s.Close(); err != nil { // waits for the request
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("log: %s", log.String())
	}
}
