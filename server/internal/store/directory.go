package store

import (
	"bytes"
	"context"
	"strings"

	"pail/server/internal/meta"
)

// DeleteDirectory deletes the object whose key is a prefix that ends in "/", if nothing else is below the prefix: what
// rmdir(2) is to a client for which such an object is a directory. Both is decided in one step, so what others make there
// meanwhile is either seen, or comes after. ErrDirectoryNotEmpty: something is below, or the object has bytes, which is a
// file to such clients. ErrNoSuchKey: there is nothing at all. It is as DeleteObject otherwise, so that in a bucket with
// versions it makes a delete marker; only current objects count, and no uploads in progress.
func (s *Store) DeleteDirectory(ctx context.Context, bucket string, in DeleteInput) (res DeleteResult, err error) {
	if !strings.HasSuffix(in.Key, "/") || in.VersionID != "" || !in.Cond.empty() {
		return res, ErrInvalidArgument
	}
	if err := checkKey(in.Key); err != nil {
		return res, err
	}
	return s.deleteOne(ctx, bucket, in, (*tx).deleteDirectory)
}

func (x *tx) deleteDirectory(b bucketRow, in DeleteInput) (DeleteResult, error) {
	more, err := x.anyBelow(b, in.Key)
	if err != nil {
		return DeleteResult{}, err
	}
	o, err := x.replaced(b, in.Key, Conditions{})
	switch {
	case err != nil:
		return DeleteResult{}, err
	case more || o != nil && o.size > 0:
		return DeleteResult{}, ErrDirectoryNotEmpty
	case o == nil:
		return DeleteResult{}, ErrNoSuchKey
	}
	return x.deleteObject(b, in)
}

// anyBelow reports whether there is an object below a prefix, but for the one whose key is the prefix itself.
func (x *tx) anyBelow(b bucketRow, prefix string) (bool, error) {
	own := meta.ObjectKey(b.id, prefix)
	it := x.Iter(own, meta.PrefixEnd(own))
	defer it.Close()
	ok := it.First()
	if ok && bytes.Equal(it.Key(), own) {
		ok = it.Next()
	}
	return ok, it.Err()
}
