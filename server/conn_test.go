package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// serveOn serves h on a free port until the test ends.
func serveOn(t *testing.T, h http.HandlerFunc, opt ServeOptions) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveListener(t, l, h, opt)
}

// serveListener serves h on l until the test ends.
func serveListener(t *testing.T, l net.Listener, h http.HandlerFunc, opt ServeOptions) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h, opt) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func answerTo(t *testing.T, c net.Conn, request string) string {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(c)
	return string(got)
}

func ok(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") }

// TestRequestsThatCannotBeParsed get S3's documents in the place of net/http's plain text.
func TestRequestsThatCannotBeParsed(t *testing.T) {
	addr := serveOn(t, ok, ServeOptions{})
	for request, want := range map[string]string{
		"GET /b/%zz HTTP/1.1\r\nHost: x\r\n\r\n":                                                       "400 <Code>InvalidURI</Code> <URI>/b/%zz</URI>",
		"PUT /b/a%2 HTTP/1.1\r\nHost: x\r\n\r\n":                                                       "400 <Code>InvalidURI</Code> <URI>/b/a%2</URI>",
		"GET /b/%zz?uploads&<x> HTTP/1.1\r\nHost: x\r\n\r\n":                                           "400 <Code>InvalidURI</Code> <URI>/b/%zz</URI>",
		"GET /b HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n":                                               "400 <Code>BadRequest</Code>",
		"GET /b HTTP/1.1\r\n\r\n":                                                                      "400 <Code>BadRequest</Code>",
		"nonsense\r\n\r\n":                                                                             "400 <Code>BadRequest</Code>",
		"PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n":                                "501 <Code>NotImplemented</Code>",
		"GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + strings.Repeat("x", 100<<10) + "\r\n\r\n":          "400 <Code>RequestHeaderSectionTooLarge</Code>",
		"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Many: header\r\n", 10_000) + "\r\n":        "400 <Code>RequestHeaderSectionTooLarge</Code>",
		"GET /" + strings.Repeat("x", 100<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n":                        "400 <Code>RequestHeaderSectionTooLarge</Code>",
		"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n":                                     "400 <Code>BadRequest</Code>",
		"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n":                 "400 <Code>BadRequest</Code>",
		"GET /fine HTTP/1.1\r\nHost: x\r\n\r\nGET /b/%zz HTTP/1.1\r\nHost: x\r\nConnection: x\r\n\r\n": "400 <Code>",
	} {
		got := answerTo(t, dial(t, addr), request)
		for _, part := range strings.Fields(want) {
			if !strings.Contains(got, part) || !strings.Contains(got, "Content-Type: application/xml") {
				t.Errorf("%.60q: no %s in %.500q", request, part, got)
			}
		}
	}
}

// TestOrdinaryAnswersPassUnchanged looks at one that begins as net/http's own do.
func TestOrdinaryAnswersPassUnchanged(t *testing.T) {
	addr := serveOn(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Connection", "close")
		w.WriteHeader(400)
		io.WriteString(w, "400 Bad Request")
	}, ServeOptions{})
	if got := answerTo(t, dial(t, addr), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\n400 Bad Request") {
		t.Errorf("%q", got)
	}
}

func TestTLSThroughConn(t *testing.T) {
	config, ca, err := SelfSigned(t.TempDir(), []string{"localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := serveOn(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%x %v", r.TLS.Version, r.TLS.HandshakeComplete)
	}, ServeOptions{TLS: config})
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	secure := func() *tls.Conn {
		return tls.Client(dial(t, addr), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	}
	if got := answerTo(t, secure(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "304 true") {
		t.Errorf("over TLS: %q", got)
	}
	if got := answerTo(t, secure(), "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.Contains(got, "<Code>InvalidURI</Code>") {
		t.Errorf("a bad URI over TLS: %q", got)
	}
	if got := answerTo(t, dial(t, addr), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.Contains(got, "over HTTP.</Message>") {
		t.Errorf("HTTP to an HTTPS port: %q", got)
	}
}

// TestSlowHeadersAreCut sends a header line now and then, for ever.
func TestSlowHeadersAreCut(t *testing.T) {
	addr := serveOn(t, ok, ServeOptions{ClientTimeout: 300 * time.Millisecond})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n")
	began := time.Now()
	for {
		if _, err := io.WriteString(c, "X-Slow: 1\r\n"); err != nil {
			break
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err == io.EOF {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("headers may take for ever")
		}
	}
	idle := dial(t, addr) // sends nothing at all
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a silent connection: %v, want its end", err)
	}
}

// TestConnectionLimit: the longest idle is closed for a new one; when all are at work, a new one is told to come later.
func TestConnectionLimit(t *testing.T) {
	release := make(chan struct{})
	working := make(chan struct{}, 8)
	addr := serveOn(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/work" {
			working <- struct{}{}
			<-release
		}
		ok(w, r)
	}, ServeOptions{MaxConnections: 3})
	get := func(c net.Conn, path string) {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	}
	read := func(c net.Conn) int {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return 0
		}
		return resp.StatusCode
	}
	oldest := dial(t, addr)
	get(oldest, "/")
	if got := read(oldest); got != 200 {
		t.Fatal(got)
	}
	busy := []net.Conn{dial(t, addr), dial(t, addr)}
	for _, c := range busy {
		get(c, "/work")
		<-working
	}
	var answered chan int
	for in := false; !in; { // refused until the server has noticed that the oldest is idle
		third := dial(t, addr)
		get(third, "/work")
		answered = make(chan int, 1)
		go func() { answered <- read(third) }()
		select {
		case <-working: // it was let in, so the oldest is gone
			in = true
		case <-answered:
			third.Close() // the server waits for that, with few at a time
		}
	}
	if _, err := oldest.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the longest idle: %v, want its end", err)
	}
	if got := answerTo(t, dial(t, addr), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "<Code>SlowDown</Code>") {
		t.Errorf("one too many: %q", got)
	}
	close(release)
	for _, c := range busy {
		if got := read(c); got != 200 {
			t.Errorf("a connection at work was answered %d", got)
		}
	}
	if got := <-answered; got != 200 {
		t.Errorf("the connection that was let in was answered %d", got)
	}
	for got := 503; got != 200; { // refused until the server has noticed that one of them is idle
		fourth := dial(t, addr)
		get(fourth, "/")
		if got = read(fourth); got != 200 && got != 503 {
			t.Fatalf("after the rush: %d", got)
		}
		fourth.Close()
	}
}
