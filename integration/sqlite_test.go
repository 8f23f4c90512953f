package integration

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pail/integration/harness"
)

// TestProgramSqlite has two sqlite3 processes commit to one database and kills a third in mid-transaction, with each kind
// of journal. The database is whole then, and has what was committed and nothing else, also after a remount.
func TestProgramSqlite(t *testing.T) {
	program := harness.NeedProgram(t, "/usr/bin/sqlite3", "sqlite3")
	inAllModes(t, func(t *testing.T, s *site) {
		kinds := []string{"delete", "truncate", "persist", "wal"}
		for _, kind := range kinds {
			d := &database{t: t, program: program, path: filepath.Join(s.mkdir(kind), "db"), kind: kind}
			d.query("PRAGMA journal_mode=" + kind + "; CREATE TABLE t(k INTEGER PRIMARY KEY, who, x);")
			d.race()
			d.crash()
			d.check()
		}
		s.remount()
		for _, kind := range kinds {
			d := &database{t: t, program: program, path: s.Path(kind, "db"), kind: kind}
			d.check()
			d.query("INSERT INTO t(who) VALUES('later');")
		}
	})
}

// database is a file that sqlite3 keeps.
type database struct {
	t                   *testing.T
	program, path, kind string
}

// transactions are those of each writer, rows those of one that is too large for sqlite's memory.
var transactions, rows = harness.Scale(5, 200), harness.Scale(400, 4000)

func (d *database) query(sql string) string {
	d.t.Helper()
	return harness.Command{Stdin: ".timeout 60000\n" + sql}.Run(d.t, d.program, "-bail", d.path)
}

// race has two processes commit, each of its own transactions.
func (d *database) race() {
	d.t.Helper()
	d.query(fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<%d)
		INSERT INTO t(who, x) SELECT 'old', hex(randomblob(1000)) FROM c;`, rows))
	var writers sync.WaitGroup
	for _, who := range []string{"one", "two"} {
		sql := strings.Repeat("BEGIN IMMEDIATE; INSERT INTO t(who, x) VALUES('"+who+"', hex(randomblob(2000))); COMMIT;\n", transactions)
		writers.Go(func() {
			if out, stderr, err := (harness.Command{Stdin: ".timeout 60000\n" + sql}).Try(d.program, "-bail", d.path); err != nil {
				d.t.Errorf("%s, writer %s: %v\n%s%s", d.kind, who, err, out, stderr)
			}
		})
	}
	writers.Wait()
}

// crash kills a process whose transaction has changed the file, and is not committed.
func (d *database) crash() {
	d.t.Helper()
	cmd := exec.Command(d.program, "-bail", d.path)
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // that signal is also sent when the thread ends which has started the process
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	io.WriteString(in, ".timeout 60000\nPRAGMA cache_size=5; BEGIN IMMEDIATE; UPDATE t SET who='dead', x=hex(randomblob(1000)); DELETE FROM t WHERE k%3=0; SELECT 'changed';\n")
	line, err := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if line != "changed\n" {
		d.t.Fatalf("%s: sqlite3 says %q, %v", d.kind, line, err)
	}
}

func (d *database) check() {
	d.t.Helper()
	got := d.query("PRAGMA integrity_check; SELECT who, count(*) FROM t GROUP BY who ORDER BY who;")
	want := fmt.Sprintf("ok\nold|%d\none|%d\ntwo|%d\n", rows, transactions, transactions)
	if got != want {
		d.t.Errorf("%s: the database says\n%swant\n%s", d.kind, got, want)
	}
}
