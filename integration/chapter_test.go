package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

// TestS3FSChapter plays the S3FS section of the seed word for word: passwd file, HTTPS, s3cmd mb, the mount with that
// very -o line, touch, mkdir, and what s3cmd ls -r must print.
func TestS3FSChapter(t *testing.T) {
	t.Parallel()
	machine(t, "s3fs_chapter.sh", "chapter: passed")
}

// TestFstab mounts lines of type fuse.pail and fuse.s3fs by mount -a.
func TestFstab(t *testing.T) {
	t.Parallel()
	machine(t, "fstab.sh", "fstab: passed")
}

// machine runs a script in mount, network and process namespaces of its own: it may change /etc and listen on port
// 8000, and nothing that it starts outlives it.
func machine(t *testing.T, script, passed string) {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedMount(t)
	harness.NeedProgram(t, "/usr/bin/s3cmd", "s3cmd")
	harness.NeedProgram(t, "/usr/sbin/ip", "iproute2")
	path, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := harness.Command{Env: []string{"PAIL=" + harness.Binary(t), "LAB=" + t.TempDir()}, Timeout: 4 * time.Minute}
	out := cmd.Run(t, "/usr/bin/unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", path)
	if !strings.HasSuffix(out, passed+"\n") {
		t.Errorf("the script did not come to its end:\n%s", out)
	}
}
