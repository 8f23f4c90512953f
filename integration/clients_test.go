package integration

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/integration/harness"
	"pail/integration/load"
)

// bigSize is the multipart object of the clients' tests.
const bigSize = 100 << 20

// client is the scene of one client's test: a server over HTTPS and a few local files.
type client struct {
	*harness.Server
	harness.Command
	t   *testing.T
	dir string // local files: small, big, tree/{a,b,sub/c}
	big []byte
}

func newClient(t *testing.T) *client {
	c := &client{Server: harness.Serve(t, harness.ServerOptions{}), t: t, dir: t.TempDir()}
	c.Env = []string{"HOME=" + c.dir}
	c.big = load.RandomBytes(1, bigSize)
	c.write("small", []byte("a small object\n"))
	c.write("big", c.big)
	c.write("tree/a", []byte("a"))
	c.write("tree/b", []byte("b b"))
	c.write("tree/sub/c", load.RandomBytes(2, 100_000))
	return c
}

func (c *client) path(name string) string { return filepath.Join(c.dir, name) }

func (c *client) write(name string, content []byte) {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.path(name)), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.path(name), content, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// same fails unless the file name holds want.
func (c *client) same(name string, want []byte) {
	c.t.Helper()
	got, err := os.ReadFile(c.path(name))
	if err != nil {
		c.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		c.t.Errorf("%s holds %d other bytes than the %d stored", name, len(got), len(want))
	}
}

// fetch gets a presigned URL as a browser would.
func (c *client) fetch(url string) string {
	c.t.Helper()
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(strings.TrimSpace(url))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("presigned GET: %s\n%s", resp.Status, body)
	}
	return string(body)
}

func (c *client) wantSmall(got string) {
	c.t.Helper()
	if got != "a small object\n" {
		c.t.Errorf("got %q", got)
	}
}

