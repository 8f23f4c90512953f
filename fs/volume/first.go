package volume

import (
	"context"
	"errors"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/readahead"
	"pail/fs/tree"
	"pail/s3client"
)

// What comes with the answer to an open: a small file whole, of a larger one what a reader in order needs first. Who reads
// it at random loses the time of as many bytes.
const (
	firstWhole = 1 << 20
	firstPart  = 256 << 10
)

// sureVersion returns the version in place, and its bytes where they are kept, if a lease for reads tells it. One whose bytes
// are about to be read and are not here is asked for, as they come with the answer: then the object is not full.
func (v *Volume) sureVersion(n *Inode, path string, flags OpenFlags) (o object, s tree.Stamp, src readahead.Source) {
	o, state, s := v.sure(path)
	if state != tree.Present || !o.sys || typeOf(o) != attr.Regular || v.isPointer(o) {
		return object{}, s, nil
	}
	if data := v.kept.get(n, o.info.ETag); data != nil {
		return o, s, &local{data}
	}
	if v.wantsBytes(n, o.info, flags) {
		return object{}, s, nil
	}
	return o, s, nil
}

// wantsBytes reports whether the bytes of a version are about to be read, and are not here.
func (v *Volume) wantsBytes(n *Inode, info s3client.ObjectInfo, flags OpenFlags) bool {
	here := flags.Cached != "" && flags.Cached == info.ETag || n.isOpen() || v.opt.Kept != nil && v.opt.Kept(info.Key, info.ETag)
	return flags.Read && !flags.Write && !here && info.Size > 0
}

// askVersion asks for the version in place, and where its bytes are about to be read for the first ones too. src reads
// that version; the caller closes it.
func (v *Volume) askVersion(ctx context.Context, n *Inode, path string, flags OpenFlags) (o object, src readahead.Source, err error) {
	key := v.keys.File(path)
	known, _, _ := v.names.Get(path)
	expected := known.info.Size // as far as anything was heard of it
	if known.info.Key = key; !v.wantsBytes(n, known.info, flags) || len(key) > s3client.MaxKeyLength {
		o, err = v.askFile(ctx, path, key)
		return o, nil, err
	}
	first := int64(firstPart)
	if expected <= firstWhole {
		first = firstWhole
	}
	info, src, err := v.opt.Readahead.First(ctx, key, first, expected)
	switch {
	case errors.Is(err, readahead.ErrNoRoom), errors.Is(err, s3client.ErrRange):
		o, err = v.headObject(ctx, key)
		return o, nil, err
	case notFound(err):
		return object{}, nil, errors.Join(ErrNotExist, err)
	case err != nil:
		return object{}, nil, err
	}
	if links.Moved(info) {
		if src != nil {
			v.logClose(n, src.Close())
		}
		return object{}, nil, ErrNotExist
	}
	o = v.newObject(info)
	o.sys = true
	return o, src, nil
}

// askFile asks for the object of a file, and whether a directory has its name, where that is all that is missing for a lease for
// reads to tell of it: else it would be asked for with every open, as answers that come more often than the TTL keep the cache from
// asking for more.
func (v *Volume) askFile(ctx context.Context, path, key string) (object, error) {
	if !v.toldInPart(path) {
		return v.headObject(ctx, key)
	}
	o, _, err := v.fetch(ctx, path)
	return o, err
}

// toldInPart reports whether there is a lease for reads under which a path was heard of, which yet does not tell of it.
func (v *Volume) toldInPart(path string) bool {
	since, done, ok := v.useReads(path)
	if !ok {
		return false
	}
	defer done()
	_, state := v.names.Sure(path, since)
	_, at := v.names.State(path)
	return state == tree.Unknown && since.Before(at)
}

// isOpen reports whether there is content already, whose bytes may be here.
func (n *Inode) isOpen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.content != nil
}
