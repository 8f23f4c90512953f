package volume

import (
	"context"
	"errors"
	"io"
	"math"

	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/tree"
	"pail/fs/upload"
	"pail/s3client"
)

// content is what the handles of a file share: one version of the object, and the changes made to it here. Its fields
// are guarded by the mu of the inode.
//
//	stored --write--> changed --commit--> stored        (base is the next version)
//	created --commit--> stored
//	stored --another client's version is noticed--> abandoned
//	changed --commit loses to another client--> abandoned (its data is in the conflict file)
//
// Handles of abandoned content go on reading; writing is ErrStale.
type content struct {
	base   s3client.ObjectInfo // the version that the next commit replaces; only with stored
	stored bool                // false: there is no object yet
	src    readahead.Source    // base's bytes
	file   *stage.File         // nil until the first change
	stream *upload.Stream      // of what is written to file; nil until that is large
	body   []byte              // of what is no file, until it is stored
	aside  aside               // the copy that src reads, if the object was removed while it was open

	claim     bool       // an empty object that keeps the name for a handle that is going to write
	promised  bool       // made exclusively, under a lease: see lease.go
	absent    tree.Stamp // with promised: the name was free on the service then
	sent      attempts   // since the last version that was stored for certain
	abandoned bool
	handles   int
	order     gate // writers, so that appends do not overlap; taken before file's own lock
}

func newContent(v *Volume, base s3client.ObjectInfo, stored bool) *content {
	return newContentFrom(v.openVersion(base), base, stored)
}

// newContentFrom is newContent with a source of base's bytes, which it takes over.
func newContentFrom(src readahead.Source, base s3client.ObjectInfo, stored bool) *content {
	return &content{base: base, stored: stored, src: src, order: newGate()}
}

// changed reports whether there are bytes that are not stored.
func (c *content) changed() bool { return c.file != nil && c.file.Dirty() }

func (c *content) size() int64 {
	if c.file != nil {
		return c.file.Size()
	}
	if !c.stored {
		return int64(len(c.body))
	}
	return c.base.Size
}

// forWriting returns the local file, which the first change makes.
func (c *content) forWriting(v *Volume) *stage.File {
	if c.file == nil {
		c.file = v.opt.Stage.NewFile(c.src, c.base.Size)
	}
	return c.file
}

// close frees what the content holds.
func (c *content) close() error {
	var err error
	if c.file != nil {
		err = c.file.Close()
	}
	return errors.Join(err, c.src.Close())
}

// moveTo makes src where base's bytes are read from. The caller closes the old source once the inode is unlocked, as
// that waits for reads, which then start over with the new one.
func (c *content) moveTo(src readahead.Source) (old readahead.Source) {
	old, c.src = c.src, src
	if c.file != nil {
		c.file.Rebase(src)
	}
	return old
}

// attachLocked registers a handle on c.
func (n *Inode) attachLocked(c *content, flags OpenFlags) *Handle {
	if n.mu.content == c {
		n.openLocked()
	}
	c.handles++
	if flags.Write {
		n.mu.writers++
		if n.mu.log.live() {
			n.v.watchOpen()
		}
	}
	return &Handle{n: n, c: c, flags: flags, opened: n.mu.lostSeq, seen: n.mu.lostSeq}
}

// abandonLocked parts the inode from its content, if it has any, which lives on until its last handle closes. The caller
// gives the lock back with n.unlock.
func (n *Inode) abandonLocked() {
	c := n.mu.content
	if c == nil {
		return
	}
	c.abandoned = true
	if c.handles > 0 {
		n.partings.Add(1)
	}
	c.dropStreamLocked()
	n.mu.content, n.mu.dirty = nil, false
	n.v.mu.Lock()
	delete(n.v.mu.open, n)
	n.v.mu.Unlock()
	if c.handles == 0 {
		n.mu.unused = append(n.mu.unused, c)
	}
}

// unlock gives n.mu back, and frees content that nobody uses any more. That waits for fetches to end, so nothing is locked.
func (n *Inode) unlock() {
	unused := n.mu.unused
	n.mu.unused = nil
	n.mu.Unlock()
	for _, c := range unused {
		n.v.freeContent(n, c)
	}
}

// closeContent frees the content if there is nothing in it that has to be stored.
func (n *Inode) closeContent() {
	n.mu.Lock()
	defer n.unlock()
	if c := n.mu.content; c != nil && c.handles == 0 && !n.unsavedLocked() {
		n.abandonLocked()
	}
}

func (v *Volume) logClose(n *Inode, err error) {
	if err != nil {
		v.log.Warn("cannot free local data", "inode", n.Ino(), "error", err)
	}
}

// localize fetches what of c is only on the service into local storage, so that c outlives its object.
func (v *Volume) localize(ctx context.Context, n *Inode, c *content) error {
	n.mu.Lock()
	file, src, size := c.file, c.src, c.base.Size
	n.mu.Unlock()
	extents := []stage.Extent{{Len: size, Kind: stage.Unchanged}}
	var from stage.Base = src
	if file != nil {
		snap, err := file.Snapshot()
		if err != nil {
			return err
		}
		defer snap.Release(false)
		extents, from = snap.Extents(), snap
	}
	copied := v.opt.Stage.NewFile(nil, 0)
	for _, e := range extents {
		if e.Kind != stage.Unchanged {
			continue
		}
		if err := copyBytes(ctx, copied, from, e); err != nil {
			return errors.Join(err, copied.Close())
		}
	}
	n.mu.Lock()
	old := c.moveTo(copied)
	n.mu.Unlock()
	return old.Close()
}

// copyBytes copies a range of from into to.
func copyBytes(ctx context.Context, to *stage.File, from stage.Base, e stage.Extent) error {
	const chunk = 1 << 20
	buf := make([]byte, min(chunk, e.Len))
	for off := e.Off; off < e.Off+e.Len; {
		n, err := from.ReadAt(ctx, buf[:min(chunk, e.Off+e.Len-off)], off)
		if n == 0 {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if _, err := to.WriteAt(ctx, buf[:n], off); err != nil {
			return localError(err)
		}
		off += int64(n)
	}
	return nil
}

// localError translates errors of local storage.
func localError(err error) error {
	switch {
	case errors.Is(err, stage.ErrNoSpace):
		return errors.Join(ErrNoSpace, err)
	case errors.Is(err, stage.ErrInvalid):
		return errors.Join(ErrInvalid, err)
	}
	return err
}

// toInt64 turns a size of the kernel's into one of ours.
func toInt64(size uint64) int64 { return int64(min(size, math.MaxInt64)) }
