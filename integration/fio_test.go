package integration

import (
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

// fioJobs are ways to write a file. All that fio reads back must have the checksums that it wrote.
var fioJobs = []struct{ name, args string }{
	{"sequential", "--rw=write --bs=128k --ioengine=psync"},
	{"random", "--rw=randwrite --bsrange=1k-64k --ioengine=psync"},
	{"overlapping", "--rw=randwrite --bs=4k --norandommap --ioengine=psync"},
	{"mixed", "--rw=randrw --bs=8k --ioengine=psync --fdatasync=64"},
	{"direct", "--rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=8"},
	{"mmap", "--rw=randrw --bs=4k --ioengine=mmap"},
	{"synchronous", "--rw=randwrite --bs=16k --ioengine=pvsync2 --sync=1"},
	{"holes", "--rw=randwrite --bs=4k --ioengine=psync --io_size=1m"},
}

// TestProgramFio has fio write in many ways and verify what it wrote, at once and after a remount.
func TestProgramFio(t *testing.T) {
	program := harness.NeedProgram(t, "/usr/bin/fio", "fio")
	inAllModes(t, func(t *testing.T, s *site) {
		dir := s.mkdir("fio")
		run := func(more string) {
			t.Helper()
			for _, job := range fioJobs {
				args := strings.Fields("--name=" + job.name + " --directory=" + dir + " --fallocate=truncate --verify=crc32c --verify_fatal=1 --verify_state_save=0 " +
					"--size=" + harness.Scale("2m", "64m") + " " + job.args + more)
				out, stderr, err := harness.Command{Timeout: harness.Scale(5*time.Minute, 20*time.Minute)}.Try(program, args...)
				if err != nil || strings.Contains(out+stderr, "verify: bad") {
					t.Errorf("fio%s, %s: %v\n%s%s", more, job.name, err, out, stderr)
				}
			}
		}
		run("")
		s.remount()
		run(" --verify_only")
	})
}
