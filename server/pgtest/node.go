package pgtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	nobody  = 65534 // PostgreSQL does not run as root
	startup = time.Minute
)

// Node is one PostgreSQL server.
type Node struct {
	Port int

	dir  string // of the database
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended

	mu  sync.Mutex
	out bytes.Buffer
}

// Programs gives the directory of PostgreSQL's programs, "" when they are not installed.
func Programs() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// Hint says what to do where Programs gives nothing.
const Hint = "PostgreSQL is missing: apt-get install postgresql"

// New makes a database in a directory below parent, and starts it.
func New(parent string, settings ...string) (*Node, error) {
	n := &Node{dir: filepath.Join(parent, "primary")}
	if err := give(parent); err != nil {
		return nil, err
	}
	if err := program("initdb", "-D", n.dir, "-A", "trust", "-U", "pail", "--no-sync", "-E", "UTF8", "--locale", "C"); err != nil {
		return nil, err
	}
	// Shared memory in files of its directory goes with that, also when the node is killed.
	return n, n.configure(append(settings, "dynamic_shared_memory_type=mmap", "wal_level=replica", "max_wal_senders=4", "hot_standby=on", "max_connections=200")...)
}

// Standby makes a synchronous standby of a running node, and starts it. From then on n acknowledges no commit that it does
// not have.
func (n *Node) Standby() (*Node, error) {
	s := &Node{dir: filepath.Join(filepath.Dir(n.dir), "standby")}
	return s, s.Follow(n)
}

// Follow makes a node that does not run the synchronous standby of one that does, whatever it was before, and starts it on
// the port that it had. It returns when the primary acknowledges nothing more that it does not have.
func (n *Node) Follow(primary *Node) error {
	if err := os.RemoveAll(n.dir); err != nil {
		return err
	}
	err := program("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(primary.Port), "-U", "pail", "-D", n.dir, "-R", "-X", "stream",
		"-c", "fast", "-d", "application_name=standby")
	if err == nil {
		err = n.configure("synchronous_standby_names=''")
	}
	if err == nil {
		err = primary.SQL("alter system set synchronous_standby_names = 'standby'", "alter system set synchronous_commit = remote_apply", "select pg_reload_conf()")
	}
	for deadline := time.Now().Add(startup); err == nil; {
		if err = primary.SQL(synchronous); err == nil {
			return nil
		}
		if time.Now().Before(deadline) {
			err = nil // a connection does not see at once what was set
		}
	}
	return err
}

// synchronous fails when no standby is waited for, and ends when that has what was committed before.
const synchronous = `do $$ declare here pg_lsn := pg_current_wal_lsn(); begin
perform from pg_stat_replication where sync_state = 'sync';
if not found then raise 'no synchronous standby'; end if;
loop
	exit when exists (select from pg_stat_replication where replay_lsn >= here);
	perform pg_sleep(0.01), pg_stat_clear_snapshot();
end loop;
end $$`

// Promote makes a standby the one that takes writes.
func (n *Node) Promote() error { return program("pg_ctl", "promote", "-D", n.dir, "-w") }

// configure appends settings and starts the server, on a free port the first time.
func (n *Node) configure(settings ...string) error {
	if n.Port == 0 {
		port, err := FreePort()
		if err != nil {
			return err
		}
		n.Port = port
	}
	settings = append(settings, "listen_addresses='127.0.0.1'", "unix_socket_directories=''", "port="+strconv.Itoa(n.Port))
	f, err := os.OpenFile(filepath.Join(n.dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(settings, "\n") + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return n.Start()
}

// FreePort gives a port of 127.0.0.1 below those that the kernel gives to whoever wants any: nobody gets it before a server
// starts on it, nor while a test has stopped that server, but who asks here at the same time.
func FreePort() (port int, err error) {
	for range 100 {
		port = 10_000 + rand.IntN(20_000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}

// Start starts the server, and waits until it takes connections.
func (n *Node) Start() error {
	n.cmd, n.done = command("postgres", "-D", n.dir), make(chan struct{})
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	n.cmd.Stderr = w
	started, ready := make(chan error), make(chan struct{})
	go func() {
		// The signal of the parent's death is sent when the thread that started the child ends.
		runtime.LockOSThread()
		err := n.cmd.Start()
		_ = w.Close()
		started <- err
		if err == nil {
			_ = n.cmd.Wait()
		}
		close(n.done)
	}()
	go n.listen(r, ready)
	if err := <-started; err != nil {
		return err
	}
	select {
	case <-ready:
		return nil
	case <-n.done:
	case <-time.After(startup):
		n.Kill()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Errorf("postgres did not start:\n%s", n.out.String())
}

// listen keeps what the server says, and closes ready when it says that it is.
func (n *Node) listen(r io.ReadCloser, ready chan struct{}) {
	defer r.Close()
	said := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		n.mu.Lock()
		if n.out.Len() < 1<<20 {
			n.out.WriteString(lines.Text() + "\n")
		}
		n.mu.Unlock()
		if !said && strings.Contains(lines.Text(), "ready to accept") {
			said = true
			close(ready)
		}
	}
}

// Stop ends the server in order; Kill as kill -9 does.
func (n *Node) Stop() { n.end(syscall.SIGINT) }

// Kill ends the server at once. What it had under way may still end by itself.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

func (n *Node) end(signal syscall.Signal) {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Signal(signal)
	<-n.done
}

// SQL runs statements.
func (n *Node) SQL(statements ...string) error {
	args := []string{"-X", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(n.Port), "-U", "pail", "-d", "postgres", "-v", "ON_ERROR_STOP=1"}
	for _, s := range statements {
		args = append(args, "-c", s)
	}
	return program("psql", args...)
}

// Database makes an empty database, and gives its address.
func (n *Node) Database(name string) (address string, err error) {
	return Address(name, n), n.SQL("create database " + name)
}

// Address is that of a database on any of the nodes.
func Address(database string, nodes ...*Node) string {
	var hosts []string
	for _, n := range nodes {
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", n.Port))
	}
	return "postgres://pail@" + strings.Join(hosts, ",") + "/" + database + "?sslmode=disable"
}

// command is a program of PostgreSQL, run as nobody where this process is root.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(Programs(), name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// program runs a program to its end, on a thread that does not end before it: that would be taken for the parent's death.
func program(name string, args ...string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// give makes the directory that of who runs the programs.
func give(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}
