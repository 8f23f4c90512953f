package integration

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/integration/harness"
)

// TestS3cmdWebsite makes a website with s3cmd and visits it.
func TestS3cmdWebsite(t *testing.T) {
	t.Parallel()
	s3cmd := harness.NeedProgram(t, "/usr/bin/s3cmd", "s3cmd")
	s := harness.Serve(t, harness.ServerOptions{HTTP: true, Args: []string{"--website-domain", "web.pail.test"}})
	dir := t.TempDir()
	for name, content := range map[string]string{
		".s3cfg": "[default]\naccess_key = " + harness.AccessKey + "\nsecret_key = " + harness.SecretKey + "\nhost_base = " + s.Addr() +
			"\nhost_bucket = " + s.Addr() + "\nuse_https = False\nwebsite_endpoint = http://%(bucket)s.web.pail.test/\n",
		"index.html": "<p>home</p>", "error.html": "<p>not here</p>",
		"policy": `{"Statement":{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::blog","arn:aws:s3:::blog/*"]}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := harness.Command{Env: []string{"HOME=" + dir}, Dir: dir}
	c.Run(t, s3cmd, "mb", "s3://blog")
	c.Run(t, s3cmd, "put", "index.html", "error.html", "s3://blog/")
	c.Run(t, s3cmd, "put", "index.html", "s3://blog/sub/")
	c.Run(t, s3cmd, "setpolicy", "policy", "s3://blog")
	c.Run(t, s3cmd, "ws-create", "--ws-index=index.html", "--ws-error=error.html", "s3://blog")
	info := c.Run(t, s3cmd, "ws-info", "s3://blog")
	for _, want := range []string{"http://blog.web.pail.test/", "index.html", "error.html"} {
		if !strings.Contains(info, want) {
			t.Errorf("ws-info does not name %s:\n%s", want, info)
		}
	}
	for target, want := range map[string]string{"/": "200 OK <p>home</p>", "/sub": "200 OK <p>home</p>", "/none": "404 Not Found <p>not here</p>"} {
		if got := visit(t, s.URL+target, "blog.web.pail.test"); got != want {
			t.Errorf("%s: %s", target, got)
		}
	}
	c.Run(t, s3cmd, "ws-delete", "s3://blog")
	if got := visit(t, s.URL, "blog.web.pail.test"); !strings.Contains(got, "NoSuchWebsiteConfiguration") {
		t.Errorf("after ws-delete: %s", got)
	}
}

// visit gets a page of the website of that host and follows redirects within it.
func visit(t *testing.T, url, host string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status + " " + string(body)
}
