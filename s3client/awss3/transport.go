package awss3

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	defaultConnectTimeout   = 30 * time.Second
	defaultReadWriteTimeout = 120 * time.Second

	// readBuffer takes an answer's header and a small body in one read. What asks for less than this of a large body gets a
	// copy from it, and what asks for more none.
	readBuffer = 16 << 10
)

// newTransport returns a transport for many small and few large requests to one host: connections are kept, HTTP/1.1
// only (HTTP/2 would put all of them on one), nothing is decompressed.
func newTransport(opt *HTTPOptions) (*http.Transport, error) {
	tlsConfig, err := newTLSConfig(opt)
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if opt.Proxy != "" {
		u, err := url.Parse(opt.Proxy)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("proxy is not of the form http://[USER:PASSWORD@]HOST:PORT")
		}
		proxy = http.ProxyURL(u)
	}
	connect := cmp.Or(opt.ConnectTimeout, defaultConnectTimeout)
	return &http.Transport{
		Proxy:               proxy,
		DialContext:         dialer(connect, cmp.Or(opt.ReadWriteTimeout, defaultReadWriteTimeout), opt.IPVersion),
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: connect,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:  true,
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      readBuffer,
		WriteBufferSize:     64 << 10,

		MaxResponseHeaderBytes: 256 << 10,
	}, nil
}

func dialer(connect, idle time.Duration, ipVersion int) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if ipVersion == 4 || ipVersion == 6 {
			network = fmt.Sprintf("tcp%d", ipVersion)
		}
		nc, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: nc, idle: idle, start: time.Now()}, nil
	}
}
