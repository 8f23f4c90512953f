package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait for a process: generous, as the race detector and a busy machine slow it down.
const patience = 2 * time.Minute

// process is one pail process with its output kept.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // of Wait; read after done

	mu struct {
		sync.Mutex
		out  bytes.Buffer
		news chan struct{} // closed and replaced at each new line
	}
}

// start runs a program in the background; the test ends it, and fails for a data race in it.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	raceLog := filepath.Join(t.TempDir(), "race")
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "GORACE=log_path="+raceLog)
	// The process must not outlive a test binary that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	p := &process{cmd: cmd, done: make(chan struct{})}
	p.mu.news = make(chan struct{})
	started := make(chan error)
	go p.run(started, r, w)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %v:\n%s", cmd.Args, tail(p.output(), 8000))
		}
		if logs, _ := filepath.Glob(raceLog + ".*"); len(logs) > 0 {
			text, _ := os.ReadFile(logs[0])
			t.Errorf("data race in %v:\n%s", cmd.Args, tail(string(text), 8000))
		}
	})
	return p
}

// run starts and waits on one goroutine that keeps its thread: Pdeathsig is sent when the starting thread ends.
func (p *process) run(started chan<- error, r, w *os.File) {
	runtime.LockOSThread()
	err := p.cmd.Start()
	w.Close()
	started <- err
	if err != nil {
		r.Close()
		return
	}
	copied := make(chan struct{})
	go func() { defer close(copied); p.copyOutput(r) }()
	p.err = p.cmd.Wait()
	<-copied
	close(p.done)
}

func (p *process) copyOutput(r *os.File) {
	defer r.Close()
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.mu.out.WriteString(line)
		close(p.mu.news)
		p.mu.news = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.out.String()
}

// waitLine returns the first line of output that holds sub.
func (p *process) waitLine(sub string) (string, error) {
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		text, news := p.mu.out.String(), p.mu.news
		p.mu.Unlock()
		for _, line := range strings.SplitAfter(text, "\n") {
			if strings.Contains(line, sub) && strings.HasSuffix(line, "\n") {
				return strings.TrimSuffix(line, "\n"), nil
			}
		}
		select {
		case <-news:
		case <-p.done:
			return "", fmt.Errorf("%v ended (%v) without saying %q:\n%s", p.cmd.Args, p.err, sub, p.output())
		case <-deadline:
			return "", fmt.Errorf("%v did not say %q within %v:\n%s", p.cmd.Args, sub, patience, p.output())
		}
	}
}

// pause stops the process, and returns when none of its threads runs any more: on a busy machine that takes a while.
func (p *process) pause() {
	p.cmd.Process.Signal(syscall.SIGSTOP)
	unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
}

// terminate asks the process to end and waits for it.
func (p *process) terminate() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.kill()
		return errors.New("did not end on SIGTERM")
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}
