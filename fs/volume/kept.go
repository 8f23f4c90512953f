package volume

import (
	"context"
	"io"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/s3client"
)

// Bounds of the bytes that are kept.
const (
	KeptMemory = 4 << 20 // of all files, about
	keptFile   = 64 << 10
	keptFiles  = 1024
)

// kept are the bytes of small files that this mount has stored under a lease for reads. Programs that keep their state in
// such files (git, package managers) read them again at once, when nobody else can have changed them: then it is no request.
type kept struct {
	mu struct {
		sync.Mutex
		files *simplelru.LRU[*Inode, keptVersion]
		size  int64
	}
}

// keptVersion is a version of a file.
type keptVersion struct {
	etag s3client.ETag
	data []byte
}

func (k *kept) init() {
	k.mu.files, _ = simplelru.NewLRU(keptFiles, func(_ *Inode, old keptVersion) { // the only error is about a size below 1
		k.mu.size -= int64(len(old.data))
	})
}

// keptOf returns the bytes of a snapshot that is about to be stored, if they are to be kept: all of them are here, and there
// is a lease.
func (v *Volume) keptOf(ctx context.Context, path string, snap *stage.Snapshot) []byte {
	if snap.Size() == 0 || snap.Size() > keptFile {
		return nil
	}
	for _, e := range snap.Extents() {
		if e.Kind == stage.Unchanged {
			return nil
		}
	}
	_, done, ok := v.useReads(path)
	if !ok {
		return nil
	}
	done()
	data := make([]byte, snap.Size())
	if _, err := io.ReadFull(snap.Reader(ctx, 0, snap.Size()), data); err != nil {
		return nil // the upload says so
	}
	return data
}

// put keeps a version of a file, in place of another.
func (k *kept) put(n *Inode, etag s3client.ETag, data []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.files.Remove(n)
	if data == nil || etag == "" {
		return
	}
	k.mu.files.Add(n, keptVersion{etag, data})
	for k.mu.size += int64(len(data)); k.mu.size > KeptMemory; {
		k.mu.files.RemoveOldest()
	}
}

// get returns the bytes of a version of a file, nil if they are not here.
func (k *kept) get(n *Inode, etag s3client.ETag) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if was, ok := k.mu.files.Get(n); ok && was.etag == etag {
		return was.data
	}
	return nil
}

// local is a source of bytes that are kept.
type local struct{ data []byte }

var _ readahead.Source = &local{} // compared by reads

func (l *local) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(l.data)) {
		return 0, io.EOF
	}
	n := copy(p, l.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (*local) Close() error { return nil }
