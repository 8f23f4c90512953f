package volume

import (
	"context"
	"errors"
	"maps"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

var (
	errNoName = errors.New("the name is not where the list says")
	errNoRoom = errors.New("the metadata has no room for where the bytes come from")
)

// moveBack copies the bytes of a file over its only name, and puts a mark in the place of the file's own object, each on
// the condition that no other client has been there meanwhile: what others give that name stays, and what they commit to
// the file is copied too. plain is what is under the name then, a copy of the version from; it is full if the file has moved for
// certain, by this mount or another. Else there is an error, and the file may still be what is under its ID.
// errNoName says that there is nothing under the name, errNoRoom that it can only be a pointer.
func (v *Volume) moveBack(ctx context.Context, n *Inode, ptr links.Pointer, key string) (plain object, from s3client.ETag, err error) {
	const attempts = 16
	copied := false
	for range attempts {
		there, info, err := v.whatIs(ctx, key, ptr)
		switch {
		case err != nil:
			return object{}, "", err
		case there == nothing && !copied:
			return object{}, "", errNoName
		case there != thisName:
			return object{}, "", ErrStale // another mount has been quicker
		}
		o, err := v.headObject(ctx, ptr.Key)
		if origin, ok := links.ParseOrigin(info.Meta); ok && errors.Is(err, ErrNotExist) {
			plain = v.newObject(info)
			plain.sys = true
			return plain, origin.Version, nil
		}
		if err != nil {
			return object{}, "", err
		}
		n.partFrom(o.info.ETag)
		v.back.note(n)
		plain, err = v.copyBack(ctx, o, ptr, key, info.ETag)
		if err == nil {
			copied = true
			err = v.bury(ctx, o.info)
		}
		if !changedMeanwhile(err) {
			if err != nil {
				plain = object{}
			}
			return plain, o.info.ETag, err
		}
	}
	return object{}, "", errAgain
}

// partFrom parts an inode from content of another version than the one in place. It reports true where that stays, as there is
// something to be stored.
func (n *Inode) partFrom(etag s3client.ETag) (stays bool) {
	n.mu.Lock()
	defer n.unlock()
	c := n.mu.content
	if c == nil || n.mu.removed || c.base.ETag == etag {
		return false
	}
	if n.unsavedLocked() {
		return true
	}
	n.abandonLocked()
	return false
}

// movedBack makes a plain object what n is based on, where n is based on the version that was copied.
func (v *Volume) movedBack(n *Inode, at string, o object, from s3client.ETag) {
	n.mu.Lock()
	n.mu.obj.attr.Links, o.attr.Links = 0, 0
	n.mu.Unlock()
	v.rebaseFrom(n, at, o, from, tree.Stamp{})
}

func changedMeanwhile(err error) bool {
	return errors.Is(err, s3client.ErrPrecondition) || notFound(err)
}

// copyBack copies a file over the version of its name that has an ETag. The copy says where it comes from: until the file is gone,
// that is the file, for this mount and others, and what they write to it is found. Where the answer is missing, it looks whether the
// copy is there.
func (v *Volume) copyBack(ctx context.Context, from object, ptr links.Pointer, key string, tag s3client.ETag) (object, error) {
	o := from
	o.attr.Links, o.attr.Ctime = 0, v.opt.Now()
	origin := links.Origin{Pointer: ptr, Version: from.info.ETag}
	opt := s3client.CopyOptions{
		Replace: true, Meta: origin.Meta(attr.Encode(o.attr, from.info.Meta)), System: from.info.System,
		SrcIfMatch: from.info.ETag, IfMatch: tag,
	}
	if metaSize(opt.Meta) > metaLimit {
		return o, errNoRoom
	}
	info, err := v.copyObject(ctx, key, from.info, opt)
	if err != nil && !changedMeanwhile(err) {
		there, headErr := v.client.Head(ctx, key)
		if headErr == nil && there.Size == from.info.Size && maps.Equal(there.Meta, opt.Meta) {
			info, err = there, nil
		}
	}
	info.Key, info.Size, info.Meta, info.System = key, from.info.Size, opt.Meta, opt.System
	o.info, o.at = info, v.opt.Now()
	return o, err
}

// bury makes sure that nobody can commit to a version of a file's own object any more, before that is deleted: a DELETE
// under a condition is not known to every service. Where the answer is missing, it looks whether that is so.
func (v *Volume) bury(ctx context.Context, was s3client.ObjectInfo) error {
	_, err := v.client.Put(ctx, was.Key, emptyBody(), s3client.PutOptions{Meta: links.MovedMeta(), IfMatch: was.ETag})
	if err != nil && !changedMeanwhile(err) {
		if _, headErr := v.headObject(ctx, was.Key); errors.Is(headErr, ErrNotExist) {
			return nil
		}
	}
	return err
}
