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
		dirs         int // that are removed, each with one request where the service decides whether it is empty
	}{
		{"ls", "ls l | wc -l | grep -x 1200", 2, 2, 0, 0},
		{"ls -l", "ls -l l | grep -c e | grep -x 1200", 2, 2, many, 0},
		{"ls -l again", "ls -l l | grep -c e | grep -x 1200", 2, 2, 0, 0},
		{"find of large files", "find b -type f | wc -l | grep -x 50", 1, 1, 0, 0},
		{"find of small files", "find t -type f | wc -l | grep -x 300", 1, 1 + 3 + 1, 300, 0},
		{"find again", "find t -type f | wc -l | grep -x 300", 0, 1 + 3 + 1, 0, 0},
		{"stat", "stat s/e* >/dev/null", 1, 1, 50, 0},
		{"rm -r", "rm -r r", 1, 3, 50, 1}, // more of them see whether it is empty
		{"rm -r of a tree", "rm -r t", 0, 1 + 3 + 1 + 4, 0, 4},
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
				dirs := p.dirs
				if service == "plain" {
					dirs = 0
				}
				if lists := got[s3client.OpList]; got[s3client.OpDeleteDir] != dirs || got[s3client.OpHead] != heads || lists < p.lists || lists > p.most {
					t.Errorf("%s: %v, want %d to %d listings and %d heads", p.name, got, p.lists, p.most, heads)
				}
			}
		})
	}
}

// A small change of a large file is one request, beside that which looks at the object when it is opened.
func TestRequestsOfPatches(t *testing.T) {
	m := newMount(t, fullEnv+"=1", ttlEnv+"=1h")
	m.order(order{Op: "put", Key: "d/big", Body: []byte(strings.Repeat("0123456789abcdef", 3<<16))})
	for _, p := range []struct{ name, script string }{
		{"append", "printf appended >>d/big"},
		{"overwrite", "printf overwritten | dd of=d/big bs=1M seek=1 conv=notrunc status=none"},
		{"truncate", "truncate -s 2M d/big"},
	} {
		m.run("ls d")
		m.order(order{Op: "count"})
		m.run(p.script)
		got := m.order(order{Op: "count"}).Count
		if got[s3client.OpPatch] != 1 || got[s3client.OpHead] != 1 || len(got) != 2 {
			t.Errorf("%s: %v", p.name, got)
		}
	}
	m.run("head -c 1048576 d/big | md5sum | grep -q $(yes 0123456789abcdef | tr -d '\\n' | head -c 1048576 | md5sum | cut -c 1-32)")
	m.run("dd if=d/big bs=16 skip=65536 count=1 status=none | grep -qx overwrittenbcdef")
	m.run("stat -c %s d/big | grep -qx 2097152")
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
