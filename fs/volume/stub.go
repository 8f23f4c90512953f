package volume

import "context"

// Volume is a bucket prefix as a POSIX filesystem. It is safe for concurrent use.
type Volume struct{}

// Inode is a file, directory or special file.
type Inode struct{}

// Handle is an open file.
type Handle struct{}

// DirHandle is an open directory.
type DirHandle struct{}

func New(Options) (*Volume, error)              { panic("") }
func (v *Volume) Root() *Inode                  { panic("") }
func (v *Volume) Close(context.Context) error   { panic("") }
func (v *Volume) Statfs(context.Context) Statfs { panic("") }

// Forget: the adapter has let go of n.
func (v *Volume) Forget(n *Inode) { panic("") }

func (n *Inode) Ino() uint64  { panic("") }
func (n *Inode) Mode() uint32 { panic("") }

func (v *Volume) Lookup(ctx context.Context, dir *Inode, name string) (*Inode, Stat, error) {
	panic("")
}
func (v *Volume) Getattr(ctx context.Context, n *Inode) (Stat, error) { panic("") }
func (v *Volume) Setattr(ctx context.Context, n *Inode, set SetAttr, h *Handle) (Stat, error) {
	panic("")
}
func (v *Volume) Mkdir(ctx context.Context, dir *Inode, name string, mode uint32, who Caller) (*Inode, Stat, error) {
	panic("")
}
func (v *Volume) Mknod(ctx context.Context, dir *Inode, name string, mode uint32, rdev uint64, who Caller) (*Inode, Stat, error) {
	panic("")
}
func (v *Volume) Symlink(ctx context.Context, dir *Inode, name, target string, who Caller) (*Inode, Stat, error) {
	panic("")
}
func (v *Volume) Readlink(ctx context.Context, n *Inode) (string, error) { panic("") }
func (v *Volume) Create(ctx context.Context, dir *Inode, name string, mode uint32, flags OpenFlags, who Caller) (*Inode, *Handle, Stat, error) {
	panic("")
}
func (v *Volume) Open(ctx context.Context, n *Inode, flags OpenFlags) (*Handle, error) { panic("") }
func (v *Volume) Unlink(ctx context.Context, dir *Inode, name string) error            { panic("") }
func (v *Volume) Rmdir(ctx context.Context, dir *Inode, name string) error             { panic("") }
func (v *Volume) Rename(ctx context.Context, fromDir *Inode, fromName string, toDir *Inode, toName string, flags RenameFlags) error {
	panic("")
}
func (v *Volume) OpenDir(ctx context.Context, n *Inode) (*DirHandle, error) { panic("") }
func (v *Volume) Getxattr(ctx context.Context, n *Inode, name string) ([]byte, error) {
	panic("")
}
func (v *Volume) Setxattr(ctx context.Context, n *Inode, name string, value []byte, flags int) error {
	panic("")
}
func (v *Volume) Listxattr(ctx context.Context, n *Inode) ([]string, error)        { panic("") }
func (v *Volume) Removexattr(ctx context.Context, n *Inode, name string) error     { panic("") }
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) (int, error)     { panic("") }
func (h *Handle) WriteAt(ctx context.Context, p []byte, off int64) (int, error)    { panic("") }
func (h *Handle) Truncate(ctx context.Context, size int64) error                   { panic("") }
func (h *Handle) Flush(ctx context.Context) error                                  { panic("") }
func (h *Handle) Fsync(ctx context.Context) error                                  { panic("") }
func (h *Handle) Release()                                                         { panic("") }
func (d *DirHandle) Next(ctx context.Context) (DirEntry, bool, error)              { panic("") }
func (d *DirHandle) Seek(ctx context.Context, off uint64) error                    { panic("") }
func (d *DirHandle) Lookup(ctx context.Context, name string) (*Inode, Stat, error) { panic("") }
func (d *DirHandle) Close()                                                        { panic("") }
