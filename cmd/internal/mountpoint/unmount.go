package mountpoint

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// busyPatience is how long Unmount waits for the last user of a mount.
const busyPatience = 3 * time.Second

// Unmount takes the mount at dir away, as root itself and else through fusermount3. A mount that is in use is a Problem.
func Unmount(dir string) error {
	busy := &Problem{dir, "is busy: files are open in it or a process has its working directory there", "see who with: fuser -vm " + dir}
	var err error
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err = syscall.Unmount(dir, 0)
		if !errors.Is(err, syscall.EBUSY) {
			break
		}
		if time.Since(start) > busyPatience {
			return busy
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPERM):
		return helper("-u", dir)
	default:
		return &os.PathError{Op: "umount", Path: dir, Err: err}
	}
}

// Detach takes the mount at dir out of the tree at once, whoever uses it.
func Detach(dir string) error {
	err := syscall.Unmount(dir, syscall.MNT_DETACH)
	if errors.Is(err, syscall.EPERM) {
		return helper("-uz", dir)
	}
	if err != nil {
		return &os.PathError{Op: "umount", Path: dir, Err: err}
	}
	return nil
}

// helper runs the program that unmounts for users.
func helper(flag, dir string) error {
	out, err := exec.Command("fusermount3", flag, "--", dir).CombinedOutput()
	if err == nil {
		return nil
	}
	if text := strings.TrimSpace(string(out)); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("fusermount3 %s %s: %w", flag, dir, err)
}
