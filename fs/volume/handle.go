package volume

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"pail/fs/attr"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/s3client"
)

// Handle is an open file. It is safe for concurrent use until Release.
type Handle struct {
	n     *Inode
	c     *content
	flags OpenFlags

	opened  int  // conflicts before it was opened
	seen    int  // conflicts that Fsync has told; guarded by n.mu
	passing bool // leaves it to other writers to store what it changed
	made    bool // has made the file, which its first Flush stores
	flushed bool // with nothing written since, so that Release is likely to come next; guarded by n.mu
	once    sync.Once
}

// Inode returns the inode that is open.
func (h *Handle) Inode() *Inode { return h.n }

// Version names the object version that the handle reads; "" while there are changes that are not stored. Handles of one
// inode that have the same version read the same bytes.
func (h *Handle) Version() s3client.ETag {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if !h.c.stored || h.c.changed() {
		return ""
	}
	return h.c.base.ETag
}

// Size is the size of what the handle reads.
func (h *Handle) Size() int64 {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.c.size()
}

// Parted reports whether the file has gone on with another version than the one that the handle reads, as another client has
// replaced it, for good.
func (h *Handle) Parted() bool {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.c.abandoned
}

// Partings is another number than before after a handle of the inode has parted.
func (n *Inode) Partings() uint64 { return n.partings.Load() }

// Stat returns the attributes of what a handle reads that has parted from its file.
func (h *Handle) Stat() Stat {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.n.statLocked(h.n.v.newObject(h.c.base), h.c.size())
}

// Setattr changes attributes of what a handle reads that has parted from its file, as of a file without a name.
func (h *Handle) Setattr(set SetAttr) error {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	o := h.n.v.newObject(h.c.base)
	a, err := changed(o, h.n.v.apply(set))
	if err == nil {
		h.c.base.Meta = attr.Encode(a, o.info.Meta)
	}
	return err
}

// Open returns the attributes of a file that is open or has changes that are not stored, as its handles have it: but those
// that have parted from it. ok is false for any other.
func (n *Inode) Open() (st Stat, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.mu.content
	if c == nil {
		return Stat{}, false
	}
	return n.statLocked(n.mu.obj, c.size()), true
}

// Borrow returns a local file with all bytes that the handle reads, now and later, if there is one and nothing can be
// written. giveBack ends its use.
func (h *Handle) Borrow() (f *os.File, giveBack func(), ok bool) {
	h.n.mu.Lock()
	base, whole := h.c.base, h.c.stored && h.c.file == nil
	h.n.mu.Unlock()
	if opt := h.n.v.opt; whole && opt.ReadOnly && opt.Lend != nil {
		return opt.Lend(base.Key, base.ETag, base.Size)
	}
	return nil, nil, false
}

// ReadAt reads as io.ReaderAt does: what any handle of this mount has written, else the version that was there at open.
// ErrStale says that this version has been replaced or removed by another client, and was not read so far before.
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return h.read(ctx, func(from reading) (int, error) { return from.readAt(ctx, p, off) })
}

// Lend is ReadAt that leaves the bytes where they are, if that may be: in the loan, or in p where that is nil.
func (h *Handle) Lend(ctx context.Context, p []byte, off int64) (n int, loan *readahead.Loan, err error) {
	n, err = h.read(ctx, func(from reading) (n int, err error) {
		n, loan, err = from.lend(ctx, p, off)
		return n, err
	})
	return n, loan, err
}

// read calls once with what the handle reads, and again if that has moved meanwhile.
func (h *Handle) read(ctx context.Context, once func(reading) (int, error)) (int, error) {
	waited := false
	for {
		from := h.reading()
		n, err := once(from)
		err = h.n.named(err)
		switch {
		case err == nil || err == io.EOF:
			return n, err
		case h.reading() != from:
			continue // by a commit or rename of this mount
		case waited || !errors.Is(readError(err), ErrStale):
			return n, readError(err)
		}
		// A commit, a rename and a change of attributes replace or move the bytes before they say where they are.
		unlock, lockErr := h.n.v.lockInode(ctx, h.n)
		if lockErr != nil {
			return n, readError(err)
		}
		h.n.v.findSent(ctx, h.n, h.c)
		unlock()
		if waited = true; h.reading() == from {
			return n, readError(err)
		}
	}
}

