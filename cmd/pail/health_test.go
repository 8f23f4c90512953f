package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/live" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, r.URL.Path+"\n")
	}))
	defer ts.Close()
	addr := strings.TrimPrefix(ts.URL, "http://")
	env := vars{"PAIL_METRICS_LISTEN": addr}
	for _, c := range []struct {
		args   []string
		env    vars
		status int
		out    string
		err    string
	}{
		{[]string{"--metrics-listen", addr}, nil, 0, "/live\n", ""},
		{nil, env, 0, "/live\n", ""},
		{[]string{"--ready"}, env, 1, "/ready\n", "503"},
		{[]string{"--metrics-listen", "127.0.0.1:1"}, nil, 1, "", "refused"},
		{[]string{"--metrics-listen", "8002"}, nil, 1, "", "ADDR:PORT"},
		{[]string{"now"}, nil, 1, "", "now"},
		{[]string{"--bad"}, nil, 1, "", "--help"},
	} {
		var stdout, stderr bytes.Buffer
		status := health(c.args, c.env.get, &stdout, &stderr)
		if status != c.status || stdout.String() != c.out || !strings.Contains(stderr.String(), c.err) || strings.Count(stderr.String(), "\n") != c.status {
			t.Errorf("%v: %d %q %q", c.args, status, &stdout, &stderr)
		}
	}
	var stdout bytes.Buffer
	if status := health([]string{"--help"}, vars{}.get, &stdout, io.Discard); status != 0 || !strings.Contains(stdout.String(), "--ready") {
		t.Errorf("help: %d %s", status, &stdout)
	}
}
