package volume

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"pail/fs/links"
	"pail/fs/stage"
	"pail/s3client"
)

// A file that is removed while it is open lives on for those who have it open. What is not here of a small one is fetched
// before the object goes; of a large one the service makes a copy under a hidden key, which goes with the last handle.
// Every day another copy takes its place. So one that is old is one that a mount has left behind as it died; the next
// mount that makes a copy removes it.

const (
	fetchAtMost = 1 << 20            // bytes that are fetched rather than copied
	asideAge    = 7 * 24 * time.Hour // a copy that is older is nobody's
	asideRenew  = 24 * time.Hour     // a copy that is older is made anew
	asideCheck  = time.Hour          // how often the age of copies is looked at
)

// asides are the copies that this mount has made. What other mounts have left behind is removed once.
type asides struct {
	jobs
	once sync.Once

	mu struct { // taken before the mu of an inode
		sync.Mutex
		kept map[*content]*Inode // which read from a copy
	}
}

func (a *asides) init() {
	a.jobs.init()
	a.mu.kept = map[*content]*Inode{}
}

// aside is the copy of a removed file.
type aside struct {
	info s3client.ObjectInfo // without a key there is none
	at   time.Time           // when it was made
}

// keep makes c outlive its object.
func (v *Volume) keep(ctx context.Context, n *Inode, c *content) error {
	missing, err := v.missing(ctx, n, c)
	if err != nil {
		return err
	}
	if missing > fetchAtMost && c.aside.info.Key == "" {
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
	snap, err := file.Snapshot()
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
	v.asides.once.Do(func() {
		v.asides.start(v.removeOldAsides)
		v.asides.start(v.renewAsides)
	})
	n.mu.Lock()
	base := c.base
	n.mu.Unlock()
	a, err := v.copyAside(ctx, base)
	if err != nil {
		return err
	}
	v.asides.mu.Lock()
	v.asides.mu.kept[c] = n
	v.asides.mu.Unlock()
	return v.readAside(n, c, a)
}

func (v *Volume) copyAside(ctx context.Context, from s3client.ObjectInfo) (aside, error) {
	made := v.opt.Now()
	key := v.keys.File(links.Unlinked + strings.ToLower(rand.Text()))
	info, err := v.upload.Copy(ctx, key, from, s3client.CopyOptions{SrcIfMatch: from.ETag, Replace: true, Meta: s3client.Meta{}})
	info.Key, info.Size = key, from.Size
	return aside{info, made}, err
}

// readAside makes c read from a copy.
func (v *Volume) readAside(n *Inode, c *content, a aside) error {
	n.mu.Lock()
	old := c.moveTo(v.openVersion(a.info))
	c.aside = a
	n.mu.Unlock()
	return old.Close()
}

// renewAsides keeps the copies young that are in use, until the volume is closed.
func (v *Volume) renewAsides() {
	tick := time.NewTicker(asideCheck)
	defer tick.Stop()
	for {
		select {
		case <-v.asides.ctx.Done():
			return
		case <-tick.C:
		}
		v.asides.mu.Lock()
		kept := maps.Clone(v.asides.mu.kept)
		v.asides.mu.Unlock()
		for c, n := range kept {
			if err := v.renewAside(v.asides.ctx, n, c); err != nil {
				v.log.Warn("the copy of a removed file that is still open is not renewed; others remove it when it is a week old", "inode", n.Ino(), "error", err)
			}
		}
	}
}

// renewAside makes another copy of a copy that is old, and removes that.
func (v *Volume) renewAside(ctx context.Context, n *Inode, c *content) error {
	n.mu.Lock()
	old := c.aside
	n.mu.Unlock()
	if v.opt.Now().Sub(old.at) < asideRenew {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, v.limit(old.info.Size))
	defer cancel()
	young, err := v.copyAside(ctx, old.info)
	if err != nil {
		return err
	}
	v.asides.mu.Lock()
	_, used := v.asides.mu.kept[c]
	if used {
		err = v.readAside(n, c, young)
	} else {
		old = young // closed meanwhile
	}
	v.asides.mu.Unlock()
	return errors.Join(err, v.deleteKeys(ctx, old.info.Key))
}

// freeContent frees what nobody uses any more.
func (v *Volume) freeContent(n *Inode, c *content) {
	v.asides.mu.Lock()
	delete(v.asides.mu.kept, c)
	v.asides.mu.Unlock()
	v.logClose(n, c.close())
	key := c.aside.info.Key
	if key == "" {
		return
	}
	if err := v.deleteKeys(context.Background(), key); err != nil {
		v.log.Warn("the copy of a removed file is left behind", "key", key, "error", err)
	}
}

// removeOldAsides removes copies that are nobody's. What fails is left to the next mount.
func (v *Volume) removeOldAsides() {
	ctx, cancel := context.WithTimeout(v.asides.ctx, v.opt.MetaTimeout)
	defer cancel()
	q := s3client.ListQuery{Prefix: v.keys.File(links.Unlinked + "x")}
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
