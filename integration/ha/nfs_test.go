package ha

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

// lease is for how long the NFS server keeps the locks of a client that is not heard of.
const lease = 10 * time.Second

// ganesha is an NFS server that runs as a process.
type ganesha struct {
	t   *testing.T
	cmd *exec.Cmd
}

const ganeshaConfig = `
NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Bind_addr = %[1]s; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }
NFSV4 { RecoveryBackend = fs; RecoveryRoot = %[2]s/state; Grace_Period = %[3]d; Lease_Lifetime = %[3]d; Minor_Versions = 0,1,2; }
EXPORT { Export_Id = 1; Path = %[2]s/export; Pseudo = /var/nfs; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP; FSAL { Name = VFS; } }
LOG { Default_Log_Level = EVENT; }
`

func startGanesha(t *testing.T) *ganesha {
	t.Helper()
	harness.NeedProgram(t, "/usr/bin/ganesha.nfsd", "nfs-ganesha")
	harness.NeedFile(t, "/usr/share/doc/nfs-ganesha-vfs", "nfs-ganesha-vfs")
	for _, dir := range []string{"state", "export/data", "export/metadata"} {
		if err := os.MkdirAll(lab(dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(lab("ganesha.conf"), fmt.Appendf(nil, ganeshaConfig, address(1), lab(), int(lease.Seconds())), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &ganesha{t: t}
	g.start()
	t.Cleanup(g.kill)
	return g
}

func (g *ganesha) start() {
	g.t.Helper()
	g.cmd = exec.Command("ganesha.nfsd", "-F", "-f", lab("ganesha.conf"), "-L", lab("ganesha.log"), "-p", lab("ganesha.pid"))
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ganesha) kill() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
}

// nfsServer is the script of a guest that mounts the NFS server's directories and runs pail on them.
func nfsServer(t *testing.T, passwd string) string {
	return fmt.Sprintf(`
modprobe nfsv4
until mount -i -t nfs4 -o vers=4.2,hard,addr=%[1]s,clientaddr=$IP %[1]s:/var/nfs /mnt; do sleep 1; done
%[2]s serve --listen :8000 --data /mnt/data --metadata /mnt/metadata --passwd-file %[3]s
`, address(1), harness.StaticBinary(t), passwd)
}

// TestNFS runs three servers on an NFS volume, each in a machine of its own.
func TestNFS(t *testing.T) {
	nfs := startGanesha(t)
	script := nfsServer(t, harness.PasswdFile(t, harness.AccessKey+":"+harness.SecretKey))
	var guests []*guest
	var urls []string
	for i := range 3 {
		g := newGuest(t, 20+i, script)
		t.Cleanup(g.showConsole)
		g.start()
		guests = append(guests, g)
		urls = append(urls, "http://"+address(20+i)+":8000")
	}
	d := startDrill(t, urls)
	promise := fmt.Sprintf("promised: within %v, lease and 2s", lease+2*time.Second)
	t.Run("power loss", func(t *testing.T) {
		owner := d.owner(t)
		d.fail(t, "the owner's machine lost its power ("+promise+")", owner, guests[owner].kill)
		guests[owner].start()
		d.waitStandby(t, owner)
	})
	t.Run("partition", func(t *testing.T) {
		owner := d.owner(t)
		d.fail(t, "the owner's machine was cut off ("+promise+")", owner, guests[owner].cut)
		d.comesBack(t, owner, guests[owner].heal)
	})
	t.Run("NFS server restarted", func(t *testing.T) {
		begin := time.Now()
		nfs.kill()
		nfs.start()
		d.waitAcks(t, 25)
		t.Logf("25 more acknowledged %v after the NFS server was killed and started again", since(begin))
	})
	d.verify(t)
	for _, g := range guests {
		g.kill()
	}
	nfs.kill() // and with it the locks of the machines that are gone
	out, err := exec.Command(harness.Binary(t), "serve", "--fsck", "--data", lab("export", "data"), "--metadata", lab("export", "metadata")).CombinedOutput()
	if err != nil {
		t.Errorf("fsck: %v", err)
	}
	t.Logf("fsck: %s", strings.TrimSpace(string(out)))
}
