package integration

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

const mountsPart = 10 << 20 // size of the parts that mounts send

// etagOfParts is what an ETag is where those of parts are MD5s.
func etagOfParts(data []byte) string {
	var sums []byte
	n := 0
	for ; len(data) > 0; n++ {
		p := data[:min(len(data), mountsPart)]
		sum := md5.Sum(p)
		sums, data = append(sums, sum[:]...), data[len(p):]
	}
	return fmt.Sprintf(`"%x-%d"`, md5.Sum(sums), n)
}

// TestClientsOfOpaqueETags: a large file that a mount has written is to other programs what any object of parts is, be its
// ETag made of MD5s or not.
func TestClientsOfOpaqueETags(t *testing.T) {
	c := &client{Server: harness.Serve(t, harness.ServerOptions{}), t: t, dir: t.TempDir()}
	c.Bucket(t, "bucket")
	data := load.RandomBytes(3, 35<<20)
	for dir, options := range map[string][]string{"opaque": nil, "plain": {"enable_content_md5"}} {
		c.write(dir+"/big", data)
		m := c.Mount(t, "bucket", harness.MountOptions{Options: options})
		if err := os.Mkdir(m.Path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(m.Path(dir, "big"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		m.Unmount(t)
		key := dir + "/big"
		h, err := c.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: &key, ChecksumMode: "ENABLED"})
		if err != nil {
			t.Fatal(err)
		}
		tag := aws.ToString(h.ETag)
		if is := tag == etagOfParts(data); is != (dir == "plain") || !strings.HasSuffix(tag, `-4"`) || h.ChecksumCRC64NVME == nil {
			t.Errorf("%s: ETag %s, checksum %s", key, tag, aws.ToString(h.ChecksumCRC64NVME))
		}
	}
	t.Run("s3cmd", c.s3cmdOfETags)
	t.Run("rclone", c.rcloneOfETags)
}

// alike calls what for both objects, and compares what it says, warnings too, but for names, times and ETags.
func (c *client) alike(t *testing.T, what func(dir string) string) {
	t.Helper()
	differs := regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d|\d{10}\.\d+|[0-9.]+ ?(s|seconds|[kKM]i?B/s)\b|\d\d:\d\d:\d\d|[0-9a-f]{32}(-\d+)?|ETA.*`)
	said := map[string]string{}
	for _, dir := range []string{"opaque", "plain"} {
		said[dir] = differs.ReplaceAllString(strings.ReplaceAll(what(dir), dir, "DIR"), "?")
	}
	if said["opaque"] != said["plain"] {
		t.Errorf("of one it says\n%s\nof the other\n%s", said["opaque"], said["plain"])
	}
}

func (c *client) s3cmdOfETags(t *testing.T) {
	s3cmd := harness.NeedProgram(t, "/usr/bin/s3cmd", "s3cmd")
	c.write(".s3cfg", []byte("[default]\naccess_key = "+harness.AccessKey+"\nsecret_key = "+harness.SecretKey+
		"\nhost_base = "+c.Addr()+"\nhost_bucket = "+c.Addr()+"\nuse_https = True\nca_certs_file = "+c.CA+"\n"))
	c.Env = []string{"HOME=" + c.dir}
	run := func(args ...string) string {
		t.Helper()
		out, log, err := c.Try(s3cmd, append([]string{"--no-progress"}, args...)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s%s", args, err, out, log)
		}
		return out + log
	}
	c.alike(t, func(dir string) string { return run("info", "s3://bucket/"+dir+"/big") })
	c.alike(t, func(dir string) string { return run("sync", "--dry-run", c.path(dir)+"/", "s3://bucket/"+dir+"/") })
	c.alike(t, func(dir string) string { return run("sync", "--dry-run", "s3://bucket/"+dir+"/", c.path(dir)+"/") })
	c.alike(t, func(dir string) string { return run("get", "--force", "s3://bucket/"+dir+"/big", c.path("back-"+dir)) })
}

func (c *client) rcloneOfETags(t *testing.T) {
	rclone := harness.NeedProgram(t, "/usr/bin/rclone", "rclone")
	c.Env = []string{"RCLONE_CONFIG=" + filepath.Join(c.dir, "rclone.conf"), "RCLONE_CONFIG_PAIL_TYPE=s3", "RCLONE_CONFIG_PAIL_PROVIDER=Other", "RCLONE_CONFIG_PAIL_ENDPOINT=" + c.URL,
		"RCLONE_CONFIG_PAIL_ACCESS_KEY_ID=" + harness.AccessKey, "RCLONE_CONFIG_PAIL_SECRET_ACCESS_KEY=" + harness.SecretKey, "RCLONE_CA_CERT=" + c.CA}
	run := func(args ...string) string {
		t.Helper()
		out, log, err := c.Try(rclone, append(args, "-v", "--stats=0")...)
		if err != nil {
			t.Fatalf("%q: %v\n%s%s", args, err, out, log)
		}
		return out + log
	}
	c.alike(t, func(dir string) string { return run("check", c.path(dir), "pail:bucket/"+dir) })
	c.alike(t, func(dir string) string { return run("md5sum", "pail:bucket/"+dir) })
	c.alike(t, func(dir string) string { return run("copy", "--checksum", "pail:bucket/"+dir, c.path(dir)) })
	c.alike(t, func(dir string) string { return run("copy", "--dry-run", c.path(dir), "pail:bucket/"+dir) })
	c.alike(t, func(dir string) string { return run("copyto", "pail:bucket/"+dir+"/big", c.path("again-"+dir)) })
}
