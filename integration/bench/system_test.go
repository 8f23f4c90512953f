package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pail/integration/harness"
)

// system is a file system to be measured.
type system struct {
	name    string
	program string // that must be there; "" for pail's own binary
	local   bool   // a local directory: no server, no mount
	command func(e *endpoint, bucket, dir, scratch string) *exec.Cmd
}

// endpoint is what a system is told of the service.
type endpoint struct {
	pail, url, passwd string
}

func pailCommand(extra ...string) func(*endpoint, string, string, string) *exec.Cmd {
	return func(e *endpoint, bucket, dir, scratch string) *exec.Cmd {
		words := append([]string{"url=" + e.url, "passwd_file=" + e.passwd, "use_path_request_style", "use_cache=" + filepath.Join(scratch, "cache")}, extra...)
		for i, word := range words {
			words[i] = strings.ReplaceAll(word, "SCRATCH", scratch)
		}
		return exec.Command(e.pail, "mount", bucket, dir, "-f", "-o", strings.Join(words, ","))
	}
}

var systems = []system{
	{name: "local", local: true},
	{name: "pail", command: pailCommand()},
	{name: "pail writeback", command: pailCommand("writeback", "journal_dir=SCRATCH/journal")},
	{name: "s3fs", program: "/usr/bin/s3fs", command: func(e *endpoint, bucket, dir, scratch string) *exec.Cmd {
		return exec.Command("/usr/bin/s3fs", bucket, dir, "-f", "-o", "url="+e.url+",passwd_file="+e.passwd+
			",use_path_request_style,use_cache="+filepath.Join(scratch, "cache")+",parallel_count=8,multipart_size=16,multireq_max=32")
	}},
	{name: "rclone", program: "/usr/bin/rclone", command: func(e *endpoint, bucket, dir, scratch string) *exec.Cmd {
		cmd := exec.Command("/usr/bin/rclone", "mount", ":s3:"+bucket, dir, "--config", "/dev/null", "--s3-provider", "Other", "--s3-env-auth",
			"--s3-endpoint", e.url, "--cache-dir", filepath.Join(scratch, "cache"), "--vfs-cache-mode", "full", "--vfs-write-back", "100ms")
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+harness.AccessKey, "AWS_SECRET_ACCESS_KEY="+harness.SecretKey)
		return cmd
	}},
}

// need skips a system whose program is not installed.
func (s system) need(b *testing.B) {
	if s.program == "" {
		return
	}
	if _, err := os.Stat(s.program); err != nil {
		b.Skipf("%s is not installed", s.program)
	}
}
