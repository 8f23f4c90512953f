package fs_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"pail/s3client"
)

// What programs of every day cost: requests are counted while they run on a mount. The volume believes what it has heard for
// an hour, and what it has listed ahead for half a second, so that a slow machine costs more listings of find at most.
func TestRequestsOfPrograms(t *testing.T) {
	const many = 1200 // small objects of one directory, two pages
	programs := []struct {
		name, script string
		lists, most  int
		heads        int // where listings have no metadata
	}{
		{"ls", "ls l | wc -l | grep -x 1200", 2, 2, 0},
		{"ls -l", "ls -l l | grep -c e | grep -x 1200", 2, 2, many},
		{"ls -l again", "ls -l l | grep -c e | grep -x 1200", 2, 2, 0},
		{"find of large files", "find b -type f | wc -l | grep -x 50", 1, 1, 0},
		{"find of small files", "find t -type f | wc -l | grep -x 300", 1, 1 + 3 + 1, 300},
		{"find again", "find t -type f | wc -l | grep -x 300", 0, 1 + 3 + 1, 0},
		{"stat", "stat s/e* >/dev/null", 1, 1, 50},
		{"rm -r", "rm -r r", 1, 3, 50}, // more of them see whether it is empty
	}
	for _, service := range []string{"full", "plain"} {
		t.Run(service, func(t *testing.T) {
			env := []string{ttlEnv + "=1h"}
			if service == "full" {
				env = append(env, fullEnv+"=1")
			}
			m := newMount(t, env...)
			put := func(size int, format string, args ...any) {
				m.order(order{Op: "put", Key: fmt.Sprintf(format, args...), Body: []byte(strings.Repeat("x", size))})
			}
			for i := range many {
				put(3, "l/e%04d", i)
			}
			for i := range 50 {
				put(5000, "b/e%02d", i)
				put(3, "s/e%02d", i)
				put(3, "r/e%02d", i)
			}
			for i := range 300 {
				put(3, "t/d%d/e%02d", i/100, i%100)
			}
			m.run("stat l b t s r")
			for _, p := range programs {
				m.order(order{Op: "count"})
				m.run(p.script)
				heads := p.heads
				if service == "full" {
					heads = 0
				}
				got := m.order(order{Op: "count"}).Count
				if lists := got[s3client.OpList]; got[s3client.OpHead] != heads || lists < p.lists || lists > p.most {
					t.Errorf("%s: %v, want %d to %d listings and %d heads", p.name, got, p.lists, p.most, heads)
				}
			}
		})
	}
}

// run runs a script of the shell in the mount's root.
func (m *mount) run(script string) {
	m.t.Helper()
	cmd := exec.Command("bash", "-eo", "pipefail", "-c", script)
	cmd.Dir = m.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Errorf("%s: %v: %s", script, err, out)
	}
}
