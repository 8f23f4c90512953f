package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"pail/cmd/internal/daemon"
	"pail/cmd/internal/mountpoint"
	"pail/cmd/internal/progress"
	"pail/fs"
	"pail/fs/mountinfo"
)

const umountUsage = `usage: pail umount MOUNTPOINT

Unmounts, waits until everything written is on the server, and says what stayed unsent if something did.
`

// umount is "pail umount".
func umount(args []string, _ func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
		fmt.Fprint(stdout, umountUsage)
		return 0
	}
	if len(args) != 1 || args[0] == "" || args[0][0] == '-' {
		return fail(stderr, errors.New("umount takes one mountpoint: pail umount MOUNTPOINT"))
	}
	note, err := unmountAndWait(args[0], progress.New(stderr))
	if err != nil {
		return fail(stderr, err)
	}
	if note != "" {
		fmt.Fprintf(stderr, "pail: %s\n", note)
	}
	return 0
}

// unmountAndWait takes the mount at dir away and returns when its process has ended; note tells of something unusual.
func unmountAndWait(dir string, bar *progress.Bar) (note string, err error) {
	dir, err = mountpoint.Resolve(dir)
	if err != nil {
		return "", err
	}
	entry, mounted, err := mountinfo.Find(dir)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the mount table: %w", err)
	case !mounted:
		return "", fmt.Errorf("%s is not mounted", dir)
	case entry.Type != mountType:
		return "", fmt.Errorf("%s is a mount of type %s, not pail's; use: umount %s", dir, entry.Type, dir)
	}
	// Before the process is asked to end, as its run file goes with it.
	waiters := runsOf(dir)
	alive, err := mountpoint.Alive(dir)
	if err != nil {
		return "", err
	}
	if !alive {
		closeWaiters(waiters)
		return dir + " was a dead mount: its process had ended before", mountpoint.Detach(dir)
	}
	if err := mountpoint.Unmount(dir); err != nil {
		closeWaiters(waiters)
		return "", err
	}
	return "", waitAll(waiters, dir, bar)
}

// mountType is the type of pail's mounts in the mount table.
const mountType = "fuse." + fs.Subtype

func runsOf(dir string) []*daemon.Waiter {
	runs, err := daemon.Dir()
	if err != nil {
		return nil // then nobody could write one there either
	}
	return daemon.Find(runs, dir)
}

func waitAll(waiters []*daemon.Waiter, dir string, bar *progress.Bar) error {
	var failed []error
	for _, w := range waiters {
		if err := waitFor(w, bar); err != nil {
			failed = append(failed, fmt.Errorf("%s is unmounted, but not everything is on the server: %w", dir, err))
		}
	}
	return errors.Join(failed...)
}

// waitFor returns when a mount has ended, and draws how much it has sent meanwhile.
func waitFor(w *daemon.Waiter, bar *progress.Bar) error {
	ended := make(chan error, 1)
	go func() {
		_, err := w.Wait()
		ended <- err
	}()
	defer bar.Clear()
	for most := int64(0); ; {
		select {
		case err := <-ended:
			return err
		case <-time.After(askEvery):
		}
		var report mountReport
		if bar == nil || w.Ask(&report) != nil {
			continue
		}
		most = max(most, report.UnsentBytes)
		text := fmt.Sprintf("sending %d files, %s", report.UnsentFiles, progress.Bytes(report.UnsentBytes))
		bar.Set(text, most-report.UnsentBytes, most)
	}
}

// askEvery is how often a mount that is ending is asked what is left.
const askEvery = 200 * time.Millisecond

func closeWaiters(waiters []*daemon.Waiter) {
	for _, w := range waiters {
		w.Close()
	}
}
