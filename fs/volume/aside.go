package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"pail/fs/links"
	"pail/fs/stage"
	"pail/s3client"
)

// A file that is removed while it is open lives on for those who have it open. What is not here of a small one is fetched
// before the object goes; of a large one the service makes a copy under a hidden key, which goes with the last handle. A
// mount that dies leaves the copy behind; the next one that makes a copy removes it, when it is old enough that nobody can
// be using it.

const (
	asidePrefix = links.Hidden + "/unlinked/"
	fetchAtMost = 1 << 20            // bytes that are fetched rather than copied
	asideAge    = 7 * 24 * time.Hour // a copy that is older is nobody's
)

// asides removes what other mounts have left behind, once.
type asides struct {
	once sync.Once
	work sync.WaitGroup
}

// keep makes c outlive its object.
func (v *Volume) keep(ctx context.Context, n *Inode, c *content) error {
	missing, err := v.missing(ctx, n, c)
	if err != nil {
		return err
	}
	if missing > fetchAtMost && c.aside == "" {
		err := v.putAside(ctx, n, c)
		if err == nil || errors.Is(err, s3client.ErrPrecondition) || notFound(err) {
			return err
		}
		v.log.Debug("a file that is removed while it is open is not copied, but fetched", "inode", n.Ino(), "error", err)
	}
	return v.localize(ctx, n, c)
}

// missing returns how many bytes of c are only on the service.
func (v *Volume) missing(ctx context.Context, n *Inode, c *content) (bytes int64, err error) {
	n.mu.Lock()
	file, size := c.file, c.base.Size
	n.mu.Unlock()
	if file == nil {
		return size, nil
	}
	snap, err := file.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Release(false)
	for _, e := range snap.Extents() {
		if e.Kind == stage.Unchanged {
			bytes += e.Len
		}
	}
	return bytes, nil
}

// putAside copies the version that c is based on, and makes c read from the copy.
func (v *Volume) putAside(ctx context.Context, n *Inode, c *content) error {
	v.asides.once.Do(func() { v.asides.work.Go(v.removeOldAsides) })
	n.mu.Lock()
	base := c.base
	n.mu.Unlock()
	key := v.keys.File(asidePrefix + strings.ToLower(rand.Text()))
	info, err := v.opt.Upload.Copy(ctx, key, base, s3client.CopyOptions{SrcIfMatch: base.ETag, Replace: true, Meta: s3client.Meta{}})
	if err != nil {
		return err
	}
	info.Key, info.Size = key, base.Size
	n.mu.Lock()
	old := c.moveTo(v.openVersion(info))
	c.aside = key
	n.mu.Unlock()
	return old.Close()
}

// freeContent frees what nobody uses any more.
func (v *Volume) freeContent(n *Inode, c *content) {
	v.logClose(n, c.close())
	if c.aside == "" {
		return
	}
	if err := v.deleteKeys(context.Background(), c.aside); err != nil {
		v.log.Warn("the copy of a removed file is left behind", "key", c.aside, "error", err)
	}
}

// removeOldAsides removes copies that are nobody's. What fails is left to the next mount.
func (v *Volume) removeOldAsides() {
	ctx, cancel := context.WithTimeout(context.Background(), v.opt.MetaTimeout)
	defer cancel()
	q := s3client.ListQuery{Prefix: v.keys.File(asidePrefix + "x")}
	q.Prefix = strings.TrimSuffix(q.Prefix, "x")
	for {
		page, err := v.client.List(ctx, q)
		if err != nil {
			v.log.Debug("copies of removed files are not looked for", "error", err)
			return
		}
		var old []string
		for _, info := range page.Objects {
			if v.opt.Now().Sub(info.LastModified) > asideAge {
				old = append(old, info.Key)
			}
		}
		if len(old) > 0 {
			if err := v.client.Delete(ctx, old...); err != nil {
				v.log.Debug("old copies of removed files are left", "error", err)
			}
		}
		if q.Token = page.NextToken; q.Token == "" {
			return
		}
	}
}
