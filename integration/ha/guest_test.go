package ha

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pail/integration/harness"
)

// guest is a virtual machine: a Linux kernel that is a process (user-mode Linux), on the files of this machine.
type guest struct {
	t      *testing.T
	number int
	memory string
	script string
	cmd    *exec.Cmd
}

// newGuest makes the machine's network card and has the script ready that runs in it; start starts it.
func newGuest(t *testing.T, number int, script string) *guest {
	t.Helper()
	harness.NeedProgram(t, "/usr/bin/linux.uml", "user-mode-linux")
	harness.NeedProgram(t, "/usr/sbin/modprobe", "kmod")
	g := &guest{t: t, number: number, memory: "384M", script: lab(fmt.Sprintf("guest%d.sh", number))}
	init := fmt.Sprintf(guestInit, moduleRoot(t), address(number), number, script)
	if err := os.WriteFile(g.script, []byte(init), 0o755); err != nil {
		t.Fatal(err)
	}
	g.ip("tuntap", "add", g.tap(), "mode", "tap")
	g.ip("link", "set", g.tap(), "master", bridge, "up", "gso_max_segs", "1")
	t.Cleanup(func() {
		g.kill()
		g.ip("link", "del", g.tap())
	})
	return g
}

// guestInit is the first process of a guest. What it prints is the guest's console.
const guestInit = `#!/bin/sh
exec 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /run
modprobe() { command modprobe -d %s "$@"; }
IP=%s; ip link set lo up; ip addr add $IP/24 dev vec0; ip link set vec0 up; hostname guest%d
%s
poweroff -f
`

// moduleRoot is a directory in which modprobe finds the modules of the guests' kernel.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root := lab("modules")
	if err := os.MkdirAll(filepath.Join(root, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/lib/uml/modules", filepath.Join(root, "lib", "modules")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return root
}

// xstate builds what lets the guests' kernel run on processors with more registers than it knows.
func xstate(t *testing.T) string {
	t.Helper()
	path := lab("xstate.so")
	if _, err := os.Stat(path); err != nil {
		harness.Command{}.Run(t, harness.NeedProgram(t, "/usr/bin/cc", "gcc"), "-O2", "-shared", "-fPIC", "-o", path, "testdata/xstate.c", "-ldl")
	}
	return path
}

func (g *guest) tap() string { return fmt.Sprintf("guest%d", g.number) }

func (g *guest) ip(args ...string) {
	g.t.Helper()
	harness.Command{}.Run(g.t, "ip", args...)
}

// start boots the machine. Its console is kept for when the test fails.
func (g *guest) start() {
	g.t.Helper()
	console, err := os.OpenFile(g.console(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		g.t.Fatal(err)
	}
	defer console.Close()
	g.cmd = exec.Command("linux.uml", "mem="+g.memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "init="+g.script,
		"vec0:transport=tap,ifname="+g.tap()+",depth=64,gro=0", "con=null", "con0=null,fd:1", "quiet",
		"umid="+g.tap())
	g.cmd.Env = append(os.Environ(), "TMPDIR=/dev/shm", "HOME="+lab(), "LD_PRELOAD="+xstate(g.t))
	g.cmd.Stdout, g.cmd.Stderr = console, console
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) console() string { return strings.TrimSuffix(g.script, ".sh") + ".console" }

// kill is a power loss.
func (g *guest) kill() {
	if g.cmd == nil {
		return
	}
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) // all of them, be some gone already
	_ = g.cmd.Wait()
	g.cmd = nil
}

// cut takes the machine off the network, heal puts it back.
func (g *guest) cut()  { g.ip("link", "set", g.tap(), "nomaster") }
func (g *guest) heal() { g.ip("link", "set", g.tap(), "master", bridge) }

// showConsole logs the end of what the machine has said, if the test has failed.
func (g *guest) showConsole() {
	if !g.t.Failed() {
		return
	}
	text, _ := os.ReadFile(g.console())
	g.t.Logf("console of guest %d:\n%s", g.number, text[max(0, len(text)-6000):])
}
