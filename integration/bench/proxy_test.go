package bench

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// proxy passes requests on to the server, after a delay, and counts them.
type proxy struct {
	URL      string
	requests atomic.Int64
}

func newProxy(tb testing.TB, server string, delay time.Duration) *proxy {
	tb.Helper()
	target, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ReadBufferSize: 256 << 10, WriteBufferSize: 256 << 10}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		// The host is signed: it stays as the client wrote it.
		Rewrite:    func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host },
		Transport:  transport,
		BufferPool: make(buffers, 64),
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		if delay > 0 {
			time.Sleep(delay)
		}
		forward.ServeHTTP(w, r)
	}))
	p.URL = front.URL
	tb.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// buffers is a pool of copy buffers, larger than the standard library's 32 KiB.
type buffers chan []byte

func (b buffers) Get() []byte {
	select {
	case buf := <-b:
		return buf
	default:
		return make([]byte, 512<<10)
	}
}

func (b buffers) Put(buf []byte) {
	select {
	case b <- buf:
	default:
	}
}
