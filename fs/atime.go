package fs

import (
	"slices"
	"syscall"

	"pail/fs/volume"
)

// atime says which times of access are kept. FUSE leaves them to the filesystem, whatever the mount flags say.
type atime struct {
	files, dirs bool
	always      bool // with every access, not as relatime has it
}

func newAtime(opt Options) atime {
	has := func(word string) bool { return slices.Contains(opt.KernelFlags, word) }
	files := !opt.ReadOnly && !has("noatime")
	return atime{files: files, dirs: files && !has("nodiratime"), always: has("strictatime")}
}

// due reports whether reading a file, by a handle with these flags of open(2), changes its time of access.
func (a atime) due(vol *volume.Volume, v *volume.Inode, flags uint32) bool {
	return a.files && flags&syscall.O_NOATIME == 0 && vol.AccessDue(v, a.always)
}

// read notes that a file or a link was read.
func (a atime) read(vol *volume.Volume, v *volume.Inode, flags uint32) {
	if a.files && flags&syscall.O_NOATIME == 0 {
		vol.Accessed(v, a.always)
	}
}

// listed notes that a directory was read.
func (a atime) listed(vol *volume.Volume, v *volume.Inode, flags uint32) {
	if a.dirs && flags&syscall.O_NOATIME == 0 {
		vol.Accessed(v, a.always)
	}
}
