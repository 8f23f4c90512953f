package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/integration/harness"
)

// TestRestic keeps two snapshots in a repository on the server, checks every byte, restores both, and forgets the first.
func TestRestic(t *testing.T) {
	t.Parallel()
	restic := harness.NeedProgram(t, "/usr/bin/restic", "restic")
	c := newClient(t)
	c.Env = append(c.Env, "AWS_ACCESS_KEY_ID="+harness.AccessKey, "AWS_SECRET_ACCESS_KEY="+harness.SecretKey, "RESTIC_PASSWORD=secret",
		"RESTIC_CACHE_DIR="+c.path("cache"), "RESTIC_REPOSITORY=s3:"+c.URL+"/restic/repo")
	run := func(args ...string) string {
		t.Helper()
		return c.Run(t, restic, append([]string{"--cacert", c.CA}, args...)...)
	}
	first := c.copyOf("tree")
	c.Command.Dir = c.dir
	run("init") // makes the bucket
	run("backup", "--tag", "first", "tree", "big")
	c.changeTree()
	second := c.copyOf("tree")
	run("backup", "--tag", "second", "tree", "big")
	run("check", "--read-data")
	for tag, want := range map[string]string{"first": first, "second": second} {
		run("restore", "latest", "--tag", tag, "--target", c.path("restored-"+tag))
		c.sameTree(c.path("restored-"+tag+"/tree"), want)
		c.same("restored-"+tag+"/big", c.big)
	}
	run("forget", "--keep-last", "1", "--prune")
	run("check", "--read-data")
	if out := run("snapshots", "--compact"); strings.Contains(out, "first") || !strings.Contains(out, "second") {
		t.Errorf("left after forget:\n%s", out)
	}
}

// TestSyncRoundTrips syncs a tree up, again after changes and removals, and down to another place, with rclone and s3cmd.
func TestSyncRoundTrips(t *testing.T) {
	t.Parallel()
	t.Run("rclone", func(t *testing.T) {
		rclone := harness.NeedProgram(t, "/usr/bin/rclone", "rclone")
		c := newClient(t)
		c.Env = append(c.Env, "RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_PAIL_TYPE=s3", "RCLONE_CONFIG_PAIL_PROVIDER=Other", "RCLONE_CONFIG_PAIL_ENDPOINT="+c.URL,
			"RCLONE_CONFIG_PAIL_ACCESS_KEY_ID="+harness.AccessKey, "RCLONE_CONFIG_PAIL_SECRET_ACCESS_KEY="+harness.SecretKey, "RCLONE_CA_CERT="+c.CA)
		c.Run(t, rclone, "mkdir", "pail:bucket")
		c.roundTrip(func(from string) { c.Run(t, rclone, "sync", from, "pail:bucket/tree") },
			func(to string) { c.Run(t, rclone, "sync", "pail:bucket/tree", to) })
	})
	t.Run("s3cmd", func(t *testing.T) {
		s3cmd := harness.NeedProgram(t, "/usr/bin/s3cmd", "s3cmd")
		c := newClient(t)
		c.write(".s3cfg", []byte("[default]\naccess_key = "+harness.AccessKey+"\nsecret_key = "+harness.SecretKey+
			"\nhost_base = "+c.Addr()+"\nhost_bucket = "+c.Addr()+"\nuse_https = True\nca_certs_file = "+c.CA+"\n"))
		c.Run(t, s3cmd, "mb", "s3://bucket")
		c.roundTrip(func(from string) { c.Run(t, s3cmd, "sync", "--delete-removed", from+"/", "s3://bucket/tree/") },
			func(to string) { c.Run(t, s3cmd, "sync", "--delete-removed", "s3://bucket/tree/", to+"/") })
	})
}

// roundTrip syncs up and down twice, the second time after a change.
func (c *client) roundTrip(up, down func(dir string)) {
	c.t.Helper()
	back := filepath.Join(c.dir, "back")
	if err := os.Mkdir(back, 0o755); err != nil {
		c.t.Fatal(err)
	}
	up(c.path("tree"))
	down(back)
	c.sameTree(back, c.path("tree"))
	c.changeTree()
	up(c.path("tree"))
	down(back)
	c.sameTree(back, c.path("tree"))
}

// changeTree adds, changes and removes a file of tree.
func (c *client) changeTree() {
	c.t.Helper()
	c.write("tree/new spaced é", []byte("new"))
	c.write("tree/b", []byte("another length"))
	if err := os.Remove(c.path("tree/a")); err != nil {
		c.t.Fatal(err)
	}
}

// copyOf copies a directory of the client beside it.
func (c *client) copyOf(name string) string {
	c.t.Helper()
	to := filepath.Join(c.t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(c.path(name))); err != nil {
		c.t.Fatal(err)
	}
	return to
}

func (c *client) sameTree(got, want string) {
	c.t.Helper()
	harness.Command{}.Run(c.t, "/usr/bin/diff", "-r", want, got)
}
