package ha

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"pail/integration/harness"
)

// glusterServer is a brick of GlusterFS on the tests' own address, with locks, and glusterClient what a host mounts it
// with. A host that is cut off loses its locks there after a while, and does not know it.
const (
	glusterServer = `
volume posix
  type storage/posix
  option directory %s
end-volume
volume locks
  type features/locks
  subvolumes posix
end-volume
volume brick
  type protocol/server
  option transport-type tcp
  option transport.socket.bind-address %s
  option transport.socket.listen-port 49152
  option transport.tcp-user-timeout 10
  option auth.addr.locks.allow *
  subvolumes locks
end-volume
`
	glusterClient = `
volume client
  type protocol/client
  option transport-type tcp
  option remote-host %s
  option remote-port 49152
  option remote-subvolume locks
  option ping-timeout 5
end-volume
`
)

// startGluster starts the brick, and returns the script by which a host mounts it, and where.
func startGluster(t *testing.T) (mount, dir string) {
	t.Helper()
	harness.NeedProgram(t, "/usr/sbin/glusterfsd", "glusterfs-server")
	harness.NeedProgram(t, "/usr/sbin/glusterfs", "glusterfs-client")
	brick, dir := sharedDir(t, lab("brick")), lab("volume")
	for name, text := range map[string]string{"gluster-server.vol": fmt.Sprintf(glusterServer, brick, address(1)), "gluster-client.vol": fmt.Sprintf(glusterClient, address(1))} {
		if err := os.WriteFile(lab(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("glusterfsd", "-N", "-f", lab("gluster-server.vol"), "-l", lab("gluster-server.log"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return fmt.Sprintf("glusterfs -f %s -l /run/gluster.log %s; until mountpoint -q %[2]s/data/..; do sleep 0.1; done", lab("gluster-client.vol"), dir), dir
}
