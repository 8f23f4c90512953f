package volume

import (
	"context"
	"errors"
	"fmt"

	"pail/fs/attr"
	"pail/fs/readahead"
	"pail/fs/tree"
	"pail/s3client"
)

// Open opens a regular file. It always asks the service for the version in place, unless the file has changes here that are
// not stored, or a lease for reads says that it is known: after close(2) has returned on one mount, open(2) on another sees
// the new content. The answer to a lookup is not enough for that, as the kernel may have had it for a while. It is one
// request: a GET that brings the first bytes too, where the file is opened to read it, else a HEAD. With flags.Truncate the
// file is empty from now on; the old object stays until the new content is stored.
func (v *Volume) Open(ctx context.Context, n *Inode, flags OpenFlags) (*Handle, error) {
	flags.Write = flags.Write || flags.Truncate
	switch n.typ {
	case attr.Regular:
	case attr.Dir:
		return nil, ErrIsDir
	default:
		return nil, ErrNotSupported
	}
	if flags.Write {
		if err := v.writable(); err != nil {
			return nil, err
		}
	}
	if !flags.Write {
		v.fetchAhead(n)
	}
	h, err := v.attach(ctx, n, flags)
	if err != nil {
		return nil, err
	}
	if flags.Admit != nil {
		err = flags.Admit(h)
	}
	if flags.Write && v.opt.Journal != nil && err == nil {
		err = v.settleInode(ctx, n) // see mayPublish
	}
	if flags.Truncate && err == nil {
		err = h.empty(ctx)
	}
	if err != nil {
		h.Release()
		return nil, err
	}
	return h, nil
}

// attach returns a handle on the version in place. It starts over when that changes meanwhile.
func (v *Volume) attach(ctx context.Context, n *Inode, flags OpenFlags) (*Handle, error) {
	const attempts = 8
	for range attempts {
		if h := n.attachLocal(flags); h != nil {
			return h, nil
		}
		h, err := v.attachStored(ctx, n, flags)
		if errors.Is(err, ErrStale) && v.back.holds(n) { // it has gone back already
			if err := v.finishBack(ctx, n); err != nil {
				return nil, err
			}
			continue
		}
		if h != nil || err != nil {
			return h, err
		}
		// A removal, rename or commit is on its way.
		unlock, err := v.lockInode(ctx, n)
		if err != nil {
			return nil, err
		}
		unlock()
	}
	return nil, fmt.Errorf("%w: it keeps changing", ErrStale)
}

// attachLocal opens a file with changes that are not stored, or one that is removed and still open.
func (n *Inode) attachLocal(flags OpenFlags) *Handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.unsavedLocked() || n.mu.removed && n.mu.content != nil {
		return n.attachLocked(n.mu.content, flags)
	}
	return nil
}

// attachStored returns a handle on what the service has; nil if something has happened since it was asked.
func (v *Volume) attachStored(ctx context.Context, n *Inode, flags OpenFlags) (*Handle, error) {
	path, err := n.path()
	if err != nil {
		return nil, err
	}
	var o object
	var s tree.Stamp
	var src readahead.Source
	var bound tree.Stamp
	if f := v.takeAhead(ctx, n, path, flags); f != nil {
		o, s, src, bound = f.o, f.stamp, f.src, f.bound
	} else if o, s, src = v.sureVersion(n, path, flags); !o.full {
		s = v.names.Begin()
		o, src, err = v.askVersion(ctx, n, path, flags)
	}
	if err == nil {
		err = v.settleOrigin(ctx, o)
	}
	bytes := o.info.ETag // that src has
	if o, s, err = v.validate(n, path, o, s, err); err == nil && o.view && flags.Write {
		err = ErrPermission
	}
	if s.Before(bound) {
		s = bound
	}
	var h *Handle
	if err == nil {
		h = n.attachVersion(o, s, bytes, &src, flags)
	}
	if src != nil {
		v.logClose(n, src.Close())
	}
	return h, err
}

// validate judges the answer of the service about the version in place.
func (v *Volume) validate(n *Inode, path string, o object, s tree.Stamp, err error) (object, tree.Stamp, error) {
	if _, ok := v.keys.MarkerContent(path); ok && err == nil {
		o = v.asView(o)
	}
	switch {
	case errors.Is(err, ErrNotExist) && !n.unsaved():
		v.names.Forget(path)
		if now, _ := n.path(); now != path || v.isMoving(n) {
			return object{}, s, nil // renamed meanwhile: attachVersion refuses
		}
		v.detach(n, path, s)
		return object{}, s, errors.Join(ErrStale, err)
	case errors.Is(err, ErrNotExist):
		return object{}, s, nil
	case err != nil:
		return object{}, s, err
	case typeOf(o) != attr.Regular || v.isPointer(o):
		v.names.Forget(path)
		v.detach(n, path, s)
		return object{}, s, fmt.Errorf("%w: it is no regular file any more", ErrStale)
	}
	return v.learnPart(path, o, s)
}

// attachVersion opens a version of a file without local changes; nil if something has happened since it was asked for.
// It may take the source, if there is one, of the version bytes.
func (n *Inode) attachVersion(o object, s tree.Stamp, bytes s3client.ETag, src *readahead.Source, flags OpenFlags) *Handle {
	n.mu.Lock()
	defer n.unlock()
	if n.mu.removed || n.mu.leaving || n.unsavedLocked() || !o.full || !o.sys {
		return nil
	}
	if n.overtakenLocked(s) {
		if n.mu.content == nil {
			return nil
		}
		return n.attachLocked(n.mu.content, flags) // another open has asked later
	}
	if c := n.mu.content; c != nil && c.base.Key != o.info.Key && n.v.isMoving(n) {
		return nil // renamed: what is open follows in a moment
	}
	if c := n.mu.content; c != nil && (c.base.ETag != o.info.ETag || c.base.Key != o.info.Key) {
		n.abandonLocked()
	}
	switch {
	case n.mu.content != nil:
	case *src != nil && o.info.ETag == bytes && o.info.Size > 0:
		n.mu.content, *src = newContentFrom(*src, o.info, true), nil
	default:
		n.mu.content = newContent(n.v, o.info, true)
	}
	n.mu.content.base = o.info
	n.mu.obj, n.mu.stamp = o, s
	h := n.attachLocked(n.mu.content, flags)
	// A rename of a directory above looks for open files after it has changed the path: it has seen this one, or this
	// sees the new path. An inode without a name gets no content, as another one may have that name.
	if path, err := n.path(); err != nil || n.v.keys.File(path) != o.info.Key {
		n.detachHandleLocked(h)
		return nil
	}
	return h
}

// empty makes the file empty for O_TRUNC.
func (h *Handle) empty(ctx context.Context) error {
	h.n.mu.Lock()
	if c := h.c; c.file == nil && !c.abandoned {
		c.file = h.n.v.opt.Stage.NewFile(nil, 0)
		h.n.touchFileLocked()
		h.n.mu.Unlock()
		return nil
	}
	h.n.mu.Unlock()
	return h.Truncate(ctx, 0)
}
