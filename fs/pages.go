package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/s3client"
)

// pages is what the kernel's page cache of a file may hold: bytes of one version, as long as mixed is not set.
type pages struct {
	version s3client.ETag // "": nobody knows what is cached
	open    int           // handles
	mixed   bool          // handles of different versions are or were open at once, so older bytes may come in late
}

// cached returns the version of which the kernel may have bytes that it is going to keep; "" is none.
func (n *node) cached() s3client.ETag {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.pages.mixed {
		return ""
	}
	return n.mu.pages.version
}

// opened counts a handle on a version and returns the flag that keeps the kernel's cache if it holds that version. A
// file with unsaved changes has no version.
func (n *node) opened(v s3client.ETag) (flags uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &n.mu.pages
	if p.version != v && p.open > 0 {
		p.mixed = true
	}
	if p.version == v && v != "" && !p.mixed {
		flags = fuse.FOPEN_KEEP_CACHE
	}
	p.open++
	p.version = v
	return flags
}

// closed counts a handle off.
func (n *node) closed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &n.mu.pages
	if p.open--; p.open == 0 && p.mixed {
		p.mixed, p.version = false, ""
	}
}

// pagesChanged notes that the kernel's pages were changed: they are those of no version, also where another client stores
// again what was there before.
func (n *node) pagesChanged() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.pages.version = ""
}
