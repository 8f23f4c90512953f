package awss3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pail/s3client"
)

func TestCachedRenewsBeforeTheEnd(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fetches, broken := 0, false
	c := newCached(func(context.Context) (s3client.Credentials, error) {
		if broken {
			return s3client.Credentials{}, s3client.ErrUnavailable
		}
		fetches++
		return s3client.Credentials{AccessKey: fmt.Sprint(fetches), Expires: now.Add(time.Hour)}, nil
	}, func() time.Time { return now })
	want := func(key string) {
		t.Helper()
		got, err := c.Retrieve(t.Context())
		if err != nil || got.AccessKey != key {
			t.Errorf("credentials are %v, error %v; want %s", got, err, key)
		}
	}
	want("1")
	now = now.Add(54 * time.Minute)
	want("1")
	now = now.Add(2 * time.Minute)
	broken = true
	want("1") // still valid
	broken = false
	want("1") // asked a moment ago
	now = now.Add(renewEvery)
	want("2")
	c.Invalidate()
	want("3")
	now = now.Add(2 * time.Hour)
	broken = true
	if _, err := c.Retrieve(t.Context()); !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
}

func TestCachedAsksOnceAndWaitsForNobodyElse(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	fetches := 0
	c := newCached(func(context.Context) (s3client.Credentials, error) {
		fetches++
		close(asked)
		<-answer
		return s3client.Credentials{AccessKey: "k"}, nil
	}, time.Now)
	first := make(chan error, 1)
	go func() { _, err := c.Retrieve(t.Context()); first <- err }()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Retrieve(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	close(answer)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := c.Retrieve(t.Context()); err != nil || fetches != 1 {
		t.Errorf("%d fetches, error %v", fetches, err)
	}
}

func TestCredentialsPrintWithoutSecrets(t *testing.T) {
	creds := s3client.Credentials{AccessKey: "AK", SecretKey: "secret", SessionToken: "token"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, creds); strings.Contains(s, "secret") || strings.Contains(s, "token") {
			t.Errorf("%s prints %s", format, s)
		}
	}
}

const roleAnswer = `{"Code":"Success","AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T","Expiration":"2099-01-01T00:00:00Z"}`

// metadataStub is an instance metadata service; without v2 it knows no session tokens.
func metadataStub(t *testing.T, v2 bool, paths *[]string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*paths = append(*paths, r.Method+" "+r.URL.Path)
		switch {
		case r.Method == http.MethodPut && v2:
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "100")
			_, _ = io.WriteString(w, "session")
		case r.Method == http.MethodPut:
			w.WriteHeader(404)
		case v2 && r.Header.Get("X-Aws-Ec2-Metadata-Token") != "session":
			w.WriteHeader(401)
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			_, _ = io.WriteString(w, "first-role\nother")
		case strings.HasPrefix(r.URL.Path, "/latest/meta-data/iam/security-credentials/"):
			_, _ = io.WriteString(w, roleAnswer)
		default:
			w.WriteHeader(404)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestIAMRole(t *testing.T) {
	tests := []struct {
		name, role string
		v2, v1Only bool
		last       string
		tokens     bool
	}{
		{"v2", "", true, false, "first-role", true},
		{"v2 auto", "auto", true, false, "first-role", true},
		{"v2 named", "mine", true, false, "mine", true},
		{"falls back to v1", "", false, false, "first-role", true},
		{"v1 only", "", false, true, "first-role", false},
		{"v1 only named", "mine", false, true, "mine", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var paths []string
			p := IAMRole(InstanceRole{Name: test.role, V1Only: test.v1Only, Endpoint: metadataStub(t, test.v2, &paths)})
			creds, err := p.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if creds.AccessKey != "AK" || creds.SecretKey != "SK" || creds.SessionToken != "T" || creds.Expires.IsZero() {
				t.Errorf("credentials are %v until %v", creds, creds.Expires)
			}
			if last := paths[len(paths)-1]; last != "GET /latest/meta-data/iam/security-credentials/"+test.last {
				t.Errorf("requests are %q", paths)
			}
			if tokens := strings.HasPrefix(paths[0], "PUT"); tokens != test.tokens {
				t.Errorf("requests are %q", paths)
			}
		})
	}
}

func TestIAMRoleMissing(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, err := IAMRole(InstanceRole{V1Only: true, Endpoint: srv.URL}).Retrieve(t.Context())
	if !errors.Is(err, s3client.ErrCredentials) {
		t.Errorf("error is %v", err)
	}
}

func TestContainer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/creds" || r.Header.Get("Authorization") != "the token" {
			t.Errorf("request %s with %v", r.URL, r.Header)
		}
		_, _ = io.WriteString(w, roleAnswer)
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": srv.URL + "/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file}
	p, err := Container(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if creds, err := p.Retrieve(t.Context()); err != nil || creds.AccessKey != "AK" {
		t.Errorf("credentials are %v, error %v", creds, err)
	}
}

func TestContainerEndpoint(t *testing.T) {
	tests := []struct{ relative, full, want string }{
		{"/v2/x", "", "http://169.254.170.2/v2/x"},
		{"", "http://169.254.170.23/v1", "http://169.254.170.23/v1"},
		{"", "https://example.com/x", "https://example.com/x"},
		{"", "http://127.0.0.1:1/x", "http://127.0.0.1:1/x"},
		{"", "http://example.com/x", ""}, {"@evil/x", "", ""}, {"", "", ""},
	}
	for _, test := range tests {
		env := map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": test.relative, "AWS_CONTAINER_CREDENTIALS_FULL_URI": test.full}
		got, err := containerEndpoint(func(name string) string { return env[name] })
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: endpoint is %q, error %v", test, got, err)
		}
	}
}

func TestProfileIsReadAgainAfterInvalidate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	write := func(key string) {
		text := "[default]\naws_access_key_id=D\naws_secret_access_key=S\n[work]\naws_access_key_id=" + key + "\naws_secret_access_key=S\naws_session_token=T\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("W1")
	p := Profile("work")
	for _, want := range []string{"W1", "W2"} {
		creds, err := p.Retrieve(t.Context())
		if err != nil || creds.AccessKey != want || creds.SessionToken != "T" {
			t.Errorf("credentials are %v, error %v", creds, err)
		}
		write("W2")
		p.Invalidate()
	}
	if _, err := Profile("missing").Retrieve(t.Context()); !errors.Is(err, s3client.ErrCredentials) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error is %v", err)
	}
}
