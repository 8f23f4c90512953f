package volume

import (
	"context"
	"errors"
	"sync"

	"pail/fs/links"
	"pail/s3client"
)

// maxReturned bounds the files that are known to have become plain objects. Of one that has no room the service is asked again.
const maxReturned = 1 << 14

// returned are the IDs of files that are gone from .pail/inodes, so that what is under a name that says that it comes from there
// is the file. None ever comes again.
type returned struct {
	mu struct { // a leaf
		sync.Mutex
		ids map[string]struct{}
	}
}

func (r *returned) init() { r.mu.ids = map[string]struct{}{} }

func (r *returned) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mu.ids) == maxReturned {
		clear(r.mu.ids)
	}
	r.mu.ids[id] = struct{}{}
}

func (r *returned) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.mu.ids[id]
	return ok
}

// isOrigin reports whether o is a copy of a file that its bytes have moved back from, or were about to.
func isOrigin(o object) bool {
	_, ok := links.ParseOrigin(o.info.Meta)
	return ok && !isBare(o)
}

// isBare reports whether o is nothing that can be a name of a file with several.
func isBare(o object) bool { return !o.full || o.dir || o.view }

// pointer returns where the name o leads to, also where that is a file whose bytes were copied there, and that is not known to be
// gone since; ok is false where it is no name of a file with several.
func (v *Volume) pointer(o object) (ptr links.Pointer, ok bool) {
	if isBare(o) {
		return ptr, false
	}
	ptr, ok = links.ParseName(o.info.Meta)
	return ptr, ok && !(isOrigin(o) && v.returned.has(ptr.ID()))
}

func (v *Volume) isPointer(o object) bool {
	_, ok := v.pointer(o)
	return ok
}

// settleOrigin finds out whether a copy of a file is the file, for pointer to know it. It asks the service, as what is cached may be
// from before there was the file under its ID. Where that would be outside of what is mounted, as the directory that is mounted was
// renamed or is below, it is looked for at both places; where nobody may look, it is not there.
func (v *Volume) settleOrigin(ctx context.Context, o object) error {
	ptr, ok := v.pointer(o)
	if !ok || !isOrigin(o) {
		return nil
	}
	home, s := v.homeOf(ptr), v.names.Begin()
	file, err := v.headObject(ctx, v.keys.File(home))
	if err == nil {
		_, _, err = v.learn(home, file, s)
	}
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	if key := v.keys.File(home); key != ptr.Key {
		_, err = v.headObject(ctx, ptr.Key)
		if !errors.Is(err, ErrNotExist) && !errors.Is(err, s3client.ErrAccess) {
			return err
		}
	}
	v.returned.add(ptr.ID())
	return nil
}
