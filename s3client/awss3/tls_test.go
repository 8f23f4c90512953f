package awss3

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/s3client"
)

// newTLSStub serves https with httptest's certificate, which names example.com and 127.0.0.1, and returns the file of
// its CA.
func newTLSStub(t *testing.T) (srv *httptest.Server, ca string) {
	srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" && r.ContentLength > 0 && r.Header.Get("X-Amz-Content-Sha256") != unsignedPayload {
			t.Error("the payload was hashed over https")
		}
		w.Header().Set("ETag", `"stub"`)
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "0")
		}
		if len(r.TLS.PeerCertificates) > 0 {
			w.Header().Set("X-Amz-Meta-Client", "known")
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return srv, ca
}

func TestUntrustedCertificateNamesTheRemedy(t *testing.T) {
	srv, _ := newTLSStub(t)
	e := wantErr(t, put(t.Context(), newTestClient(t, srv.URL), "k", "x"), s3client.ErrUntrusted)
	if !strings.Contains(e.Error(), "ca_bundle=") {
		t.Errorf("error is %v", e)
	}
}

func TestCABundle(t *testing.T) {
	srv, ca := newTLSStub(t)
	if err := put(t.Context(), newTestClient(t, srv.URL, func(o *Options) { o.HTTP.CABundle = ca }), "k", "x"); err != nil {
		t.Error(err)
	}
	if err := put(t.Context(), newTestClient(t, srv.URL, func(o *Options) { o.HTTP.InsecureSkipVerify = true }), "k", "x"); err != nil {
		t.Error(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{empty, empty + ".missing"} {
		_, err := New(Options{Bucket: "b", HTTP: HTTPOptions{CABundle: name}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error for %s is %v", name, err)
		}
	}
}

func TestHostNameIsVerifiedUnlessToldNotTo(t *testing.T) {
	srv, ca := newTLSStub(t)
	endpoint := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	trusting := func(o *Options) { o.HTTP.CABundle = ca }
	e := wantErr(t, put(t.Context(), newTestClient(t, endpoint, trusting), "k", "x"), s3client.ErrUntrusted)
	if !strings.Contains(e.Error(), "ssl_verify_hostname=0") {
		t.Errorf("error is %v", e)
	}
	anyName := func(o *Options) { o.HTTP.SkipVerifyHostname = true }
	if err := put(t.Context(), newTestClient(t, endpoint, trusting, anyName), "k", "x"); err != nil {
		t.Error(err)
	}
	wantErr(t, put(t.Context(), newTestClient(t, endpoint, anyName), "k", "x"), s3client.ErrUntrusted)
}

func TestHTTPSToAPlainServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	c := newTestClient(t, strings.Replace(srv.URL, "http:", "https:", 1))
	e := wantErr(t, put(t.Context(), c, "k", "x"), s3client.ErrUntrusted)
	if !strings.Contains(e.Error(), "http://") {
		t.Errorf("error is %v", e)
	}
}

func TestClientCertificate(t *testing.T) {
	srv, ca := newTLSStub(t)
	file := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, selfSigned(t), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newTestClient(t, srv.URL, func(o *Options) { o.HTTP.CABundle, o.HTTP.ClientCert = ca, file })
	info, err := c.Head(t.Context(), "k")
	if err != nil || info.Meta["client"] != "known" {
		t.Errorf("info is %+v, error %v", info, err)
	}
	if _, err := New(Options{Bucket: "b", HTTP: HTTPOptions{ClientCert: ca}}); err == nil || !strings.Contains(err.Error(), ca) {
		t.Errorf("error is %v", err)
	}
}

func TestProxyIsUsed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"stub"`)
		if r.URL.Host != "s3.invalid" || r.Header.Get("Proxy-Authorization") == "" {
			t.Errorf("request for %s with %v", r.URL, r.Header)
		}
	}))
	defer proxy.Close()
	withProxy := func(o *Options) { o.HTTP.Proxy = strings.Replace(proxy.URL, "http://", "http://user:pass@", 1) }
	if err := put(t.Context(), newTestClient(t, "http://s3.invalid", withProxy), "k", "x"); err != nil {
		t.Error(err)
	}
	_, err := New(Options{Bucket: "b", HTTP: HTTPOptions{Proxy: "user:secret@%zz"}})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v", err)
	}
}
