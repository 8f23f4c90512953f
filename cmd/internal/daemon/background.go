package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// handshakeEnv names the inherited socket to the child.
const handshakeEnv = "PAIL_HANDSHAKE_FD"

// Lines of the handshake. What follows readyWord is for confirm.
const (
	readyWord = "ready "
	stayWord  = "stay"
)

// endPatience is how long a child may take to clean up after the parent gave up on it.
const endPatience = 30 * time.Second

// ErrFailed is returned by Background when the child ended before it was ready; it has said why on stderr.
var ErrFailed = errors.New("the background process could not start")

// Background starts this program again with its own arguments and returns when the child is ready and confirm, called
// with the words that the child gave to Ready, agrees. On error no child is left.
func Background(confirm func(words string) error) error {
	ours, theirs, err := socketpair()
	if err != nil {
		return fmt.Errorf("make the socket to the background process: %w", err)
	}
	defer ours.Close()
	cmd := command(theirs)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return fmt.Errorf("start the background process: %w", err)
	}
	words, err := awaitReady(ours)
	if err != nil {
		cmd.Wait()
		return ErrFailed
	}
	if err := confirm(words); err != nil {
		ours.Close() // the child takes that for "do not stay"
		waitOrKill(cmd)
		return err
	}
	if _, err := io.WriteString(ours, stayWord+"\n"); err != nil {
		cmd.Wait()
		return ErrFailed
	}
	return cmd.Process.Release()
}

// command is this program in a new session. It keeps stderr until it is ready, so that it can say what is wrong.
func command(socket *os.File) *exec.Cmd {
	cmd := &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        os.Args,
		Env:         append(os.Environ(), handshakeEnv+"=3"),
		Stderr:      os.Stderr,
		ExtraFiles:  []*os.File{socket},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if _, err := os.Stat(cmd.Path); err != nil {
		if path, err := os.Executable(); err == nil {
			cmd.Path = path
		}
	}
	return cmd
}

func socketpair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "handshake"), os.NewFile(uintptr(fds[1]), "handshake"), nil
}

func awaitReady(r io.Reader) (words string, err error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return "", err
	}
	words, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), readyWord)
	if !ok {
		return "", fmt.Errorf("unexpected word %q", line)
	}
	return words, nil
}

func waitOrKill(cmd *exec.Cmd) {
	timer := time.AfterFunc(endPatience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
}

// Child is the background process's side of the handshake.
type Child struct{ socket *os.File }

// FromParent returns the handshake that this process was started with, if it was, and hides it from its own children.
func FromParent() (*Child, bool) {
	fd, err := strconv.Atoi(os.Getenv(handshakeEnv))
	os.Unsetenv(handshakeEnv)
	if err != nil || fd < 3 {
		return nil, false
	}
	syscall.CloseOnExec(fd)
	takeName()
	return &Child{socket: os.NewFile(uintptr(fd), "handshake")}, true
}

// takeName has ps and pgrep show the program's name: the kernel takes it from the path that was executed, which is
// "exe". Nothing depends on it.
func takeName() {
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
}

// Ready tells the parent that the work is under way and returns nil when it agrees. On error the child must undo what
// it did and end: nobody knows that it is there. On success standard input and output lead to /dev/null from then on.
func (c *Child) Ready(words string) error {
	defer c.socket.Close()
	if strings.Contains(words, "\n") {
		return errors.New("a line break in the name")
	}
	if _, err := io.WriteString(c.socket, readyWord+words+"\n"); err != nil {
		return fmt.Errorf("the starting process is gone: %w", err)
	}
	line, err := bufio.NewReader(c.socket).ReadString('\n')
	if err != nil || line != stayWord+"\n" {
		return errors.New("the starting process gave up or is gone")
	}
	return leaveTerminal()
}

// leaveTerminal lets go of the files that the starting process was given.
func leaveTerminal() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}
