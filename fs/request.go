package fs

import "github.com/hanwen/go-fuse/v2/fuse"

var _ fuse.RawFileSystem = (*requests)(nil)

// requests stands between the kernel and go-fuse's node tree. It ends the holds on nodes when a request is answered, and
// passes on what go-fuse does not tell the node.
type requests struct {
	fuse.RawFileSystem
	fs    *filesystem
	nodes *nodes
}

// umaskShift is where a mode has the umask: above its 16 bits.
const umaskShift = 16

// withUmask puts the umask of a request into its mode. The kernel leaves it to us, as a directory's default ACL comes
// first, and go-fuse does not pass it on to the node.
func withUmask(mode, umask uint32) uint32 { return mode&(1<<umaskShift-1) | umask<<umaskShift }

// Lookup implements fuse.RawFileSystem.
func (r *requests) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	defer r.nodes.release(cancel)
	return r.RawFileSystem.Lookup(cancel, header, name, out)
}

// Mknod implements fuse.RawFileSystem.
func (r *requests) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	defer r.nodes.release(cancel)
	in.Mode = withUmask(in.Mode, in.Umask)
	return r.RawFileSystem.Mknod(cancel, in, name, out)
}

// Mkdir implements fuse.RawFileSystem.
func (r *requests) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	defer r.nodes.release(cancel)
	in.Mode = withUmask(in.Mode, in.Umask)
	return r.RawFileSystem.Mkdir(cancel, in, name, out)
}

// Symlink implements fuse.RawFileSystem.
func (r *requests) Symlink(cancel <-chan struct{}, header *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	defer r.nodes.release(cancel)
	return r.RawFileSystem.Symlink(cancel, header, target, name, out)
}

// Link implements fuse.RawFileSystem.
func (r *requests) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	defer r.nodes.release(cancel)
	return r.RawFileSystem.Link(cancel, in, name, out)
}

// Create implements fuse.RawFileSystem.
func (r *requests) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	defer r.nodes.release(cancel)
	in.Mode = withUmask(in.Mode, in.Umask)
	if in.OpenFlags&fuse.OPEN_KILL_SUIDGID != 0 {
		withLoss(&in.InHeader)
	}
	return r.RawFileSystem.Create(cancel, in, name, out)
}

// Tmpfile implements fuse.RawFileSystem.
func (r *requests) Tmpfile(cancel <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	defer r.nodes.release(cancel)
	in.Mode = withUmask(in.Mode, in.Umask)
	return r.RawFileSystem.Tmpfile(cancel, in, out)
}

// Open implements fuse.RawFileSystem.
func (r *requests) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.Mode&fuse.OPEN_KILL_SUIDGID != 0 {
		withLoss(&in.InHeader)
	}
	status := r.RawFileSystem.Open(cancel, in, out)
	if status.Ok() && out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0 {
		r.fs.backings.Load().complete(cancel, out)
	}
	return status
}

// Write implements fuse.RawFileSystem.
func (r *requests) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if in.WriteFlags&fuse.WRITE_KILL_SUIDGID != 0 {
		withLoss(&in.InHeader)
	}
	return r.RawFileSystem.Write(cancel, in, data)
}

// SetXAttr implements fuse.RawFileSystem.
func (r *requests) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) fuse.Status {
	if in.SetXAttrFlags&fuse.SETXATTR_ACL_KILL_SGID != 0 {
		withLoss(&in.InHeader)
	}
	return r.RawFileSystem.SetXAttr(cancel, in, name, value)
}

// ReadDirPlus implements fuse.RawFileSystem.
func (r *requests) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	defer r.nodes.release(cancel)
	return r.RawFileSystem.ReadDirPlus(cancel, in, out)
}
