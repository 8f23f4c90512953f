package fs

import (
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

// version tells the contents of a file apart as well as its attributes can.
type version struct {
	size         uint64
	mtime, ctime time.Time
}

// pages is what the kernel's page cache of a file may hold: bytes of one version, as long as mixed is not set.
type pages struct {
	version version
	known   bool // false: nobody knows what is cached
	open    int  // handles
	mixed   bool // handles of different versions are or were open at once, so older bytes may come in late
}

// opened counts a handle on a version and returns the flag that keeps the kernel's cache if it holds that version.
func (n *node) opened(v version) (flags uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &n.mu.pages
	if p.known && p.version != v && p.open > 0 {
		p.mixed = true
	}
	if p.known && p.version == v && !p.mixed {
		flags = fuse.FOPEN_KEEP_CACHE
	}
	p.open++
	p.version, p.known = v, v != (version{})
	return flags
}

// closed counts a handle off.
func (n *node) closed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &n.mu.pages
	if p.open--; p.open == 0 && p.mixed {
		p.mixed, p.known = false, false
	}
}

// versionOf returns the version that st shows.
func versionOf(st volume.Stat) version {
	return version{size: st.Size, mtime: st.Mtime, ctime: st.Ctime}
}
