package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Status is what a run file says.
type Status struct {
	PID    int    `json:"pid"`
	Name   string `json:"name"`   // what the daemon serves: the mountpoint
	Source string `json:"source"` // what is mounted
	Ended  bool   `json:"ended"`  // the daemon ended in order
	Error  string `json:"error"`  // what it could not do; "" means that all went well

	Since time.Time `json:"since"`
}

// Dir returns the directory of run files: /run/pail for root, a private one for users. It is made if necessary.
func Dir() (string, error) {
	uid := os.Geteuid()
	dir := "/run/pail"
	if uid != 0 {
		dir = filepath.Join(os.TempDir(), "pail-"+strconv.Itoa(uid))
		if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
			dir = filepath.Join(run, "pail")
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != uid || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s is not a directory that only its user may write to", dir)
	}
	return dir, nil
}

// Run is this process's run file.
type Run struct {
	file     *os.File
	status   Status
	listener net.Listener // of Answer; nil without
}

// Begin writes a run file for this process into dir and locks it. Files that dead daemons of the same name left are
// removed.
func Begin(dir, name, source string) (*Run, error) {
	for _, w := range find(dir, name) {
		if w.dead() {
			os.Remove(w.file.Name())
			os.Remove(w.file.Name() + socketSuffix)
		}
		w.file.Close()
	}
	status := Status{PID: os.Getpid(), Name: name, Source: source, Since: time.Now().Truncate(time.Second)}
	path := filepath.Join(dir, fmt.Sprintf("%s.%d", hash(name), status.PID))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	r := &Run{file: file, status: status}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return r, r.write()
}

// End writes how the daemon ended for whoever waits, and removes the file's name.
func (r *Run) End(failure error) error {
	r.status.Ended = true
	if failure != nil {
		r.status.Error = failure.Error()
	}
	var closed error
	if r.listener != nil {
		closed = r.listener.Close() // and removes the socket
	}
	return errors.Join(closed, r.write(), os.Remove(r.file.Name()), r.file.Close())
}

func (r *Run) write() error {
	text, err := json.Marshal(r.status)
	if err != nil {
		return err
	}
	if err := r.file.Truncate(0); err != nil {
		return err
	}
	_, err = r.file.WriteAt(text, 0)
	return err
}

// Waiter waits for a daemon. It holds on to the run file, so it may be made before the daemon is asked to end.
type Waiter struct{ file *os.File }

// Find returns a Waiter for each daemon of that name in dir.
func Find(dir, name string) []*Waiter { return find(dir, name) }

func find(dir, name string) (waiters []*Waiter) {
	paths, err := filepath.Glob(filepath.Join(dir, hash(name)+".*"))
	if err != nil {
		return nil
	}
	for _, path := range paths {
		if strings.HasSuffix(path, socketSuffix) {
			continue
		}
		if w, err := open(path); err == nil {
			waiters = append(waiters, w)
		}
	}
	return waiters
}

func open(path string) (*Waiter, error) {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return &Waiter{file: file}, nil
}

// Wait returns when the daemon has ended, with what it could not do. A daemon that was killed is an error too. Wait may
// be called once.
func (w *Waiter) Wait() (Status, error) {
	defer w.file.Close()
	for {
		err := syscall.Flock(int(w.file.Fd()), syscall.LOCK_SH)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EINTR) {
			return Status{}, &os.PathError{Op: "lock", Path: w.file.Name(), Err: err}
		}
	}
	status, err := w.Status()
	switch {
	case err != nil:
		return status, err
	case !status.Ended:
		os.Remove(w.file.Name())
		os.Remove(w.file.Name() + socketSuffix)
		return status, fmt.Errorf("process %d ended without a word: it was killed", status.PID)
	case status.Error != "":
		return status, errors.New(status.Error)
	}
	return status, nil
}

// Status returns what the run file says now.
func (w *Waiter) Status() (status Status, err error) {
	text, err := io.ReadAll(io.NewSectionReader(w.file, 0, 1<<20))
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return status, fmt.Errorf("run file %s: %w", w.file.Name(), err)
	}
	return status, nil
}

// dead reports whether the file's daemon is gone.
func (w *Waiter) dead() bool {
	fd := int(w.file.Fd())
	if syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return false
	}
	_ = syscall.Flock(fd, syscall.LOCK_UN) // closing unlocks too
	return true
}

// Close lets go of a Waiter that is not waited for.
func (w *Waiter) Close() error {
	if err := w.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}

// hash makes a file name of any daemon's name.
func hash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:12])
}
