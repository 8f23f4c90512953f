package volume

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"time"

	"pail/fs/attr"
	"pail/s3client"
)

// metaLimit is what S3 takes of user metadata: names and values, together in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
const metaLimit = 2 << 10

// unchanged says that no attributes of an open file have been stored.
const unchanged = -1

// change applies fn to the attributes of n. On a file with changes that are not stored they ride on the next commit;
// else they are one request: the object is copied onto itself with other metadata. fn may run more than once.
func (v *Volume) change(ctx context.Context, n *Inode, fn func(*attr.Attr) error) (Stat, error) {
	if err := v.writable(); err != nil {
		return Stat{}, err
	}
	st, err := v.changeAny(ctx, n, fn)
	if err == nil {
		err = v.secureClosed(ctx, n)
	}
	return st, err
}

// changeAny is change, of which a part may be local only.
func (v *Volume) changeAny(ctx context.Context, n *Inode, fn func(*attr.Attr) error) (Stat, error) {
	if st, done, err := n.changeLocal(fn); done {
		return st, err
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	unlock, err := v.lockInode(ctx, n)
	if err != nil {
		return Stat{}, err
	}
	defer unlock()
	if v.opt.Journal != nil {
		if st, done, err := n.changeLocal(fn); done {
			return st, err
		}
		if st, done, err := v.changeLater(ctx, n, fn); done {
			return st, err
		}
	}
	return v.changeGated(ctx, n, fn)
}

// changeGated is change for a caller that holds the gate, and n's path still.
func (v *Volume) changeGated(ctx context.Context, n *Inode, fn func(*attr.Attr) error) (Stat, error) {
	if st, done, err := n.changeLocal(fn); done {
		return st, err
	}
	const attempts = 4 // each but the last has lost to another client
	for i := 1; ; i++ {
		st, err := v.changeStored(ctx, n, fn)
		if err == nil || i == attempts || !errors.Is(err, s3client.ErrPrecondition) && !notFound(err) {
			return st, err
		}
		at, _ := v.table.Path(n.node)
		v.names.Forget(at)
	}
}

// changeLocal applies fn to an inode with changes that are not stored, that is about to have some, or that is removed.
func (n *Inode) changeLocal(fn func(*attr.Attr) error) (st Stat, done bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	claimed := n.mu.content != nil && n.mu.content.claim && n.mu.writers > 0
	if !n.mu.removed && !n.unsavedLocked() && !claimed {
		return Stat{}, false, nil
	}
	if err := n.applyLocked(fn); err != nil {
		return Stat{}, true, err
	}
	size := n.mu.obj.info.Size
	if n.mu.content != nil {
		size = n.mu.content.size()
	}
	return n.statLocked(n.mu.obj, size), true, nil
}

func (n *Inode) applyLocked(fn func(*attr.Attr) error) error {
	o := n.mu.obj
	n.timesLocked(&o.attr)
	a, err := changed(o, fn)
	if err != nil {
		return err
	}
	n.mu.obj.attr = a
	n.mu.accessed = time.Time{}
	n.mu.dirty = !n.mu.removed
	n.mu.changes++
	return nil
}

// changed returns o's attributes after fn, and refuses what metadata cannot hold.
func changed(o object, fn func(*attr.Attr) error) (attr.Attr, error) {
	a := o.attr
	a.Xattrs = maps.Clone(a.Xattrs)
	if err := fn(&a); err != nil {
		return a, err
	}
	if metaSize(attr.Encode(a, o.info.Meta)) > metaLimit {
		return a, ErrNoSpace
	}
	return a, nil
}

func metaSize(meta s3client.Meta) (size int) {
	for name, value := range meta {
		size += len(name) + len(value)
	}
	return size
}

// changeStored changes the attributes of what is stored.
func (v *Volume) changeStored(ctx context.Context, n *Inode, fn func(*attr.Attr) error) (Stat, error) {
	if n.isDir() && !v.caps.Exclusive() {
		// One that is made beside would take the place of this change, with the attributes from before.
		if err := v.ensureMarker(ctx, n); err != nil {
			return Stat{}, err
		}
	}
	o, err := v.current(ctx, n)
	if err != nil {
		return Stat{}, err
	}
	at, err := n.path()
	if err != nil {
		return Stat{}, err
	}
	if o.view || v.keys.Synthetic(at) {
		return Stat{}, ErrPermission
	}
	if !o.sys {
		s := v.names.Begin()
		if o, err = v.headObject(ctx, o.info.Key); err != nil {
			return Stat{}, err
		}
		n.adopt(o, s)
	}
	n.mu.Lock()
	touched, accessed := n.mu.touched, n.mu.accessed
	n.timesLocked(&o.attr)
	n.mu.Unlock()
	a, err := changed(o, fn)
	if err != nil {
		return Stat{}, err
	}
	began := v.names.Begin()
	info, err := v.replaceMeta(ctx, at, o, a)
	if err != nil {
		v.names.Forget(at)
		return Stat{}, err
	}
	from := o.info.ETag
	o.info, o.attr, o.at, o.full, o.sys = info, a, v.opt.Now(), true, true
	n.mu.Lock()
	if n.unsavedLocked() { // written to meanwhile
		_ = n.applyLocked(fn) // has just succeeded
	}
	switch {
	case n.mu.touched.Equal(touched):
		n.mu.touched = time.Time{} // stored
	case !n.mu.touched.After(a.Ctime): // too late for what was stored, but before its time
		n.mu.touched = a.Ctime.Add(1)
	}
	if n.mu.accessed.Equal(accessed) {
		n.mu.accessed = time.Time{}
	}
	n.mu.Unlock()
	v.rebaseFrom(n, at, o, from, began)
	return v.stat(n, o), nil
}

// replaceMeta stores other attributes for what is at a path, and returns the version that has them.
func (v *Volume) replaceMeta(ctx context.Context, at string, o object, a attr.Attr) (s3client.ObjectInfo, error) {
	opt := s3client.CopyOptions{Replace: true, Meta: attr.Encode(a, o.info.Meta), System: o.info.System}
	if o.dir && o.info.Key != v.markerKey(at) {
		return v.replaceMarker(ctx, at, o, opt)
	}
	if opt.System.ContentType == "" {
		opt.System.ContentType = attr.ContentType(path.Base(at), a.Mode, v.opt.MIME)
	}
	opt.SrcIfMatch = o.info.ETag
	info, err := v.copyObject(ctx, o.info.Key, o.info, opt)
	info.Key, info.Size, info.Meta, info.System = o.info.Key, o.info.Size, opt.Meta, opt.System
	return info, err
}

// replaceMarker writes the marker of a directory that has none, or one in an old form, which is then removed.
func (v *Volume) replaceMarker(ctx context.Context, at string, o object, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	opt.System = s3client.System{ContentType: attr.TypeDirectory}
	key := v.markerKey(at)
	info, err := v.client.Put(ctx, key, emptyBody(), s3client.PutOptions{
		Meta: opt.Meta, System: opt.System, IfNoneMatch: v.caps.Exclusive(),
	})
	if err == nil && o.info.Key != "" {
		err = v.client.Delete(ctx, o.info.Key)
	}
	info.Key, info.Size, info.Meta, info.System = key, 0, opt.Meta, opt.System
	return info, err
}

// copyObject copies inside the service, or through this machine where the service cannot.
func (v *Volume) copyObject(ctx context.Context, dst string, src s3client.ObjectInfo, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	info, err := v.copyInside(ctx, dst, src, opt)
	if !errors.Is(err, s3client.ErrUnsupported) {
		return info, err
	}
	ctx, cancel := v.detached(ctx, src.Size)
	defer cancel()
	return v.copyThroughHere(ctx, dst, src, opt)
}

// copyInside is copyObject where ErrUnsupported is a service that cannot.
func (v *Volume) copyInside(ctx context.Context, dst string, src s3client.ObjectInfo, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	ctx, cancel := v.detached(ctx, src.Size)
	defer cancel()
	if dst == src.Key && v.caps.ConditionalPut {
		opt.IfMatch = opt.SrcIfMatch // many requests, if it is large: another client may store a version between them
	}
	return v.upload.Copy(ctx, dst, src, opt)
}

// copyThroughHere copies through this machine.
func (v *Volume) copyThroughHere(ctx context.Context, dst string, src s3client.ObjectInfo, opt s3client.CopyOptions) (_ s3client.ObjectInfo, err error) {
	if !opt.Replace {
		if src, err = v.client.Head(ctx, src.Key); err != nil { // all headers are needed
			return s3client.ObjectInfo{}, err
		}
		if opt.SrcIfMatch != "" && opt.SrcIfMatch != src.ETag {
			return s3client.ObjectInfo{}, fmt.Errorf("copy %q: %w", src.Key, s3client.ErrPrecondition)
		}
	}
	bytes := v.openVersion(src)
	defer func() { _ = bytes.Close() }() // a reader
	file := v.opt.Stage.NewFile(bytes, src.Size)
	defer func() { _ = file.Close() }() // holds no local data
	snap, err := file.Snapshot()
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	defer snap.Release(false)
	put := s3client.PutOptions{Meta: opt.Meta, System: opt.System, IfMatch: opt.IfMatch, IfNoneMatch: opt.IfNoneMatch}
	if !opt.Replace {
		put.Meta, put.System = src.Meta, src.System
	}
	if !v.caps.ConditionalPut {
		put.IfMatch, put.IfNoneMatch = "", false
	}
	return v.upload.Commit(ctx, dst, snap, nil, put)
}
