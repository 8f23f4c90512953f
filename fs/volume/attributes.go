package volume

import (
	"context"
	"errors"
	"maps"

	"pail/fs/attr"
	"pail/s3client"
)

// storeAttributes stores the attributes of an open file whose bytes are stored.
func (v *Volume) storeAttributes(ctx context.Context, n *Inode, c *content) error {
	path, _ := v.table.Path(n.node)
	n.mu.Lock()
	o, changes := n.mu.obj, n.mu.changes
	n.mu.Unlock()
	v.noteSending(n, c, o.info.Size, attr.Encode(o.attr, o.info.Meta))
	began := v.names.Begin()
	info, err := v.replaceMeta(ctx, path, o, o.attr)
	if err == nil {
		o.info, o.at = info, v.opt.Now()
		v.rebase(n, path, o, changes, began)
		return nil
	}
	if !errors.Is(err, s3client.ErrPrecondition) && !notFound(err) {
		n.mu.Lock()
		defer n.mu.Unlock()
		c.sent.note(o.info.Size, attr.Encode(o.attr, o.info.Meta))
		return err
	}
	if v.findSent(ctx, n, c) {
		return v.storeAttributes(ctx, n, c)
	}
	return v.mergeAttributes(ctx, n, path, o, changes, err)
}

// mergeAttributes applies what was changed here to the version that another client has stored meanwhile, as if the change
// had come after that. Doing it twice does no harm, so an answer may get lost.
func (v *Volume) mergeAttributes(ctx context.Context, n *Inode, path string, mine object, changes int, cause error) error {
	const attempts = 4 // each but the last has lost to another client
	for i := 1; ; i++ {
		theirs, err := v.successor(ctx, n, mine.info.Key)
		switch {
		case errors.Is(err, ErrNotExist) || errors.Is(err, ErrStale):
			return v.attributesLost(n, path, errors.Join(err, cause))
		case err != nil:
			return err
		}
		err = v.mergeInto(ctx, n, path, mine, theirs)
		switch {
		case err == nil:
			v.attributesMerged(n, path, changes)
			return nil
		case errors.Is(err, ErrNoSpace):
			return v.attributesLost(n, path, err)
		case i == attempts || !errors.Is(err, s3client.ErrPrecondition) && !notFound(err):
			return err
		}
	}
}

// successor returns what another client has put in the place of a version of n.
func (v *Volume) successor(ctx context.Context, n *Inode, key string) (object, error) {
	o, err := v.headObject(ctx, key)
	if name, further := v.table.OtherPath(n.node); further && errors.Is(err, ErrNotExist) {
		o, err = v.headObject(ctx, v.keys.File(name)) // it has one name again
	}
	if err == nil {
		err = v.settleOrigin(ctx, o)
	}
	if ptr, shared := v.pointer(o); shared && err == nil {
		o, err = v.headObject(ctx, v.keys.File(v.homeOf(ptr)))
	}
	if err == nil && typeOf(o) != n.typ {
		err = ErrStale
	}
	return o, err
}

// mergeInto stores theirs with the changes of mine.
func (v *Volume) mergeInto(ctx context.Context, n *Inode, path string, mine, theirs object) error {
	n.mu.Lock()
	base := attr.Attr{}
	if c := n.mu.content; c != nil {
		base = attr.Decode(c.base, v.opt.Defaults)
	}
	n.mu.Unlock()
	merged, err := changed(theirs, func(a *attr.Attr) error {
		*a = attr.Merge(base, mine.attr, *a)
		return nil
	})
	if err != nil || maps.Equal(attr.Encode(merged, theirs.info.Meta), theirs.info.Meta) {
		return err
	}
	_, err = v.replaceMeta(ctx, path, theirs, merged)
	return err
}

// attributesMerged says that the service has the attributes, of a version whose bytes are not those of n. What was changed
// meanwhile is merged by the next commit, and bytes that were written are kept beside.
func (v *Volume) attributesMerged(n *Inode, path string, changes int) {
	v.log.Info("attributes that were changed here are set on the version of another client", "path", path)
	n.mu.Lock()
	defer n.unlock()
	if c := n.mu.content; c != nil && !c.changed() && n.mu.changes == changes {
		n.abandonLocked()
	}
	n.mu.stamp = v.names.Begin()
	v.names.Forget(path)
}

// attributesLost gives up attributes whose file another client has removed, or made something else of, or whose metadata
// has no room for them.
func (v *Volume) attributesLost(n *Inode, path string, err error) error {
	v.names.Forget(path)
	if v.opt.Journal != nil {
		v.log.Warn("attributes that were changed here are dropped: another client has changed the file", "path", path, "error", err)
	}
	err = errors.Join(ErrStale, err)
	n.mu.Lock()
	defer n.unlock()
	if c := n.mu.content; c != nil {
		if c.changed() {
			return err // written to meanwhile; the next commit finds out the same, and keeps the bytes
		}
		n.abandonLocked()
	}
	n.mu.lost = err
	n.mu.lostSeq++
	return err
}
