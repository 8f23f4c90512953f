package mountpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"pail/fs/mountinfo"
)

// patience is how long a mount may take to answer before it counts as hanging.
const patience = 10 * time.Second

// Problem is why nothing can be mounted at, or unmounted from, a directory.
type Problem struct {
	Dir    string
	What   string // what is wrong
	Remedy string // what to do
}

// Error names directory, problem and remedy in one line.
func (p *Problem) Error() string {
	if p.Remedy == "" {
		return fmt.Sprintf("mountpoint %s %s", p.Dir, p.What)
	}
	return fmt.Sprintf("mountpoint %s %s; %s", p.Dir, p.What, p.Remedy)
}

// Options vary Prepare.
type Options struct {
	Type     string // of our own mounts, as "fuse.pail"
	NonEmpty bool   // mount over a directory that has files
}

// Prepare makes sure that something can be mounted at dir and returns dir without symbolic links. What a dead process of
// ours left mounted there is taken away; any other dead mount is not ours to touch.
func Prepare(dir string, opt Options) (string, error) {
	path, err := Resolve(dir)
	if err != nil {
		return "", &Problem{Dir: dir, What: "cannot be resolved: " + err.Error()}
	}
	if err := clearDead(path, opt.Type); err != nil {
		return "", err
	}
	return path, checkDir(path, opt.NonEmpty)
}

// clearDead deals with what is mounted at dir, dead mounts on top of each other included.
func clearDead(dir, ours string) error {
	for {
		entry, mounted, err := mountinfo.Find(dir)
		if err != nil {
			return fmt.Errorf("read the mount table: %w", err)
		}
		if !mounted || !entry.FUSE() {
			return nil
		}
		alive, err := Alive(dir)
		switch {
		case err != nil:
			return err
		case alive:
			return &Problem{dir, fmt.Sprintf("has %s (%s) mounted already", entry.Source, entry.Type), "unmount it first: pail umount " + dir}
		case entry.Type != ours:
			return &Problem{dir, fmt.Sprintf("has a dead %s mount", entry.Type), "clear it first: umount -l " + dir + " (or, as its user, fusermount3 -uz " + dir + ")"}
		}
		if err := Detach(dir); err != nil {
			return &Problem{dir, "has a dead mount that cannot be cleared: " + err.Error(), "clear it first: umount -l " + dir}
		}
	}
}

// checkDir checks the directory itself.
func checkDir(dir string, nonEmpty bool) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Problem{dir, "does not exist", "create it first: mkdir -p " + dir}
	case errors.Is(err, syscall.ENOTCONN):
		return &Problem{dir, "has a dead mount", "clear it first: umount -l " + dir}
	case err != nil:
		return &Problem{Dir: dir, What: "cannot be used: " + err.Error()}
	case !info.IsDir():
		return &Problem{dir, "is not a directory", "name a directory"}
	case nonEmpty:
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return &Problem{Dir: dir, What: "cannot be read: " + err.Error()}
	}
	defer f.Close()
	if _, err := f.Readdirnames(1); err == nil {
		return &Problem{dir, "is not empty", "use an empty directory, or -o nonempty to hide its files while mounted"}
	} else if err != io.EOF {
		return &Problem{Dir: dir, What: "cannot be read: " + err.Error()}
	}
	return nil
}

// Alive reports whether the process behind a FUSE mount answers. A mount that neither answers nor fails is a Problem.
func Alive(dir string) (bool, error) {
	result := make(chan error, 1)
	go func() {
		var st syscall.Stat_t
		result <- syscall.Stat(dir, &st)
	}()
	select {
	case err := <-result:
		// Any answer but these comes from a living process: EACCES is a mount that other users may not enter.
		return !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.ECONNABORTED), nil
	case <-time.After(patience):
		return false, &Problem{dir, "has a mount that does not answer", "end its process or clear it: umount -l " + dir}
	}
}
