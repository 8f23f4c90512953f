package volume

import (
	"bytes"
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// moment is for how long the answer to a lookup is good for the create that it was made for, where the TTL is shorter.
const moment = time.Second

// Create makes a regular file and opens it. The file is there for this mount at once, and stored with the first Flush,
// Fsync or Release; so the usual create, write, close is one request. With flags.Excl an empty object is stored at once,
// and of several mounts that try, one succeeds; but under a lease nobody else can try, and with Options.LazyExcl the commit
// finds out who was first. Without Excl, a file that exists is opened.
func (v *Volume) Create(ctx context.Context, dir *Inode, name string, mode uint32, flags OpenFlags, who Caller) (*Inode, *Handle, Stat, error) {
	flags.Write = flags.Write || flags.Truncate
	if err := v.writable(); err != nil {
		return nil, nil, Stat{}, err
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	n, h, err := v.createFile(ctx, place{dir, name}, mode, flags, who)
	switch {
	case errors.Is(err, ErrExist) && !flags.Excl:
		if n, h, err = v.openExisting(ctx, dir, name, flags); err != nil {
			return nil, nil, Stat{}, err
		}
	case err != nil:
		return nil, nil, Stat{}, err
	default:
		dir.touch()
	}
	st, err := v.Getattr(ctx, n)
	if err != nil {
		h.Release()
		return nil, nil, Stat{}, err
	}
	return n, h, st, nil
}

func (v *Volume) openExisting(ctx context.Context, dir *Inode, name string, flags OpenFlags) (*Inode, *Handle, error) {
	n, _, err := v.Lookup(ctx, dir, name)
	if err != nil {
		return nil, nil, err
	}
	h, err := v.Open(ctx, n, flags)
	return n, h, err
}

func (v *Volume) createFile(ctx context.Context, p place, mode uint32, flags OpenFlags, who Caller) (*Inode, *Handle, error) {
	paths, unlock, err := v.lockPlaces(ctx, v.paths.own, p)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	at := paths[0]
	if err := nameError(v.keys.CheckFile(at)); err != nil {
		return nil, nil, err
	}
	if err := v.mustBeAbsent(ctx, p, at, flags.Excl); err != nil {
		return nil, nil, err
	}
	o := v.fresh(ctx, p.dir, at, attr.Regular|mode&attr.PermMask, who)
	if flags.Excl && v.owns(p.dir) {
		v.wantReads(p.dir, tree.Dir(at))
	}
	if !flags.Excl || v.owns(p.dir) || v.opt.LazyExcl && v.caps.ConditionalPut {
		return v.createPending(p, o, flags, false)
	}
	if done, ok := v.mayPromise(ctx, p.dir, at); ok {
		defer done()
		return v.createPending(p, o, flags, true)
	}
	return v.createStored(ctx, p, at, o, flags)
}

// createStored makes an empty object, and opens it. Others here may find and open it at once, but store nothing before the
// gate is given back.
func (v *Volume) createStored(ctx context.Context, p place, at string, o object, flags OpenFlags) (*Inode, *Handle, error) {
	n, unlock, err := v.gatedInode(ctx, p, attr.Regular)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	n.mu.Lock()
	err = n.beginLocked()
	n.unlock()
	if err != nil {
		return nil, nil, err
	}
	o, s, err := v.putNew(ctx, at, o, nil)
	if err != nil {
		return nil, nil, err
	}
	n.mu.Lock()
	defer n.unlock()
	if n.mu.content == nil {
		n.mu.content, n.mu.obj = newContent(v, o.info, true), o
		n.mu.content.claim = true
	}
	n.mu.stamp = s
	return n, n.attachLocked(n.mu.content, flags), nil
}

// createPending makes a file that only this mount knows.
func (v *Volume) createPending(p place, o object, flags OpenFlags, promised bool) (*Inode, *Handle, error) {
	n := v.lockedInode(p, attr.Regular)
	defer n.unlock()
	if err := n.beginLocked(); err != nil {
		return nil, nil, err
	}
	c := newContent(v, s3client.ObjectInfo{Key: o.info.Key}, false)
	c.file, c.promised = v.opt.Stage.NewFile(nil, 0), promised
	n.mu.content, n.mu.obj = c, o
	if promised {
		c.absent = n.mu.stamp
	}
	h := n.attachLocked(c, flags)
	h.made = true
	return n, h, nil
}

// beginLocked makes the inode of a free name that of a file which is about to be made: what was open of another one, which
// another client has removed, stays with its handles. ErrExist: it was written to since it was looked at. The caller gives
// the lock back with n.unlock.
func (n *Inode) beginLocked() error {
	if n.unsavedLocked() {
		return ErrExist
	}
	n.abandonLocked()
	n.mu.stamp = n.v.names.Begin()
	return nil
}

// mustBeAbsent says ErrExist if there is something at a path. A lookup that was made for the purpose is good enough,
// but for an exclusive create on a service that cannot refuse to overwrite.
func (v *Volume) mustBeAbsent(ctx context.Context, p place, at string, excl bool) error {
	if n := v.child(p); n != nil && n.unsaved() {
		return ErrExist
	}
	if p.dir.alone() {
		return nil
	}
	state, s := v.names.State(at)
	ask := v.resolve
	if excl && !v.caps.Exclusive() {
		ask, state = v.fetch, tree.Unknown
	}
	if state == tree.Present {
		return ErrExist
	}
	if state != tree.Absent && (state != tree.WasAbsent || v.names.Age(s) >= moment) {
		if _, _, err := ask(ctx, at); err == nil {
			return ErrExist
		} else if !errors.Is(err, ErrNotExist) {
			return err
		}
	}
	if n := v.child(p); n != nil {
		v.detach(n, at, v.names.Begin()) // another client has removed it
	}
	return nil
}

// fresh returns a new object of that mode. A setgid directory passes its group on, and to directories the bit; one with a
// default ACL says what the permissions are, and passes it on to directories.
func (v *Volume) fresh(ctx context.Context, dir *Inode, at string, mode uint32, who Caller) object {
	now := v.opt.Now()
	o := object{full: true, sys: true, dir: attr.IsDir(mode), at: now}
	o.attr = attr.Attr{Mode: mode, UID: who.UID, GID: who.GID, Mtime: now, Atime: now, Ctime: now}
	p := v.parentAttr(ctx, dir)
	if p.Mode&setgid != 0 {
		o.attr.GID = p.GID
		if o.dir {
			o.attr.Mode |= setgid
		}
	}
	if acl, ok := attr.ParseACL(p.Xattrs[attr.ACLDefault]); ok && !attr.IsSymlink(mode) {
		inheritACL(&o.attr, acl)
	} else if !attr.IsSymlink(mode) {
		o.attr.Mode &^= who.Umask & 0o777
	}
	o.info.Key = v.keys.File(at)
	if o.dir {
		o.info.Key = v.keys.Dir(at)
	}
	o.info.Meta = s3client.Meta{}
	o.info.System.ContentType = attr.ContentType(path.Base(at), o.attr.Mode, v.opt.MIME)
	return o
}

// parentAttr returns the attributes of a directory, those that were heard last if there are any: the kernel has just asked
// for them, to check permissions.
func (v *Volume) parentAttr(ctx context.Context, dir *Inode) attr.Attr {
	if st, ok := dir.localStat(); ok {
		return st.Attr
	}
	at, ok := v.table.Path(dir.node)
	if !ok {
		return attr.Attr{}
	}
	o, _, _ := v.names.Get(at)
	if !o.full {
		o, _, _ = v.resolve(ctx, at) // what cannot be asked for is not inherited
	}
	return o.attr
}

// inheritACL gives what is made in a directory the permissions that its default ACL says.
func inheritACL(a *attr.Attr, acl attr.ACL) {
	access, bits := acl.Inherit(a.Mode & 0o777)
	a.Mode = a.Mode&^0o777 | bits
	if !access.Minimal() {
		a.Xattrs = map[string][]byte{attr.ACLAccess: access.Value()}
	}
	if attr.IsDir(a.Mode) {
		if a.Xattrs == nil {
			a.Xattrs = map[string][]byte{}
		}
		a.Xattrs[attr.ACLDefault] = acl.Value()
	}
}

// Bits of a mode.
const (
	setuid = 0o4000
	setgid = 0o2000
)

// putNew stores a new object, unless there is one.
func (v *Volume) putNew(ctx context.Context, at string, o object, body []byte) (object, tree.Stamp, error) {
	o.info.Meta = attr.Encode(o.attr, o.info.Meta)
	if !v.caps.ConditionalPut {
		v.endJournaled()
	}
	began := v.names.Begin()
	info, err := v.client.Put(ctx, o.info.Key, bytes.NewReader(body), s3client.PutOptions{
		Meta: o.info.Meta, System: o.info.System, IfNoneMatch: v.caps.Exclusive(),
	})
	if err != nil {
		v.names.Forget(at)
		if errors.Is(err, s3client.ErrPrecondition) {
			err = errors.Join(ErrExist, err)
		}
		return object{}, tree.Stamp{}, err
	}
	o.info.ETag, o.info.Size, o.info.LastModified = info.ETag, int64(len(body)), info.LastModified
	return o, v.present(at, o, began), nil
}

// makeNew stores a new object of any kind but an open file, and returns its inode. Of a it takes what belongs to the kind.
func (v *Volume) makeNew(ctx context.Context, p place, a attr.Attr, body []byte, who Caller) (*Inode, Stat, error) {
	if err := v.writable(); err != nil {
		return nil, Stat{}, err
	}
	if typ := a.Mode & attr.TypeMask; v.opt.NoSpecials && typ != attr.Dir && typ != attr.Regular {
		return nil, Stat{}, ErrPermission
	}
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	paths, unlock, err := v.lockPlaces(ctx, v.paths.own, p)
	if err != nil {
		return nil, Stat{}, err
	}
	defer unlock()
	at := paths[0]
	check := v.keys.CheckFile
	if attr.IsDir(a.Mode) {
		check = v.keys.CheckDir
	}
	if err := nameError(check(at)); err != nil {
		return nil, Stat{}, err
	}
	var empty tree.Stamp // what is made in a new directory after this is known by itself
	known := false
	if attr.IsDir(a.Mode) {
		empty, known = v.names.BeginListing(at), v.emptyWhenMade(at)
	}
	if err := v.mustBeAbsent(ctx, p, at, false); err != nil {
		return nil, Stat{}, err
	}
	o := v.fresh(ctx, p.dir, at, a.Mode, who)
	o.attr.Rdev, o.attr.LinkTarget = a.Rdev, a.LinkTarget
	if v.owns(p.dir) {
		n, st, err := v.makeLater(ctx, p, o, body)
		if err == nil && o.dir {
			v.madeDir(p.dir, at, empty, known)
		}
		return n, st, err
	}
	n, st, err := v.makeNow(ctx, p, at, o, body)
	if err != nil {
		return nil, Stat{}, err
	}
	p.dir.touch()
	if o.dir {
		v.madeDir(p.dir, at, empty, known)
	}
	n.own()
	return n, st, nil
}

// madeDir notes that a directory was made in another; known says that it was empty as of a stamp.
func (v *Volume) madeDir(in *Inode, at string, empty tree.Stamp, known bool) {
	if known {
		v.names.EndListing(at, empty, empty)
	}
	in.addSubdirs(1)
}

// makeNow stores what makeNew makes.
func (v *Volume) makeNow(ctx context.Context, p place, at string, o object, body []byte) (*Inode, Stat, error) {
	n, unlock, err := v.gatedInode(ctx, p, typeOf(o))
	if err != nil {
		return nil, Stat{}, err
	}
	defer unlock()
	o, s, err := v.putNew(ctx, at, o, body)
	if err != nil {
		return nil, Stat{}, err
	}
	n.mu.Lock()
	n.mu.stamp = s
	n.mu.Unlock()
	return n, v.stat(n, o), nil
}

// Mkdir makes a directory: one PUT of its marker.
func (v *Volume) Mkdir(ctx context.Context, dir *Inode, name string, mode uint32, who Caller) (*Inode, Stat, error) {
	return v.makeNew(ctx, place{dir, name}, attr.Attr{Mode: attr.Dir | mode&attr.PermMask}, nil, who)
}

// Mknod makes a regular file, FIFO, socket or device, by the type bits of mode; none means a regular file.
func (v *Volume) Mknod(ctx context.Context, dir *Inode, name string, mode uint32, rdev uint64, who Caller) (*Inode, Stat, error) {
	switch typ := mode & attr.TypeMask; typ {
	case attr.Char, attr.Block:
	case attr.Regular, attr.FIFO, attr.Socket:
		rdev = 0
	case 0:
		mode, rdev = mode|attr.Regular, 0
	default:
		return nil, Stat{}, ErrInvalid
	}
	return v.makeNew(ctx, place{dir, name}, attr.Attr{Mode: mode, Rdev: rdev}, nil, who)
}

// Symlink makes a symbolic link: an object whose bytes are the target. One that begins or ends with white space, which
// readers cut off, is in the metadata too.
func (v *Volume) Symlink(ctx context.Context, dir *Inode, name, target string, who Caller) (*Inode, Stat, error) {
	if target == "" || strings.ContainsRune(target, 0) {
		return nil, Stat{}, ErrInvalid
	}
	if len(target) > maxLink {
		return nil, Stat{}, ErrNameTooLong
	}
	o := attr.Attr{Mode: attr.Symlink | 0o777}
	if trimLink(target) != target && 4*len(target) < metaLimit {
		o.LinkTarget = target
	}
	return v.makeNew(ctx, place{dir, name}, o, []byte(target), who)
}