// FindHole returns the first offset from off on that is in a hole, or one that is not, as lseek(2) does; ok is false
// where there is none. Objects have no holes: what is only on the service is data.
func (h *Handle) FindHole(off int64, hole bool) (at int64, ok bool) {
	from := h.reading()
	switch ok = off >= 0 && off < from.size; {
	case from.file != nil:
		return from.file.FindHole(off, hole)
	case hole:
		return from.size, ok
	}
	return off, ok
}

// reading is what a read is served from.
type reading struct {
	file *stage.File // nil: src alone
	src  readahead.Source
	size int64 // of src
}

func (h *Handle) reading() reading {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return reading{h.c.file, h.c.src, h.c.base.Size}
}

func (r reading) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	if r.file != nil {
		return r.file.ReadAt(ctx, p, off)
	}
	return r.within(p, off, func(p []byte) (int, error) { return r.src.ReadAt(ctx, p, off) })
}

// lend is readAt where the bytes may be in a loan.
func (r reading) lend(ctx context.Context, p []byte, off int64) (n int, loan *readahead.Loan, err error) {
	from, ok := r.src.(readahead.Lender)
	if !ok || r.file != nil {
		n, err = r.readAt(ctx, p, off)
		return n, nil, err
	}
	n, err = r.within(p, off, func(p []byte) (n int, err error) {
		n, loan, err = from.Lend(ctx, p, off)
		return n, err
	})
	return n, loan, err
}

// within reads the part of p that lies within the size, and says io.EOF if that is not all of it.
func (r reading) within(p []byte, off int64, read func([]byte) (int, error)) (int, error) {
	if off < 0 {
		return 0, ErrInvalid
	}
	if off >= r.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), r.size-off)]
	n, err := read(want)
	if err == nil && len(want) < len(p) {
		err = io.EOF
	}
	return n, err
}

// readError says in the words of this package what became of the version that is read.
func readError(err error) error {
	if err != nil && (errors.Is(err, s3client.ErrPrecondition) || notFound(err)) {
		return errors.Join(ErrStale, err)
	}
	return localError(err)
}

// WriteAt writes p at off, or at the end of a file opened to append. It waits for nothing, unless the file is being sent and
// there is no room to keep what is sent beside what is written. What a large file has got whole may be sent before a Flush
// or Fsync, in the background.
func (h *Handle) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	if !h.flags.Write {
		return 0, ErrBadHandle
	}
	if off < 0 {
		return 0, ErrInvalid
	}
	if err := h.c.order.lock(ctx); err != nil {
		return 0, err
	}
	defer h.c.order.unlock()
	file, err := h.change()
	if err != nil {
		return 0, err
	}
	defer h.n.yield()()
	if h.flags.Append {
		off = file.Size()
	}
	if limit := h.n.v.upload.MaxSize(); off > limit-int64(len(p)) || file.Size() > limit {
		return 0, ErrTooBig
	}
	n, err := file.WriteAt(ctx, p, off)
	if err != nil {
		h.disturbed(file.Size())
		return n, h.n.named(localError(err))
	}
	if n == 0 {
		return 0, nil
	}
	if err := h.changed(); err != nil {
		return n, err
	}
	h.wrote(file, p[:n], off)
	return n, nil
}

// changed notes that the bytes have been changed. It says ErrStale if the content was abandoned meanwhile.
//
// It comes after the change, when no answer that is on its way can take the place of the times any more; and under
// content.order, so that every commit has both the bytes and the times, or neither: no two contents that are sent have
// the same metadata.
func (h *Handle) changed() error {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if h.c.abandoned {
		return ErrStale
	}
	h.flushedLocked(false)
	h.n.touchFileLocked()
	h.n.mu.dirty = !h.n.mu.removed // also where a truncation has found the size it wanted
	return nil
}

