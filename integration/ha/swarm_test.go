package ha

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pail/integration/harness"
)

// node is a host of a swarm: a dockerd in namespaces of its own, on a network card of its own. Its first process ends
// all others with it, as a power loss does.
type node struct {
	t      *testing.T
	number int
	mount  string // script that mounts what the hosts share
	cmd    *exec.Cmd
}

const nodeInit = `
mount -t proc proc /proc; mount -t tmpfs run /run; hostname node%[1]d
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip link set lo up; ip addr add %[2]s/24 dev eth0; ip link set eth0 up
ip route add unreachable default # nothing is pulled
%[4]s
dockerd --data-root %[3]s/data --exec-root /run/docker --pidfile /run/docker.pid -H unix://%[3]s/sock --cgroup-parent %[5]s &
wait
`

func newNode(t *testing.T, number int, mount string) *node {
	t.Helper()
	n := &node{t: t, number: number, mount: mount}
	if err := os.MkdirAll(n.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.kill()
		if err := os.RemoveAll(n.dir()); err != nil {
			t.Error(err)
		}
	})
	n.start()
	return n
}

func (n *node) dir(elem ...string) string {
	return filepath.Join(append([]string{lab(n.t.Name(), n.card())}, elem...)...)
}

func (n *node) card() string { return fmt.Sprintf("node%d", n.number) }

func (n *node) url() string { return "http://" + address(n.number) + ":8000" }

func (n *node) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.dir("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command("sh", "-c", fmt.Sprintf(nodeInit, n.number, address(n.number), n.dir(), n.mount, cgroupParent(lab())))
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.ip("link", "add", n.card(), "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(n.cmd.Process.Pid))
	n.ip("link", "set", n.card(), "master", bridge, "up")
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if _, _, err := n.try("version"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(n.dir("log"))
			n.t.Fatalf("dockerd does not answer:\n%s", text[max(0, len(text)-4000):])
		}
	}
}

func (n *node) ip(args ...string) {
	n.t.Helper()
	harness.Command{}.Run(n.t, "ip", args...)
}

// docker runs the client of the node's dockerd.
func (n *node) docker(args ...string) string {
	n.t.Helper()
	return strings.TrimSpace(harness.Command{Env: n.env()}.Run(n.t, "docker", args...))
}

func (n *node) try(args ...string) (out, stderr string, err error) {
	return harness.Command{Env: n.env(), Timeout: 10 * time.Second}.Try("docker", args...)
}

func (n *node) env() []string {
	return []string{"DOCKER_HOST=unix://" + n.dir("sock"), "DOCKER_BUILDKIT=0", "SCALITY_ACCESS_KEY_ID=" + harness.AccessKey,
		"SCALITY_SECRET_ACCESS_KEY=" + harness.SecretKey, "NFS_SERVER=" + address(1), "REPLICAS=3"}
}

// kill is a power loss: SIGKILL for dockerd, containerd and all tasks at once.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.cmd = nil
	_, _, _ = harness.Command{}.Try("ip", "link", "del", n.card()) // the kernel does that too, but takes its time
}

// cut takes the host off the network, heal puts it back. What runs on it runs on.
func (n *node) cut()  { n.ip("link", "set", n.card(), "down") }
func (n *node) heal() { n.ip("link", "set", n.card(), "up") }

// swarm is three managers.
type swarm struct {
	t     *testing.T
	nodes []*node
	urls  []string
}

// newSwarm starts the hosts, with the image on each, and the volumes of the tutorial and of deploy/stack.yml over the
// directories that the hosts share.
func newSwarm(t *testing.T, mount, shared string) *swarm {
	t.Helper()
	harness.NeedProgram(t, "/usr/sbin/dockerd", "docker.io")
	harness.NeedProgram(t, "/usr/sbin/iptables", "iptables")
	s := &swarm{t: t}
	for i := range 3 {
		n := newNode(t, 11+i, mount)
		s.nodes = append(s.nodes, n)
		s.urls = append(s.urls, n.url())
	}
	s.image()
	first := s.nodes[0]
	first.docker("swarm", "init", "--advertise-addr", address(first.number))
	token := first.docker("swarm", "join-token", "-q", "manager")
	for _, n := range s.nodes {
		if n != first {
			n.docker("swarm", "join", "--token", token, address(first.number)+":2377")
		}
		for _, name := range []string{"data", "metadata"} {
			for _, volume := range []string{name, "s3_" + name} {
				n.docker("volume", "create", "--driver", "local", "--opt", "type=none", "--opt", "o=bind", "--opt", "device="+filepath.Join(shared, name), volume)
			}
		}
	}
	return s
}

