package volume

import (
	"context"
	"errors"
	"slices"

	"pail/fs/links"
	"pail/s3client"
)

// noteCopy notes a second place of a name before it is copied, where an object is a name of a file with several: if the
// original cannot be removed afterwards, or nobody comes to it, the removal of either must not take the file from the
// other. Only objects of a name's size are asked about.
func (v *Volume) noteCopy(ctx context.Context, info s3client.ObjectInfo, dst string) error {
	name := links.Pointer{Key: v.keys.File(links.Inode(links.NewID(0)))}
	if info.Size != int64(len(name.Body())) {
		return nil
	}
	there, err := v.client.Head(ctx, info.Key)
	if ptr, ok := links.ParseName(there.Meta); err == nil && ok {
		return v.noteName(ctx, ptr, info.Key, dst)
	}
	if notFound(err) {
		return nil // the copy says so
	}
	return err
}

// noteName is noteCopy for a name that is known. Places where it is not any more are forgotten.
func (v *Volume) noteName(ctx context.Context, ptr links.Pointer, src, dst string) error {
	_, err := v.changeNames(ctx, ptr, func(l *links.Names) error {
		if _, ok := l.Keys[ptr.Name]; !ok {
			return ErrNotExist // its removal takes nothing off the list
		}
		places := slices.DeleteFunc(slices.Clone(l.Copies[ptr.Name]), func(key string) bool {
			return key == src || key == dst || !v.mayBeAt(ctx, ptr, key)
		})
		if l.Copies == nil {
			l.Copies = map[string][]string{}
		}
		l.Copies[ptr.Name] = append(places, src, dst)
		return nil
	})
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	return err
}

// elsewhere reports whether a name is, or may be, at a place other than key.
func (v *Volume) elsewhere(ctx context.Context, l *links.Names, ptr links.Pointer, key string) bool {
	return slices.ContainsFunc(l.Places(ptr.Name), func(at string) bool { return at != key && v.mayBeAt(ctx, ptr, at) })
}

// mayBeAt reports whether a name is at a key, or that is not known for certain.
func (v *Volume) mayBeAt(ctx context.Context, ptr links.Pointer, key string) bool {
	info, err := v.client.Head(ctx, key)
	there, ok := links.ParseName(info.Meta)
	return err == nil && ok && there == ptr || err != nil && !notFound(err)
}
