package fs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"pail/fs/mountinfo"
)

// mountFlags are the words of KernelFlags as bits of mount(2); a word without a bit in set takes bits away.
var mountFlags = map[string]struct{ set, clear uintptr }{
	"nosuid":      {set: unix.MS_NOSUID},
	"suid":        {clear: unix.MS_NOSUID},
	"nodev":       {set: unix.MS_NODEV},
	"dev":         {clear: unix.MS_NODEV},
	"noexec":      {set: unix.MS_NOEXEC},
	"exec":        {clear: unix.MS_NOEXEC},
	"noatime":     {set: unix.MS_NOATIME},
	"nodiratime":  {set: unix.MS_NODIRATIME},
	"relatime":    {set: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME},
	"sync":        {set: unix.MS_SYNCHRONOUS},
	"dirsync":     {set: unix.MS_DIRSYNC},
}

// KernelFlag reports whether word is one that Options.KernelFlags takes.
func KernelFlag(word string) bool {
	_, ok := mountFlags[word]
	return ok
}

// direct sets what mount(2) needs, called by root.
func (o Options) direct(m *fuse.MountOptions) {
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if o.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	for _, word := range o.KernelFlags {
		flags = flags&^mountFlags[word].clear | mountFlags[word].set
	}
	if flags == 0 {
		flags = unix.MS_MGC_VAL // go-fuse takes 0 for "use your default"
	}
	m.DirectMountStrict = true
	m.DirectMountFlags = flags
	m.Options = o.permissionWords()
}

// helper sets what fusermount3 needs. It takes only some words from users, so suid and dev, which they may not have,
// are left out, as are those that it does not know.
func (o Options) helper(m *fuse.MountOptions) {
	m.Options = o.permissionWords()
	if o.ReadOnly {
		m.Options = append(m.Options, "ro")
	}
	for _, word := range o.KernelFlags {
		switch word {
		case "nosuid", "nodev", "noexec", "exec", "noatime", "sync", "dirsync":
			m.Options = append(m.Options, word)
		}
	}
}

func (o Options) permissionWords() []string {
	if o.OwnPermissions {
		return nil
	}
	return []string{"default_permissions"}
}

// setReadAhead sets the kernel's read-ahead window of the mount at dir; FUSE itself can only make it smaller than
// 128 KiB. The device number comes from the mount table, as stat(2) would be a request to ourselves.
func setReadAhead(dir string, bytes int) error {
	if os.Geteuid() != 0 {
		return errors.New("only root may set it")
	}
	mount, mounted, err := mountinfo.Find(dir)
	if err != nil {
		return err
	}
	if !mounted {
		return &os.PathError{Op: "find mount", Path: dir, Err: syscall.ENOENT}
	}
	name := fmt.Sprintf("/sys/class/bdi/%s/read_ahead_kb", mount.Device)
	return os.WriteFile(name, []byte(strconv.Itoa(bytes>>10)), 0)
}
