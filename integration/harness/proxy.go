package harness

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Fault is what a Proxy does to requests; the zero value passes them on.
type Fault string

// The faults of a Proxy.
const (
	Refuse         Fault = "refuse"          // the connection is reset before anything was read
	InternalError  Fault = "internal error"  // 500
	SlowDown       Fault = "slow down"       // 503
	Hang           Fault = "hang"            // no answer, until the fault is over
	ResetInBody    Fault = "reset in body"   // the connection is reset in the middle of what is sent or received
	LoseAnswer     Fault = "lose answer"     // the server does it, and the connection is reset in place of an answer
	TruncateAnswer Fault = "truncate answer" // the answer ends in the middle
	Slow           Fault = "slow"            // a few MiB each second
)

// Proxy stands between mounts and a server without TLS, counts requests, and may delay them or do harm.
type Proxy struct {
	server *Server
	front  *httptest.Server
	back   *http.Transport

	mu       sync.Mutex
	requests int
	delay    time.Duration // of each
	fault    Fault
	over     chan struct{} // closed at the end of the fault
	hits     int
}

// NewProxy starts a proxy, which ends with the test.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	p := &Proxy{server: s, back: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}, over: make(chan struct{})}
	p.front = httptest.NewServer(p)
	t.Cleanup(func() {
		p.Set("")
		p.front.CloseClientConnections()
		p.front.Close()
		p.back.CloseIdleConnections()
	})
	return p
}

// Server is what mounts through the proxy see.
func (p *Proxy) Server() *Server {
	behind := *p.server
	behind.URL = p.front.URL
	return &behind
}

// SetDelay delays each request from now on.
func (p *Proxy) SetDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Requests counts the requests so far.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// Set begins a fault for all requests from now on, and ends the one before. It returns how many requests that one has hit.
func (p *Proxy) Set(f Fault) (hits int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.over)
	hits = p.hits
	p.fault, p.over, p.hits = f, make(chan struct{}), 0
	return hits
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests++
	delay, fault, over := p.delay, p.fault, p.over
	if fault != "" {
		p.hits++
	}
	p.mu.Unlock()
	time.Sleep(delay)
	switch fault {
	case Refuse:
		reset(w)
	case Hang:
		select {
		case <-over:
		case <-r.Context().Done():
		}
		reset(w)
	case InternalError:
		refuse(w, http.StatusInternalServerError, "InternalError")
	case SlowDown:
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case ResetInBody:
		if r.ContentLength > 0 {
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
			reset(w)
			return
		}
		p.forward(w, r, fault)
	default:
		p.forward(w, r, fault)
	}
}

// forward has the server do a request, and passes on what the fault leaves of the answer.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, fault Fault) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", p.server.Addr(), ""
	out.Header.Del("Expect")
	if fault == Slow {
		out.Body = io.NopCloser(slow{r.Body})
	}
	answer, err := p.back.RoundTrip(out)
	if err != nil {
		reset(w)
		return
	}
	defer answer.Body.Close()
	if fault == LoseAnswer {
		_, _ = io.Copy(io.Discard, answer.Body)
		reset(w)
		return
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	body := io.Reader(answer.Body)
	switch fault {
	case Slow:
		body = slow{body}
	case TruncateAnswer, ResetInBody:
		_, _ = io.CopyN(w, body, max(answer.ContentLength, 0)/2)
		_ = http.NewResponseController(w).Flush()
		if fault == ResetInBody {
			reset(w)
			return
		}
		panic(http.ErrAbortHandler)
	}
	if answer.ContentLength < 0 {
		w = flushing{w}
	}
	_, _ = io.Copy(w, body)
}

// flushing passes on each piece of a stream as it comes.
type flushing struct{ http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	return n, errors.Join(err, http.NewResponseController(f.ResponseWriter).Flush())
}

// refuse answers with an error as S3 has them.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.ReplaceAll("<Error><Code>CODE</Code><Message>CODE</Message></Error>", "CODE", code))
}

// reset breaks the connection off, so that its other end sees ECONNRESET.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// slow reads little at a time.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(4 * time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 16<<10)])
}
