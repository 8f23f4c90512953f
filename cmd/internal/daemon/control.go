package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// socketSuffix makes the name of a run's socket from that of its file.
	socketSuffix = ".sock"
	// askPatience is how long an answer may take, on either side.
	askPatience = 2 * time.Second
	maxReport   = 1 << 20
)

// Answer serves report as JSON to whoever connects to the run's socket, which only its user can, until End.
func (r *Run) Answer(report func() any) error {
	path := r.file.Name() + socketSuffix
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path) // in a directory that only the user may enter
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	r.listener = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(time.Second) // out of file descriptors, or the like
				continue
			}
			answer(conn, report())
		}
	}()
	return nil
}

// answer writes one report. Whoever asked may be gone; that is no matter.
func answer(conn net.Conn, report any) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(askPatience))
	_ = json.NewEncoder(conn).Encode(report)
}

// Ask reads the report of a running daemon into report.
func (w *Waiter) Ask(report any) error {
	conn, err := net.DialTimeout("unix", w.file.Name()+socketSuffix, askPatience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(askPatience)); err != nil {
		return err
	}
	return json.NewDecoder(io.LimitReader(conn, maxReport)).Decode(report)
}

// All returns a Waiter for each run file in dir, also those of the dead, and an error for those that cannot be opened.
func All(dir string) ([]*Waiter, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var waiters []*Waiter
	var failed []error
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), socketSuffix) {
			continue
		}
		w, err := open(filepath.Join(dir, e.Name()))
		switch {
		case err == nil:
			waiters = append(waiters, w)
		case !errors.Is(err, os.ErrNotExist): // it has just ended
			failed = append(failed, fmt.Errorf("run file: %w", err))
		}
	}
	return waiters, errors.Join(failed...)
}

// Running reports whether the daemon lives.
func (w *Waiter) Running() bool { return !w.dead() }
