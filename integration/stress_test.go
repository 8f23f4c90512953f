package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pail/integration/harness"
)

// stressors are those of stress-ng that work on files, and check what they see. Not among them are those that need what no
// FUSE filesystem has (fiemap, verity, chattr), and those that the kernel itself does not pass on ext4 (io-uring).
var stressors = strings.Fields(`access aio chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup eventfd fallocate
	fanotify fault fcntl file-ioctl filename flock fpunch fsize fstat getdent handle hdd inotify io iomix lease link locka
	lockf lockofd mknod mmap msync open readahead rename revio seek sendfile splice symlink sync-file touch utime xattr`)

// TestProgramStressNG runs stress-ng's filesystem stressors, each of which fails where something is not as on a local disk.
func TestProgramStressNG(t *testing.T) {
	program := harness.NeedProgram(t, "/usr/bin/stress-ng", "stress-ng")
	inAllModes(t, func(t *testing.T, s *site) {
		dir := s.mkdir("stress")
		names := slices.DeleteFunc(slices.Clone(stressors), func(name string) bool { return name == "link" && !s.srv.Extended() })
		for group := range slices.Chunk(names, harness.Scale(12, 1)) { // those of a group run at once
			args := []string{"--timeout", harness.Scale("1", "20"), "--verify", "--temp-path", dir}
			for _, name := range group {
				args = append(args, "--"+name, harness.Scale("1", "2"), "--"+name+"-ops", harness.Scale("20", "100000"))
			}
			out, stderr, err := harness.Command{}.Try(program, args...)
			if err != nil || strings.Contains(out+stderr, "fail:") {
				t.Errorf("stress-ng %v: %v\n%s%s", args, err, out, stderr)
			}
		}
		if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
			t.Errorf("the stressors left %v, %v", left, err)
		}
	})
}
