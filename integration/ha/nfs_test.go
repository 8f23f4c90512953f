package ha

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
	"pail/server/pgtest"
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
	for _, dir := range []string{"state", "export"} { // of another test
		if err := os.RemoveAll(lab(dir)); err != nil {
			t.Fatal(err)
		}
	}
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

// nfsServer is the script of a guest that mounts the NFS server's directories and runs pail on them, with the metadata there
// or in a database.
func nfsServer(t *testing.T, metadata string) string {
	return fmt.Sprintf(`
modprobe nfsv4
until mount -i -t nfs4 -o vers=4.2,hard,addr=%[1]s,clientaddr=$IP %[1]s:/var/nfs /mnt; do sleep 1; done
%[2]s serve --listen :8000 --data /mnt/data --metadata '%[4]s' --passwd-file %[3]s
`, address(1), harness.StaticBinary(t), harness.PasswdFile(t, harness.AccessKey+":"+harness.SecretKey), metadata)
}

// nfsGuests starts three servers on an NFS volume, each in a machine of its own.
func nfsGuests(t *testing.T, first int, metadata string) (guests []*guest, urls []string) {
	t.Helper()
	script := nfsServer(t, metadata)
	for i := range 3 {
		g := newGuest(t, first+i, script)
		t.Cleanup(g.showConsole)
		g.start()
		guests = append(guests, g)
		urls = append(urls, "http://"+address(first+i)+":8000")
	}
	return guests, urls
}

// TestNFS runs three servers on an NFS volume, of which one owns it.
func TestNFS(t *testing.T) {
	nfs := startGanesha(t)
	guests, urls := nfsGuests(t, 20, "/mnt/metadata")
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
	nfs.check(guests, lab("export", "metadata"))
}

// check ends all and checks what they leave.
func (g *ganesha) check(guests []*guest, metadata string) {
	g.t.Helper()
	for _, guest := range guests {
		guest.kill()
	}
	g.kill() // and with it the locks of the machines that are gone
	out, err := exec.Command(harness.Binary(g.t), "serve", "--fsck", "--data", lab("export", "data"), "--metadata", metadata).CombinedOutput()
	if err != nil {
		g.t.Errorf("fsck: %v", err)
	}
	g.t.Logf("fsck: %s", strings.TrimSpace(string(out)))
}

// TestNFSActive runs three servers that all serve, with their bytes on an NFS volume and their metadata in PostgreSQL: what
// one has acknowledged, each other one reads at once, whatever its machine remembers of the volume's directories and
// attributes.
func TestNFSActive(t *testing.T) {
	nfs := startGanesha(t)
	db := pgtest.Start(t)
	if _, err := db.Database("pail"); err != nil {
		t.Fatal(err)
	}
	forward(t, address(1)+":5432", fmt.Sprintf("127.0.0.1:%d", db.Port))
	guests, urls := nfsGuests(t, 25, "postgres://pail@"+address(1)+"/pail?sslmode=disable")
	d := startActiveDrill(t, urls)
	for range 10 {
		d.readElsewhere(t)
	}
	t.Run("power loss", func(t *testing.T) {
		d.fail(t, "one of three machines that serve lost its power", 1, guests[1].kill)
		d.readElsewhere(t, 1)
		guests[1].start()
		d.waitServes(t, 1)
		d.readElsewhere(t)
	})
	t.Run("partition", func(t *testing.T) {
		d.fail(t, "one of three machines that serve was cut off", 2, guests[2].cut)
		d.readElsewhere(t, 2)
		guests[2].heal()
		d.waitServes(t, 2)
		d.readElsewhere(t)
	})
	t.Run("NFS server restarted", func(t *testing.T) {
		begin := time.Now()
		nfs.kill()
		nfs.start()
		d.waitAcks(t, 25)
		t.Logf("25 more acknowledged %v after the NFS server was killed and started again", since(begin))
	})
	d.verify(t)
	for _, client := range d.clients {
		d.load.Check(t, client)
	}
	nfs.check(guests, pgtest.Address("pail", db))
}

// forward passes connections on from one address to another, until the test ends.
func forward(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in); out.Close() }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
}
