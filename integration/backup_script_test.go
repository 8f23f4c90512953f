package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
	"pail/integration/load"
)

// script is a user of examples/backup with a configuration of his own.
type script struct {
	*duplicity
	server *harness.Server
	config map[string]string
}

func newScript(t *testing.T, s *harness.Server) *script {
	harness.NeedProgram(t, "/usr/bin/flock", "util-linux")
	b := &script{duplicity: newDuplicity(t), server: s}
	b.encrypt()
	passphrase := filepath.Join(b.dir, "passphrase")
	b.must(os.WriteFile(passphrase, []byte("correct horse battery staple\n"), 0o600))
	b.config = map[string]string{"SOURCE": b.source, "BUCKET": "made-by-the-script", "PREFIX": "home", "ENDPOINT": s.URL, "CA": s.CA,
		"CREDENTIALS": s.Passwd, "PASSPHRASE_FILE": passphrase, "LOCK": filepath.Join(b.dir, "lock"), "LOG": filepath.Join(b.dir, "log")}
	b.url, b.flags = "boto3+s3://made-by-the-script/home", []string{"--s3-endpoint-url", s.URL}
	return b
}

// call runs the script, which takes the time to be b.now, and gives its exit status and all it printed and logged.
func (b *script) call() (status int, said string) {
	b.t.Helper()
	path, err := filepath.Abs("../examples/backup/pail-backup")
	b.must(err)
	b.config["DUPLICITY_FLAGS"] = fmt.Sprintf("--num-retries 1 --current-time %d", b.now.Unix())
	var lines strings.Builder
	for name, value := range b.config {
		fmt.Fprintf(&lines, "%s='%s'\n", name, value)
	}
	config := filepath.Join(b.dir, "config")
	b.must(os.WriteFile(config, []byte(lines.String()), 0o600))
	stdout, stderr, err := b.Try("/bin/sh", path, config)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		b.must(err)
	}
	log, _ := os.ReadFile(b.config["LOG"])
	os.Remove(b.config["LOG"])
	said = stdout + stderr + string(log)
	if strings.Contains(said, "correct horse") || strings.Contains(said, harness.SecretKey) {
		b.t.Errorf("a secret is shown:\n%s", said)
	}
	return status, said
}

// good calls the script, which must succeed.
func (b *script) good(want ...string) {
	b.t.Helper()
	status, said := b.call()
	if status != 0 {
		b.t.Fatalf("exit status %d:\n%s", status, said)
	}
	for _, w := range append(want, "Errors 0\n", "is done") {
		if !strings.Contains(said, w) {
			b.t.Errorf("no %q in\n%s", w, said)
		}
	}
}

// bad calls the script, which must fail with that status and say why.
func (b *script) bad(want int, say string) {
	b.t.Helper()
	if status, said := b.call(); status != want || !strings.Contains(said, say) {
		b.t.Errorf("exit status %d, want %d and %q:\n%s", status, want, say, said)
	}
}

func (b *script) sets() (full, incremental int) {
	b.t.Helper()
	out := b.run("collection-status", b.url)
	return strings.Count(out, " Full  "), strings.Count(out, " Incremental  ")
}

// TestBackupScript runs examples/backup over three weeks: incremental backups between full ones, what becomes too old is
// removed, and any day that is kept can be restored.
func TestBackupScript(t *testing.T) {
	t.Parallel()
	b := newScript(t, harness.Serve(t, harness.ServerOptions{}))
	b.Env = append(b.Env, "AWS_CA_BUNDLE="+b.server.CA)
	b.config["FULL_EVERY"] = "10D"
	// duplicity counts ages from the real time, and lets only the time of a backup be chosen.
	day := func(n int) { b.now = time.Now().Add(time.Duration(n) * 24 * time.Hour).Truncate(time.Second) }
	for n := -9; n < -6; n++ {
		day(n)
		b.write(fmt.Sprintf("of day %d", n), load.RandomBytes(uint64(-n), 1000))
		b.good(map[int]string{-9: "made bucket"}[n])
	}
	if full, incremental := b.sets(); full != 1 || incremental != 2 {
		t.Errorf("%d full and %d incremental backups after three days, want 1 and 2", full, incremental)
	}
	b.same("the second day", strings.Join(strings.Fields(b.restored(time.Now().Add(-8*24*time.Hour+time.Hour))), " "),
		strings.Join(strings.Fields(without(b.tree(b.source), "of day -7")), " "))
	b.config["FULL_EVERY"], b.config["KEEP"] = "5D", "4D"
	day(-2)
	b.write("changing", []byte("changed"))
	b.good("Deleting")
	if full, incremental := b.sets(); full != 1 || incremental != 0 {
		t.Errorf("%d full and %d incremental backups are kept, want 1 and 0", full, incremental)
	}
	day(-1)
	b.write("changing", []byte("changed again"))
	b.good()
	if full, incremental := b.sets(); full != 1 || incremental != 1 {
		t.Errorf("%d full and %d incremental backups at the end, want 1 and 1", full, incremental)
	}
	b.same("today", b.restored(time.Now()), b.tree(b.source))
}

// without leaves a file out of a tree's description, and the times that its coming has changed.
func without(tree, name string) string {
	var kept []string
	for _, line := range strings.Split(tree, "\n") {
		if !strings.HasPrefix(line, name) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// TestBackupScriptSaysWhatIsWrong makes the mistakes of a first installation, and a second backup beside a running one.
func TestBackupScriptSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	with := func(name, value string, status int, say string) {
		t.Helper()
		b := newScript(t, s)
		b.config[name] = value
		b.bad(status, say)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte("a:b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	with("SOURCE", "", 2, "does not set SOURCE")
	with("SOURCE", "/no/such/directory", 2, "/no/such/directory is no directory")
	with("PASSPHRASE_FILE", "", 2, "PASSPHRASE_FILE")
	with("PASSPHRASE_FILE", open, 2, "chmod 600")
	with("CREDENTIALS", open, 2, "chmod 600")
	with("CREDENTIALS", "/no/such/file", 2, "cannot be read")
	with("ENCRYPT", "perhaps", 2, "neither yes nor no")
	with("CREDENTIALS", harness.PasswdFile(t, harness.AccessKey+":wrong"), 1, "403")
	with("DUPLICITY", "/bin/false", 1, "duplicity ended with 1")
	with("DUPLICITY", "/bin/true", 1, "no statistics")

	b := newScript(t, s)
	held := exec.Command("/usr/bin/flock", b.config["LOCK"], "/bin/sh", "-c", "echo locked; read line")
	in, err := held.StdinPipe()
	b.must(err)
	out, err := held.StdoutPipe()
	b.must(err)
	b.must(held.Start())
	out.Read(make([]byte, 16))
	b.bad(75, "another backup is running")
	in.Close()
	held.Wait()
	b.config["ENCRYPT"] = "no"
	b.good()
	b.good()
}
