package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pail/cmd/internal/daemon"
	"pail/cmd/internal/mountpoint"
	"pail/cmd/internal/progress"
	"pail/fs/mountinfo"
)

const statusUsage = `usage: pail status [MOUNTPOINT] [--json]

Shows your mounts, or one of them: where they are, what is mounted, the process and since when it runs, and the files
whose changes are not on the server yet; then files that keep what was written here where another client was quicker,
and the last warnings and errors of each. With --json, one object a line.

The exit status is 1 if MOUNTPOINT is no mount of yours, or the process of a mount is gone.
`

// mountReport is what a mount says of itself.
type mountReport struct {
	OpenFiles    int          `json:"open_files"`
	UnsentFiles  int          `json:"unsent_files"`
	UnsentBytes  int64        `json:"unsent_bytes"` // the size of these files
	Journaled    bool         `json:"journaled"`    // a journal keeps them, if the mount has one
	Conflicts    []string     `json:"conflicts"`    // files that keep what was written here and came too late, oldest first
	CacheEntries int          `json:"cache_entries"`
	Version      string       `json:"version"`
	Recent       []recentLine `json:"recent"` // warnings and errors, oldest first
}

// report is the mount's side of pail status.
func (b *bucket) report(recent *recentLog) mountReport {
	s := b.volume.Status()
	return mountReport{
		OpenFiles: s.Open, UnsentFiles: s.Unsaved, UnsentBytes: s.Bytes, CacheEntries: s.Names,
		Journaled: b.journal != nil, Conflicts: s.Conflicts,
		Version: versionText(), Recent: recent.last(),
	}
}

// mountStatus is a mount as pail status shows it.
type mountStatus struct {
	Mountpoint string       `json:"mountpoint"`
	Source     string       `json:"source"`
	PID        int          `json:"pid"`
	Since      time.Time    `json:"since"`
	State      string       `json:"state"`            // "mounted", "ending" (unmounted and still sending), "dead"
	Report     *mountReport `json:"report,omitempty"` // nil: it did not answer
}

// status is "pail status".
func status(args []string, _ func(string) string, stdout, stderr io.Writer) int {
	var dir string
	write := writeStatus
	for _, arg := range args {
		switch {
		case arg == "-h" || arg == "--help":
			fmt.Fprint(stdout, statusUsage)
			return 0
		case arg == "--json":
			write = writeStatusJSON
		case strings.HasPrefix(arg, "-") || arg == "" || dir != "":
			return fail(stderr, errors.New("status takes one mountpoint at most: pail status [MOUNTPOINT] [--json]"))
		default:
			dir = arg
		}
	}
	list, err := statusOf(dir)
	if err != nil {
		return fail(stderr, err)
	}
	exit := 0
	for i, s := range list {
		if err := write(stdout, i == 0, s); err != nil {
			return fail(stderr, err)
		}
		if s.State == "dead" {
			exit = 1
		}
	}
	return exit
}

// statusOf returns the user's mounts in the order of their mountpoints, or those at dir, which must be one.
func statusOf(dir string) (list []mountStatus, err error) {
	if dir != "" {
		if dir, err = mountpoint.Resolve(dir); err != nil {
			return nil, err
		}
	}
	runs, err := daemon.Dir()
	if err != nil {
		return nil, err
	}
	if list, err = mountsIn(runs, dir); err == nil && dir != "" && len(list) == 0 {
		err = fmt.Errorf("%s is no mount of this user", dir)
	}
	return list, err
}

// mountsIn reads a directory of run files; dir "" means all mounts.
func mountsIn(runs, dir string) (list []mountStatus, err error) {
	waiters, err := daemon.All(runs)
	defer closeWaiters(waiters)
	if err != nil {
		return nil, err
	}
	for _, w := range waiters {
		s, ok, err := askMount(w, dir)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b mountStatus) int { return strings.Compare(a.Mountpoint, b.Mountpoint) })
	return list, nil
}

// askMount returns the state of a run file's mount; not ok is one that is over, or not at dir.
func askMount(w *daemon.Waiter, dir string) (s mountStatus, ok bool, err error) {
	run, err := w.Status()
	if err != nil {
		return s, false, nil // being written just now, or not ours
	}
	if run.Ended || dir != "" && run.Name != dir {
		return s, false, nil
	}
	entry, mounted, err := mountinfo.Find(run.Name)
	if err != nil {
		return s, false, fmt.Errorf("read the mount table: %w", err)
	}
	mounted = mounted && entry.Type == mountType
	s = mountStatus{Mountpoint: run.Name, Source: run.Source, PID: run.PID, Since: run.Since, State: "mounted"}
	switch running := w.Running(); {
	case !running && !mounted:
		return s, false, nil
	case !running:
		s.State = "dead"
		return s, true, nil
	case !mounted:
		s.State = "ending"
	}
	var report mountReport
	if w.Ask(&report) == nil {
		s.Report = &report
	}
	return s, true, nil
}

func writeStatusJSON(w io.Writer, _ bool, s mountStatus) error { return json.NewEncoder(w).Encode(s) }

// writeStatus writes lines for people.
func writeStatus(w io.Writer, first bool, s mountStatus) error {
	const format = "%-24s  %-20s  %-8s  %7s  %-19s  %s\n"
	var b strings.Builder
	if first {
		fmt.Fprintf(&b, format, "MOUNTPOINT", "SOURCE", "STATE", "PID", "SINCE", "UNSENT")
	}
	unsent := "unknown: it does not answer"
	switch {
	case s.State == "dead":
		unsent = "clear it: pail umount " + plain(s.Mountpoint)
	case s.Report != nil && s.Report.UnsentFiles == 0:
		unsent = "nothing"
	case s.Report != nil:
		unsent = fmt.Sprintf("%d of %d open files, %s", s.Report.UnsentFiles, s.Report.OpenFiles, progress.Bytes(s.Report.UnsentBytes))
		if s.Report.Journaled {
			unsent = fmt.Sprintf("%d files, %s, kept in the journal", s.Report.UnsentFiles, progress.Bytes(s.Report.UnsentBytes))
		}
	}
	since := s.Since.Local().Format(time.DateTime)
	fmt.Fprintf(&b, format, plain(s.Mountpoint), plain(s.Source), s.State, fmt.Sprint(s.PID), since, unsent)
	if s.Report != nil {
		for _, path := range s.Report.Conflicts {
			fmt.Fprintf(&b, "  another client was quicker: the version written here is %s\n", plain(path))
		}
		for _, line := range s.Report.Recent {
			fmt.Fprintf(&b, "  %s  %s\n", line.Time.Local().Format(time.DateTime), line.Text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
