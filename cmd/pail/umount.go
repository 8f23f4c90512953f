package main

import (
	"errors"
	"fmt"
	"io"

	"pail/cmd/internal/daemon"
	"pail/cmd/internal/mountpoint"
	"pail/fs"
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
	note, err := unmountAndWait(args[0])
	if err != nil {
		return fail(stderr, err)
	}
	if note != "" {
		fmt.Fprintf(stderr, "pail: %s\n", note)
	}
	return 0
}

// unmountAndWait takes the mount at dir away and returns when its process has ended; note tells of something unusual.
func unmountAndWait(dir string) (note string, err error) {
	dir, err = mountpoint.Resolve(dir)
	if err != nil {
		return "", err
	}
	entry, mounted, err := mountpoint.Find(dir)
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
	return "", waitAll(waiters, dir)
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

func waitAll(waiters []*daemon.Waiter, dir string) error {
	var failed []error
	for _, w := range waiters {
		if _, err := w.Wait(); err != nil {
			failed = append(failed, fmt.Errorf("%s is unmounted, but not everything is on the server: %w", dir, err))
		}
	}
	return errors.Join(failed...)
}

func closeWaiters(waiters []*daemon.Waiter) {
	for _, w := range waiters {
		w.Close()
	}
}