// Truncate sets the size, as ftruncate(2) does; it is stored with the next Flush or Fsync.
func (h *Handle) Truncate(ctx context.Context, size int64) error {
	if !h.flags.Write {
		return ErrBadHandle
	}
	if size < 0 {
		return ErrInvalid
	}
	if size > h.n.v.upload.MaxSize() {
		return ErrTooBig
	}
	if err := h.c.order.lock(ctx); err != nil {
		return err
	}
	defer h.c.order.unlock()
	file, err := h.change()
	if err != nil {
		return err
	}
	if err := file.Truncate(size); err != nil {
		return localError(err)
	}
	h.disturbed(size)
	return h.changed()
}

// change returns the local file for a change that is about to happen.
func (h *Handle) change() (*stage.File, error) {
	if err := h.n.v.writable(); err != nil {
		return nil, err
	}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if h.c.abandoned {
		return nil, ErrStale
	}
	return h.c.forWriting(h.n.v), nil
}

// Writes reports whether the handle may have anything to store: it may be written to, or has made or truncated its file.
// Flush of any other does nothing.
func (h *Handle) Writes() bool { return h.flags.Write || h.made }

// Flush is called for every close(2). It stores what is not stored yet, and returns nil only when the service has it, or
// the journal where there is one. After an error the data is kept and stored at the next opportunity. Each one tells of a
// conflict: the first may be that of a child process, where it closes what it does not inherit, and nobody hears of that.
func (h *Handle) Flush(ctx context.Context) error {
	if !h.Writes() {
		return nil
	}
	h.n.mu.Lock()
	h.flushedLocked(true) // what is written meanwhile says otherwise
	h.n.mu.Unlock()
	err := h.n.named(h.n.v.secure(ctx, h.n))
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return h.tellLocked(err, h.opened)
}

// flushedLocked notes whether a handle has been flushed since it was written to.
func (h *Handle) flushedLocked(flushed bool) {
	switch {
	case !h.flags.Write || h.flushed == flushed:
		return
	case flushed:
		h.n.mu.flushed++
	default:
		h.n.mu.flushed--
	}
	h.flushed = flushed
}

// Fsync stores what is not stored yet, whoever wrote it. It tells of a conflict once.
func (h *Handle) Fsync(ctx context.Context) error {
	err := h.n.named(h.n.v.secure(ctx, h.n))
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	told := h.seen
	h.seen = h.n.mu.lostSeq
	return h.tellLocked(err, told)
}

// tellLocked returns err, or without one the last conflict, if there were more of them than told.
func (h *Handle) tellLocked(err error, told int) error {
	if err == nil && h.flags.Write && h.n.mu.lostSeq > told {
		return h.n.mu.lost
	}
	return err
}

// Release ends the use of the handle; further calls do nothing. What was written after the last Flush, as through a
// memory mapping, is stored; a failure of that is logged. With the last writing handle it is tried again in the
// background, until it succeeds or the volume is closed, as is what Flush could not store.
func (h *Handle) Release() {
	h.once.Do(func() {
		n, v := h.n, h.n.v
		if h.Writes() && h.stores() {
			if err := v.secure(context.Background(), n); err != nil {
				path, _ := v.table.Path(n.node)
				v.log.Error("a closed file is not stored; it is kept, and will be tried again", "path", path, "error", err)
			}
		}
		n.mu.Lock()
		defer n.unlock()
		n.detachHandleLocked(h)
		if n.orphanedLocked() {
			v.storeLaterLocked(n)
		}
	})
}

// detachHandleLocked takes a handle off its content, and frees that with its last handle. The caller gives the lock back
// with n.unlock.
func (n *Inode) detachHandleLocked(h *Handle) {
	c := h.c
	c.handles--
	if h.flags.Write {
		h.flushedLocked(false)
		n.mu.writers--
	}
	if c.handles > 0 {
		return
	}
	switch {
	case c.abandoned:
		n.mu.unused = append(n.mu.unused, c)
	case !n.unsavedLocked():
		n.mu.obj.info.Size = c.size()
		n.abandonLocked()
	}
}

// stores reports whether Release has to store what is not stored.
func (h *Handle) stores() bool {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return !h.passing || h.n.mu.writers == 1
}
