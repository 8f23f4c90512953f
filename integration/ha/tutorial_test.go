package ha

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

// dockerGuest is the script of a guest that runs dockerd, which the tests reach over TCP.
const dockerGuest = `
mkdir -p /run/bin; printf '#!/bin/sh\nexec /usr/sbin/modprobe -d %s "$@"\n' > /run/bin/modprobe; chmod +x /run/bin/modprobe
ln -s /usr/sbin/iptables-legacy /run/bin/iptables; ln -s /usr/sbin/ip6tables-legacy /run/bin/ip6tables # nftables has no NAT in this kernel
echo /run/bin/modprobe > /proc/sys/kernel/modprobe; export PATH=/run/bin:$PATH
for m in overlay bridge br_netfilter veth vxlan ip_vs ip_vs_rr xt_ipvs nf_nat xt_MASQUERADE xt_conntrack xt_addrtype xt_mark xt_REDIRECT xt_nat xt_tcpudp ipt_REJECT iptable_nat iptable_filter iptable_mangle nfsv4; do modprobe $m; done
mount -t tmpfs cgroup /sys/fs/cgroup
for c in $(awk 'NR>1 && $4==1{print $1}' /proc/cgroups); do mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c; done
mount -t tmpfs docker /mnt
ip route add unreachable default
sysctl -qw net.ipv4.ip_forward=1
dockerd --data-root /mnt/docker --exec-root /run/docker --pidfile /run/docker.pid -H tcp://$IP:2375 --tls=false
`

// host is a guest with dockerd.
type host struct {
	*guest
}

func (h host) docker(t *testing.T, args ...string) string {
	t.Helper()
	t.Logf("%s$ docker %s", h.tap(), strings.Join(args, " "))
	out := harness.Command{Env: h.env(), Timeout: 10 * time.Minute}.Run(t, "docker", args...)
	t.Logf("\n%s", strings.TrimSpace(out))
	return strings.TrimSpace(out)
}

// TestTutorial is the tutorial of CloudServer's documentation, command by command, in machines of their own: Swarm, its
// routing mesh, and volumes that Docker mounts from an NFS server. It is slow, as the machines are.
func TestTutorial(t *testing.T) {
	startGanesha(t)
	buildImage(t)
	var hosts []host
	for i := range 2 {
		g := newGuest(t, 30+i, fmt.Sprintf(dockerGuest, moduleRoot(t)))
		g.memory = "1200M"
		t.Cleanup(g.showConsole)
		g.start()
		hosts = append(hosts, host{g})
	}
	for _, h := range hosts {
		for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
			err := h.answers()
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		h.docker(t, "load", "-q", "-i", lab("image.tar"))
		for _, name := range []string{"data", "metadata"} {
			h.docker(t, "volume", "create", "--driver", "local", "--opt", "type=nfs4", "--opt", "o=addr="+address(1)+",rw", "--opt", "device=:/var/nfs/"+name, "--name", name)
		}
	}
	server, client := hosts[0], hosts[1]
	server.docker(t, "swarm", "init", "--advertise-addr", address(server.number))
	token := server.docker(t, "swarm", "join-token", "-q", "worker")
	client.docker(t, "swarm", "join", "--token", token, address(server.number)+":2377")
	server.docker(t, "service", "create", "--detach", "--no-resolve-image", "--name", "s3", "--replicas", "1", "--mount", "type=volume,source=data,target=/usr/src/app/localData",
		"--mount", "type=volume,source=metadata,target=/usr/src/app/localMetadata", "-p", "8000:8000",
		"-e", "SCALITY_ACCESS_KEY_ID", "-e", "SCALITY_SECRET_ACCESS_KEY", "pail")
	d := startDrill(t, []string{"http://" + address(server.number) + ":8000"}) // the routing mesh leads to wherever it runs
	server.docker(t, "service", "ls")
	server.docker(t, "service", "ps", "s3")
	at := hosts[0]
	if hosts[1].runs(server) {
		at = hosts[1]
	}
	d.outage(t, "docker stop", func() { at.docker(t, "stop", at.docker(t, "ps", "-q")) })
	server.docker(t, "service", "ps", "s3")
	server.docker(t, "node", "update", "--availability", "drain", server.tap())
	d.poll(t, "the service does not move", func() bool { return client.runs(server) })
	server.docker(t, "node", "update", "--availability", "active", server.tap())
	server.docker(t, "service", "ps", "s3")
	d.outage(t, "the machine with the service lost its power", client.kill)
	server.docker(t, "service", "ps", "s3")
	server.docker(t, "node", "ls")
	d.verify(t)
}

// outage prints how long nothing was acknowledged.
func (d *drill) outage(t *testing.T, what string, fail func()) {
	t.Helper()
	d.waitAcks(t, 25)
	fail()
	begin := time.Now()
	d.waitAcks(t, 4) // one of each writer may have been on its way
	d.waitAcks(t, 1)
	t.Logf("acknowledged again %v after %s", since(begin), what)
	d.waitAcks(t, 10)
}

// runs reports whether the manager has the service running on the host.
func (h host) runs(manager host) bool {
	out, _, err := harness.Command{Env: manager.env(), Timeout: 30 * time.Second}.Try("docker", "service", "ps", "s3", "--filter", "desired-state=running", "--format", "{{.Node}} {{.CurrentState}}")
	return err == nil && strings.HasPrefix(out, h.tap()+" Running")
}

func (h host) env() []string {
	return []string{"DOCKER_HOST=tcp://" + address(h.number) + ":2375", "SCALITY_ACCESS_KEY_ID=" + harness.AccessKey, "SCALITY_SECRET_ACCESS_KEY=" + harness.SecretKey}
}

func (h host) answers() error {
	_, stderr, err := harness.Command{Env: h.env(), Timeout: 10 * time.Second}.Try("docker", "version")
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr)
	}
	return nil
}
