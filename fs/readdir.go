package fs

import (
	"context"
	"errors"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/volume"
)

var (
	_ fusefs.NodeOpendirHandler = (*node)(nil)
	_ fusefs.FileReaddirenter   = (*dirHandle)(nil)
	_ fusefs.FileLookuper       = (*dirHandle)(nil)
	_ fusefs.FileSeekdirer      = (*dirHandle)(nil)
	_ fusefs.FileReleasedirer   = (*dirHandle)(nil)
)

// dirHandle is an open directory. go-fuse makes one call at a time.
type dirHandle struct {
	n     *node
	d     *volume.DirHandle
	flags uint32 // of open(2)
	read  bool   // since it was opened or rewound

	reader *reader       // who has begun to read
	last   fuse.DirEntry // that was read
}

// OpendirHandle implements fusefs.NodeOpendirHandler.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	ctx, end := interruptible(ctx)
	defer end()
	d, err := n.fs.vol.OpenDir(ctx, n.v)
	if err != nil {
		return nil, 0, n.fs.errno("opendir", n.v, err)
	}
	return &dirHandle{n: n, d: d, flags: flags}, 0, 0
}

// Readdirent implements fusefs.FileReaddirenter; nil without an error is the end.
func (d *dirHandle) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	ctx, end := interruptible(ctx)
	defer end()
	e, more, err := d.d.Next(ctx)
	if err != nil {
		return nil, d.n.fs.errno("readdir", d.n.v, err)
	}
	if !d.read {
		d.n.fs.atime.listed(d.n.fs.vol, d.n.v, d.flags)
		d.reader = d.n.fs.interest.begins(ctx, d.n.v.Ino(), d.n.up())
		d.read = true
	}
	if !more {
		d.n.fs.interest.ends(ctx, d.n.v.Ino())
		return nil, 0
	}
	entry := &fuse.DirEntry{Name: e.Name, Ino: e.Ino, Mode: e.Mode, Off: e.Off}
	d.last = *entry
	return entry, 0
}

// Lookup implements fusefs.FileLookuper for READDIRPLUS, which the kernel sends first of all whether anybody wants
// attributes or not. An error leaves the entry without them, and the kernel asks when somebody does.
func (d *dirHandle) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if !d.wanted(name) {
		return nil, syscall.EAGAIN // as any error, and no news
	}
	work, end := interruptible(ctx)
	defer end()
	v, st, err := d.d.Lookup(work, name)
	if errors.Is(err, volume.ErrNotTold) {
		return nil, syscall.EAGAIN
	}
	if err != nil {
		return nil, d.n.fs.errno("lookup", d.n.v, err)
	}
	return d.n.entry(ctx, v, st, out), 0
}

// wanted reports whether an entry is to be told with its attributes. Directories always are, as they are stepped into.
func (d *dirHandle) wanted(name string) bool {
	i := d.n.fs.interest
	if d.last.Name != name { // go-fuse repeats what the kernel has not taken
		i.leave(d.reader)
		d.reader = nil
	}
	return d.last.Mode == syscall.S_IFDIR || i.wants(d.reader, d.n.v.Ino(), name, func() bool { return d.n.GetChild(name) != nil })
}

// Seekdir implements fusefs.FileSeekdirer.
func (d *dirHandle) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	ctx, end := interruptible(ctx)
	defer end()
	if err := d.d.Seek(ctx, off); err != nil {
		return d.n.fs.errno("seekdir", d.n.v, err)
	}
	d.read = d.read && off > 0
	return 0
}

// Releasedir implements fusefs.FileReleasedirer.
func (d *dirHandle) Releasedir(context.Context, uint32) { d.d.Close() }