// image brings the image to each host.
func (s *swarm) image() {
	s.t.Helper()
	buildImage(s.t)
	for _, n := range s.nodes {
		n.docker("load", "-q", "-i", lab("image.tar"))
	}
}

// buildImage makes image.tar as `make image` makes the image, with a dockerd of its own.
func buildImage(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(lab("image.tar")); err == nil {
		return
	}
	context := lab("image")
	for _, dir := range []string{"app/localData", "app/localMetadata"} {
		if err := os.MkdirAll(filepath.Join(context, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	harness.Command{}.Run(t, "cp", harness.StaticBinary(t), filepath.Join(context, "pail"))
	n := newNode(t, 10, "")
	n.docker("build", "-q", "-t", "pail", "-f", "../../deploy/Dockerfile", context)
	n.docker("save", "-o", lab("image.tar"), "pail")
	n.kill()
}

// sharedDir makes a directory as the tutorial's NFS server has it.
func sharedDir(t *testing.T, path string) string {
	t.Helper()
	for _, name := range []string{"data", "metadata"} {
		dir := filepath.Join(path, name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// manager is a node that is up.
func (s *swarm) manager(not int) *node { return s.nodes[(not+1)%len(s.nodes)] }

// TestSwarmOneReplica is the tutorial's service with only the image's name changed, and its port on each host, as the
// kernel of the tests has no IPVS for the routing mesh. Swarm starts the service elsewhere when its host dies.
func TestSwarmOneReplica(t *testing.T) {
	s := newSwarm(t, "", sharedDir(t, lab("shared-one")))
	s.nodes[0].docker("service", "create", "--detach", "--no-resolve-image", "--name", "s3", "--replicas", "1",
		"--mount", "type=volume,source=data,target=/usr/src/app/localData",
		"--mount", "type=volume,source=metadata,target=/usr/src/app/localMetadata",
		"--publish", "published=8000,target=8000,mode=host", "-e", "SCALITY_ACCESS_KEY_ID", "-e", "SCALITY_SECRET_ACCESS_KEY", "pail")
	d := startDrill(t, s.urls)
	for _, heartbeat := range []string{"5s", "1s"} { // 5s is Swarm's default
		owner := d.owner(t)
		s.manager(owner).docker("swarm", "update", "--dispatcher-heartbeat", heartbeat)
		d.fail(t, "the owner's host was killed, without standby, Swarm's heartbeat being "+heartbeat, owner, s.nodes[owner].kill)
		t.Logf("docker service ps s3\n%s", s.manager(owner).docker("service", "ps", "s3"))
		s.nodes[owner].start()
	}
	d.verify(t)
}

// TestSwarmStandbys deploys deploy/stack.yml with a replica on each host, and kills hosts.
func TestSwarmStandbys(t *testing.T) {
	s := newSwarm(t, "", sharedDir(t, lab("shared-standbys")))
	d := s.deploy()
	for range 2 {
		owner := d.owner(t)
		for i := range s.nodes {
			if i != owner {
				d.waitStandby(t, i)
			}
		}
		d.fail(t, "the owner's host was killed (promised: within 2s)", owner, s.nodes[owner].kill)
		s.nodes[owner].start()
	}
	d.verify(t)
}

// TestSwarmCutOff is the same on a volume of GlusterFS, so that a host that is cut off is cut off from the volume too. Its
// container runs on.
func TestSwarmCutOff(t *testing.T) {
	mount, dir := startGluster(t)
	s := newSwarm(t, mount, dir)
	d := s.deploy()
	owner := d.owner(t)
	d.fail(t, "the owner's host was cut off (promised: within 12s, --patience and 2s)", owner, s.nodes[owner].cut)
	t.Logf("docker ps on the host that is cut off\n%s", s.nodes[owner].docker("ps"))
	d.comesBack(t, owner, s.nodes[owner].heal)
	owner = d.owner(t)
	d.fail(t, "the owner's host was killed", owner, s.nodes[owner].kill)
	d.verify(t)
}

// deploy deploys deploy/stack.yml and starts clients.
func (s *swarm) deploy() *drill {
	s.t.Helper()
	s.nodes[0].docker("stack", "deploy", "--resolve-image", "never", "-c", "../../deploy/stack.yml", "s3")
	return startDrill(s.t, s.urls)
}