// wantNames fails unless text names each of the words.
func (c *client) wantNames(text string, words ...string) {
	c.t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			c.t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

// TestS3cmd uses Debian's s3cmd with both signatures.
func TestS3cmd(t *testing.T) {
	t.Parallel()
	s3cmd := harness.NeedProgram(t, "/usr/bin/s3cmd", "s3cmd")
	c := newClient(t)
	c.write(".s3cfg", []byte("[default]\naccess_key = "+harness.AccessKey+"\nsecret_key = "+harness.SecretKey+
		"\nhost_base = "+c.Addr()+"\nhost_bucket = "+c.Addr()+"\nuse_https = True\nsignurl_use_https = True\nca_certs_file = "+c.CA+"\n"))
	for _, signature := range []string{"v4", "v2"} {
		t.Run(signature, func(t *testing.T) {
			c.t = t
			bucket := "s3://bucket-" + signature
			run := func(args ...string) string {
				t.Helper()
				if signature == "v2" {
					args = append(args, "--signature-v2")
				}
				return c.Run(t, s3cmd, args...)
			}
			run("mb", bucket)
			run("put", c.path("small"), bucket+"/dir/small")
			run("put", c.path("big"), bucket+"/big", "--multipart-chunk-size-mb=15")
			run("cp", bucket+"/big", bucket+"/copy")
			c.wantNames(run("ls", "-r", bucket), "/dir/small", "/big", "/copy")
			run("get", "--force", bucket+"/copy", c.path("back"))
			c.same("back", c.big)
			c.wantSmall(c.fetch(run("signurl", bucket+"/dir/small", "+600")))
			run("put", "--acl-public", c.path("small"), bucket+"/public")
			c.wantSmall(c.fetch("https://" + c.Addr() + "/bucket-" + signature + "/public"))
			run("sync", c.path("tree")+"/", bucket+"/tree/")
			if out := run("sync", c.path("tree")+"/", bucket+"/tree/"); strings.Contains(out, "upload:") {
				t.Errorf("the second sync transfers:\n%s", out)
			}
			c.wantNames(run("info", bucket+"/dir/small"), "File size: 15")
			run("del", "-r", "--force", bucket)
			run("rb", bucket)
			if out := run("ls"); strings.Contains(out, bucket) {
				t.Errorf("%s is still there:\n%s", bucket, out)
			}
		})
	}
}

// TestAWSCLI uses Debian's aws: low-level calls, transfers and sync.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	aws := harness.NeedProgram(t, "/usr/bin/aws", "awscli")
	c := newClient(t)
	c.Env = append(c.Env, "AWS_CA_BUNDLE="+c.CA, "AWS_ACCESS_KEY_ID="+harness.AccessKey, "AWS_SECRET_ACCESS_KEY="+harness.SecretKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	run := func(args ...string) string {
		t.Helper()
		return c.Run(t, aws, append([]string{"--endpoint-url", c.URL}, args...)...)
	}
	run("s3", "mb", "s3://bucket")
	run("s3", "cp", c.path("small"), "s3://bucket/dir/small")
	run("s3", "cp", "--only-show-errors", c.path("big"), "s3://bucket/big")
	run("s3", "cp", "--only-show-errors", "s3://bucket/big", "s3://bucket/copy")
	run("s3", "cp", "--only-show-errors", "s3://bucket/copy", c.path("back"))
	c.same("back", c.big)
	c.wantNames(run("s3", "ls", "--recursive", "s3://bucket"), "dir/small", "big", "copy")
	c.wantNames(run("s3api", "head-object", "--bucket", "bucket", "--key", "big"), `"ContentLength": 104857600`, `-13`)
	c.wantNames(run("s3api", "list-buckets"), `"Name": "bucket"`)
	c.wantSmall(c.fetch(run("s3", "presign", "s3://bucket/dir/small")))
	run("s3", "sync", c.path("tree"), "s3://bucket/tree")
	if out := run("s3", "sync", c.path("tree"), "s3://bucket/tree"); out != "" {
		t.Errorf("the second sync transfers:\n%s", out)
	}
	run("s3", "rb", "--force", "s3://bucket")
	if out := run("s3", "ls"); out != "" {
		t.Errorf("left over:\n%s", out)
	}
}

// TestBoto3 runs a boto3 script of its own; see testdata/boto3_client.py.
func TestBoto3(t *testing.T) {
	t.Parallel()
	python := harness.NeedProgram(t, "/usr/bin/python3", "python3-boto3")
	c := newClient(t)
	c.Env = append(c.Env, "AWS_CA_BUNDLE="+c.CA, "AWS_ACCESS_KEY_ID="+harness.AccessKey, "AWS_SECRET_ACCESS_KEY="+harness.SecretKey)
	url := c.Run(t, python, "testdata/boto3_client.py", "fill", c.URL, c.path("big"))
	c.wantSmall(c.fetch(url))
	c.Run(t, python, "testdata/boto3_client.py", "clear", c.URL)
}

// TestRclone uses Debian's rclone: copy, check, sync, a link, purge.
func TestRclone(t *testing.T) {
	t.Parallel()
	rclone := harness.NeedProgram(t, "/usr/bin/rclone", "rclone")
	c := newClient(t)
	c.Env = append(c.Env, "RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_PAIL_TYPE=s3", "RCLONE_CONFIG_PAIL_PROVIDER=Other", "RCLONE_CONFIG_PAIL_ENDPOINT="+c.URL,
		"RCLONE_CONFIG_PAIL_ACCESS_KEY_ID="+harness.AccessKey, "RCLONE_CONFIG_PAIL_SECRET_ACCESS_KEY="+harness.SecretKey, "RCLONE_CA_CERT="+c.CA)
	run := func(args ...string) string {
		t.Helper()
		return c.Run(t, rclone, args...)
	}
	run("mkdir", "pail:bucket")
	run("copyto", c.path("small"), "pail:bucket/dir/small")
	run("copyto", "--s3-upload-cutoff=20M", "--s3-chunk-size=10M", c.path("big"), "pail:bucket/big")
	run("copyto", "pail:bucket/big", "pail:bucket/copy")
	run("copyto", "pail:bucket/copy", c.path("back"))
	c.same("back", c.big)
	c.wantNames(run("lsl", "pail:bucket"), "dir/small", "big", "copy")
	c.wantSmall(run("cat", "pail:bucket/dir/small"))
	c.wantSmall(c.fetch(run("link", "pail:bucket/dir/small")))
	run("sync", c.path("tree"), "pail:bucket/tree")
	run("check", c.path("tree"), "pail:bucket/tree")
	_, log, err := c.Try(rclone, "sync", "-vv", c.path("tree"), "pail:bucket/tree")
	if err != nil || strings.Contains(log, "Copied (") {
		t.Errorf("the second sync: %v\n%s", err, log)
	}
	run("moveto", "pail:bucket/dir/small", "pail:bucket/moved")
	c.wantSmall(run("cat", "pail:bucket/moved"))
	run("purge", "pail:bucket")
	if out := run("lsd", "pail:"); out != "" {
		t.Errorf("left over:\n%s", out)
	}
}
