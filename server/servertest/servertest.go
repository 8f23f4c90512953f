// Package servertest runs pail's S3 server inside a test, on 127.0.0.1 and a free port, as httptest runs a handler.
package servertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pail/server"
)

// The credential of every test server.
const (
	AccessKey = "TESTACCESSKEY0000001"
	SecretKey = "testSecretKeyForTestsOnly000000000000001"
)

// Options of a test server. The zero value serves plain HTTP from a directory of the test.
type Options struct {
	TLS                  bool     // serve HTTPS with a certificate of the server's own making
	Hosts                []string // names in that certificate besides localhost and 127.0.0.1
	Dir                  string   // where data and metadata live; "": t.TempDir(), gone with the test
	Region               string
	Domains              []string
	Sites                []string // domains of websites
	Log                  *slog.Logger
	Day                  time.Duration // of lifecycle rules; 0: 24 hours
	Logs                 time.Duration // between deliveries of access logs; 0: five minutes
	Now                  func() time.Time
	KMSKeys              string                          // file of named keys
	Encrypt              bool                            // AES256 is the default encryption of all buckets
	InsecureCustomerKeys bool                            // as server.Options
	Keys                 server.Keys                     // nil: AccessKey and SecretKey
	Wrap                 func(http.Handler) http.Handler // put around the S3 handler, to inject faults
}

// Server is a running server.
type Server struct {
	URL    string         // "http://127.0.0.1:PORT"
	Addr   string         // "127.0.0.1:PORT"
	CAFile string         // PEM of the CA, with TLS
	CAPool *x509.CertPool // the same, for a client

	srv  *server.Server
	stop context.CancelFunc
	done chan error

	mu struct {
		sync.Mutex
		counts map[string]int
		closed bool
	}
}

// New starts a server that ends with the test.
func New(t testing.TB, opt Options) *Server {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Keys == nil {
		opt.Keys = server.KeyList{{AccessKey: AccessKey, SecretKey: SecretKey}}
	}
	s := &Server{done: make(chan error, 1)}
	s.mu.counts = map[string]int{}
	var err error
	s.srv, err = server.New(server.Options{DataDir: filepath.Join(opt.Dir, "data"), MetadataDir: filepath.Join(opt.Dir, "metadata"),
		Keys: opt.Keys, Region: opt.Region, Domains: opt.Domains, WebsiteDomains: opt.Sites, LifecycleDay: opt.Day, AccessLogInterval: opt.Logs, Log: opt.Log, Now: opt.Now, Observe: s.count,
		KMSKeyFile: opt.KMSKeys, DefaultEncryption: opt.Encrypt, InsecureCustomerKeys: opt.InsecureCustomerKeys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the test server: %v", err)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = l.Addr().String()
	s.URL = "http://" + s.Addr
	config := s.tls(t, opt)
	handler := s.srv.Handler()
	if opt.Wrap != nil {
		handler = opt.Wrap(handler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- server.Serve(ctx, l, handler, server.ServeOptions{TLS: config, Log: opt.Log}) }()
	return s
}

// tls makes the configuration of an HTTPS server, nil for plain HTTP.
func (s *Server) tls(t testing.TB, opt Options) *tls.Config {
	if !opt.TLS {
		return nil
	}
	config, ca, err := server.SelfSigned(filepath.Join(opt.Dir, "metadata", "tls"), opt.Hosts, opt.Log)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	s.URL, s.CAFile, s.CAPool = "https://"+s.Addr, ca, x509.NewCertPool()
	s.CAPool.AppendCertsFromPEM(pem)
	return config
}

func (s *Server) count(e server.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.counts[e.Op]++
}

// Counts tells how many requests have been answered since the start or the last Reset, by S3 operation. A request is
// counted after its answer has been sent: its client may see the answer a moment earlier.
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.mu.counts)
}

// Reset forgets the counts.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.mu.counts)
}

// HTTPClient is a client that trusts the server's certificate and shows bodies as they came.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CAPool}, MaxIdleConnsPerHost: 32,
		DisableCompression: true}}
}

// Close answers the requests under way and stops. It may be called twice; the test's end calls it too.
func (s *Server) Close() error {
	s.mu.Lock()
	closed := s.mu.closed
	s.mu.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if s.stop != nil {
		s.stop()
		err = <-s.done
	}
	if cerr := s.srv.Close(); err == nil {
		err = cerr
	}
	return err
}
