package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/server/pgtest"
)

// The seed's credentials.
const (
	AccessKey = "accessKey1"
	SecretKey = "verySecretKey1"
)

// ServerOptions vary a server; the zero value is HTTPS with a certificate of its own on a free port.
type ServerOptions struct {
	Binary string   // Binary(t) when empty
	Dir    string   // of data and metadata; a temporary one when empty
	HTTP   bool     // plain HTTP
	Passwd string   // file with the credentials; one with AccessKey and SecretKey when empty
	Args   []string // further flags of pail serve

	Database string // address of a PostgreSQL database for the metadata
}

// Server is a running pail serve.
type Server struct {
	URL    string // scheme://host:port
	Dir    string
	CA     string   // file, "" with HTTP
	Passwd string   // file of mode 0600 with AccessKey and SecretKey
	Others []string // URLs of further servers on the same directory, for mounts

	args           []string
	opt            ServerOptions
	proc           *process // nil: not the harness's
	access, secret string
}

// Serve starts a server and waits until it answers, be it that it stands by; the test's end stops it.
func Serve(t testing.TB, opt ServerOptions) *Server {
	t.Helper()
	if opt.Binary == "" {
		opt.Binary = Binary(t)
	}
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Passwd == "" {
		opt.Passwd = PasswdFile(t, AccessKey+":"+SecretKey)
	}
	s := &Server{Dir: opt.Dir, opt: opt, Passwd: opt.Passwd, access: AccessKey, secret: SecretKey}
	s.args = append([]string{"serve", "--dir", s.Dir, "--passwd-file", s.Passwd}, opt.Args...)
	if !opt.HTTP {
		s.args = append(s.args, "--tls-self-signed", "127.0.0.1,localhost")
		s.CA = filepath.Join(s.Dir, "metadata", "tls", "ca.crt")
	}
	port, err := pgtest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, fmt.Sprintf("127.0.0.1:%d", port))
	return s
}

// PasswdFile writes a passwd file of mode 0600.
func PasswdFile(t testing.TB, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passwd-pail")
	if err := os.WriteFile(path, []byte(lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var servingOn = regexp.MustCompile(`pail: (?:serving S3|standing by) on (https?://([^\s,]+))`)

func (s *Server) start(t testing.TB, addr string) {
	t.Helper()
	cmd := exec.Command(s.opt.Binary, append(s.args, "--listen", addr)...)
	cmd.Env = s.Environment()
	s.proc = start(t, cmd)
	line, err := s.proc.waitLine(" on http")
	if err != nil {
		t.Fatal(err)
	}
	s.URL = servingOn.FindStringSubmatch(line)[1]
}

// Environment is the environment of the server's process.
func (s *Server) Environment() []string {
	if s.opt.Database == "" {
		return os.Environ()
	}
	return append(os.Environ(), "PAIL_METADATA="+s.opt.Database)
}

// Addr returns the server's host:port.
func (s *Server) Addr() string {
	return regexp.MustCompile(`^https?://`).ReplaceAllString(s.URL, "")
}

// PID returns the process id of the running server.
func (s *Server) PID() int { return s.proc.pid() }

// Kill ends the server at once, as a power cut would.
func (s *Server) Kill() { s.proc.kill() }

// WaitOwner waits until a server that stood by serves.
func (s *Server) WaitOwner(t testing.TB) {
	t.Helper()
	if _, err := s.proc.waitLine("pail: serving S3 on"); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the process where it is; Resume lets it go on.
func (s *Server) Pause() { s.proc.pause() }

// Resume ends a Pause.
func (s *Server) Resume() { s.proc.cmd.Process.Signal(syscall.SIGCONT) }

// Stop ends the server in order.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.proc.terminate(); err != nil {
		t.Errorf("pail serve: %v\n%s", err, s.proc.output())
	}
}

// Restart starts the server again on the same directory and port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.start(t, s.Addr())
}

// Client returns an AWS SDK client of the server.
func (s *Server) Client(t testing.TB) *s3.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.URL),
		Region:       "us-east-1",
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s.access, s.secret, ""),
		HTTPClient:   &http.Client{Transport: transport},
	})
}

// Bucket makes a bucket.
func (s *Server) Bucket(t testing.TB, name string) {
	t.Helper()
	if _, err := s.Client(t).CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	if !s.Extended() {
		t.Cleanup(func() { s.removeBucket(t, name) })
	}
}
