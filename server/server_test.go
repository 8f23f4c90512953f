package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var testKeys = KeyList{{AccessKey: "AK", SecretKey: "SK"}}

func open(t *testing.T, data, metadata string) *Server {
	t.Helper()
	s, err := New(Options{DataDir: data, MetadataDir: metadata, Keys: testKeys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestDirectoriesAreLocked(t *testing.T) {
	dir := t.TempDir()
	data, metadata := filepath.Join(dir, "d"), filepath.Join(dir, "m")
	s := open(t, data, metadata)
	for _, o := range []Options{
		{DataDir: data, MetadataDir: metadata, Keys: testKeys},
		{DataDir: data, MetadataDir: filepath.Join(dir, "m2"), Keys: testKeys},
	} {
		if _, err := New(o); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), data) {
			t.Errorf("second server: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	open(t, data, metadata)
}

func TestOnlyDirectoriesThatBelongTogetherOpen(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, n := range []string{"1", "2"} {
		if err := open(t, path("d"+n), path("m"+n)).Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ what, data, metadata string }{
		{"another's data", "d1", "m2"},
		{"data without its metadata", "d1", "new"},
		{"metadata without its data", "new", "m1"},
	} {
		_, err := New(Options{DataDir: path(c.data), MetadataDir: path(c.metadata), Keys: testKeys})
		if err == nil || !strings.Contains(err.Error(), "does not belong") || !strings.Contains(err.Error(), path(c.data)) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	// A crash after the first of the two files was written.
	if err := os.Mkdir(path("d3"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := makePair(path("d3"), newPair()); err != nil {
		t.Fatal(err)
	}
	open(t, path("d3"), path("m3"))
	if err := os.WriteFile(filepath.Join(path("d1"), pairFile), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{DataDir: path("d1"), MetadataDir: path("m1"), Keys: testKeys}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged file: %v", err)
	}
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{DataDir: filepath.Join(file, "d"), MetadataDir: t.TempDir(), Keys: testKeys}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a server of nothing opens")
	}
}

func TestCredentialsAreMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	made, err := Credentials(path)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	access, secret, ok := strings.Cut(strings.TrimSuffix(string(first), "\n"), ":")
	if !ok || len(access) != 20 || len(secret) != 40 || strings.Contains(secret, ":") {
		t.Errorf("a pair of %d and %d characters", len(access), len(secret))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if made, err := Credentials(path); err != nil || made {
		t.Errorf("made again: %v %v", made, err)
	}
	if second, _ := os.ReadFile(path); string(second) != string(first) {
		t.Error("the pair changed")
	}
	other := filepath.Join(t.TempDir(), "credentials")
	if _, err := Credentials(other); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(other); string(b) == string(first) {
		t.Error("two servers have the same keys")
	}
}

func TestHealthAndMetrics(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "d"), filepath.Join(dir, "m"))
	ts := httptest.NewServer(s.MetricsHandler())
	defer ts.Close()
	get := func(path string) (int, string) {
		resp, err := http.Get(ts.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if status, body := get("/live"); status != 200 || !strings.Contains(body, `"live":true`) {
		t.Errorf("live: %d %s", status, body)
	}
	if status, body := get("/ready"); status != 200 || !strings.Contains(body, `"metadata":"ok"`) {
		t.Errorf("ready: %d %s", status, body)
	}
	if status, body := get("/metrics"); status != 200 || !strings.Contains(body, `pail_s3_requests_total{code="AccessDenied",op="ListBuckets"} 1`) ||
		!strings.Contains(body, "pail_s3_requests_in_flight 0") || !strings.Contains(body, "\npail_takeovers_total 1\n") {
		t.Errorf("metrics: %d %s", status, body)
	}
	s.Drain()
	if status, body := get("/ready"); status != 503 || !strings.Contains(body, "shutting down") {
		t.Errorf("draining: %d %s", status, body)
	}
	if status, _ := get("/other"); status != 404 {
		t.Errorf("other path: %d", status)
	}
}

// TestServeDrains ends a server while a request is under way: the request is answered, new ones are not taken.
func TestServeDrains(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h, ServeOptions{}) }()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answered <- string(b)
	}()
	<-entered
	cancel()
	for { // until the listener is closed
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(release)
	if got := <-answered; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestSelfSigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	config, ca, err := SelfSigned(dir, []string{"s3.pail.test", "192.0.2.7", "[2001:db8::1]"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"": os.ModeDir | 0o700, "ca.key": 0o600, "server.key": 0o600, "ca.crt": 0o644, "server.crt": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	leaf := leafOf(t, config)
	roots := rootsOf(t, ca)
	for _, host := range []string{"s3.pail.test", "bucket.s3.pail.test", "localhost", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "other.test", Roots: roots}); err == nil {
		t.Error("the certificate serves any host")
	}
	before := readFile(t, ca)
	again, _, err := SelfSigned(dir, []string{"s3.pail.test"}, nil)
	if err != nil || leafOf(t, again).SerialNumber.Cmp(leaf.SerialNumber) != 0 {
		t.Errorf("a certificate that serves was not kept: %v", err)
	}
	more, _, err := SelfSigned(dir, []string{"new.pail.test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if readFile(t, ca) != before {
		t.Error("the CA changed")
	}
	if _, err := leafOf(t, more).Verify(x509.VerifyOptions{DNSName: "new.pail.test", Roots: roots}); err != nil {
		t.Errorf("new host: %v", err)
	}
	for _, bad := range []string{"", "a b", "a..b", "-/", "a.*.b"} {
		if _, _, err := SelfSigned(t.TempDir(), []string{bad}, nil); err == nil {
			t.Errorf("host %q is taken", bad)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := SelfSigned(dir, nil, nil); err == nil || !strings.Contains(err.Error(), "remove ca.crt") {
		t.Errorf("broken CA: %v", err)
	}
}

func TestSelfSignedRenewsBeforeExpiry(t *testing.T) {
	dir := t.TempDir()
	s := &selfSigned{dir: dir, names: []string{"localhost"}}
	now := time.Now()
	if err := s.openCA(now); err != nil {
		t.Fatal(err)
	}
	first := s.current(now)
	if s.current(now.Add(24*time.Hour)) != first && s.current(now.Add(24*time.Hour)).Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) != 0 {
		t.Error("renewed too early")
	}
	late := now.Add(serverLifetime - renewBefore + time.Hour)
	second := s.current(late)
	if second.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 || second.Leaf.NotAfter.Before(late.Add(renewBefore)) {
		t.Errorf("not renewed: valid until %v", second.Leaf.NotAfter)
	}
	if err := (&selfSigned{dir: dir}).openCA(now.Add(caLifetime + time.Hour)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired CA: %v", err)
	}
}

func TestCertificateFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, d := range []string{a, b} {
		if _, _, err := SelfSigned(d, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	install := func(from string) {
		for to, name := range map[string]string{cert: "server.crt", key: "server.key"} {
			if err := os.WriteFile(to, []byte(readFile(t, filepath.Join(from, name))), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	install(a)
	config, err := TLSFiles(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := leafOf(t, config)
	f := &certFiles{cert: cert, key: key, log: slog.New(slog.DiscardHandler)}
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	install(b)
	now := time.Now().Add(time.Hour)
	if err := os.Chtimes(cert, now, now); err != nil {
		t.Fatal(err)
	}
	second := f.current(now)
	if second.Leaf.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("the new certificate is not used")
	}
	if err := os.WriteFile(key, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f.current(now.Add(time.Minute)) != second {
		t.Error("a broken file took the old certificate away")
	}
	if _, err := TLSFiles(cert, key, nil); err == nil || !strings.Contains(err.Error(), cert) {
		t.Errorf("broken pair: %v", err)
	}
	if _, err := TLSFiles(filepath.Join(dir, "none"), key, nil); err == nil {
		t.Error("a missing file is taken")
	}
}

func leafOf(t *testing.T, config *tls.Config) *x509.Certificate {
	t.Helper()
	c, err := config.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func rootsOf(t *testing.T, ca string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(readFile(t, ca))) {
		t.Fatal("no certificate in " + ca)
	}
	return pool
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
