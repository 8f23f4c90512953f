package volume

import (
	"context"
	"errors"

	"pail/fs/readahead"
	"pail/s3client"
)

// What comes with the answer to an open: a small file whole, of a larger one what a reader in order needs first. Who reads
// it at random loses the time of as many bytes.
const (
	firstWhole = 1 << 20
	firstPart  = 256 << 10
)

// askVersion asks for the version in place, and where its bytes are about to be read for the first ones too. src reads
// that version; the caller closes it.
func (v *Volume) askVersion(ctx context.Context, n *Inode, path string, flags OpenFlags) (o object, src readahead.Source, err error) {
	key := v.keys.File(path)
	known, _, _ := v.names.Get(path)
	expected := known.info.Size // as far as anything was heard of it
	here := flags.Cached != "" && flags.Cached == known.info.ETag || n.isOpen() || v.opt.Kept != nil && v.opt.Kept(key, known.info.ETag)
	if !flags.Read || flags.Write || here || expected == 0 || len(key) > s3client.MaxKeyLength {
		o, err = v.headObject(ctx, key)
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
	o = v.newObject(info)
	o.sys = true
	return o, src, nil
}

// isOpen reports whether there is content already, whose bytes may be here.
func (n *Inode) isOpen() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.content != nil
}
