package volume

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/fs/attr"
)

// Times that change with every entry made or removed would double the requests if they were stored each time. A
// directory's are kept here instead, and stored in its marker with its next change of its own, when there are many such
// directories, and by Close. A directory without a marker has nothing to keep them in, and none is made for them.

// maxLate is how many directories may have times that are not stored.
const maxLate = 1024

// lateTimes are the directories whose times are not stored. They are held on to, as their inodes have the times.
type lateTimes struct {
	mu struct {
		sync.Mutex
		dirs map[*Inode]struct{}
	}
	work sync.WaitGroup
}

// touch notes that the entries of a directory have changed.
func (n *Inode) touch() {
	now := n.v.opt.Now()
	n.mu.Lock()
	n.mu.touched = now
	n.mu.Unlock()

	late := &n.v.late
	late.mu.Lock()
	defer late.mu.Unlock()
	late.mu.dirs[n] = struct{}{}
	if len(late.mu.dirs) > maxLate {
		dirs := late.takeLocked()
		late.work.Go(func() { n.v.storeTimes(context.Background(), dirs) })
	}
}

func (l *lateTimes) takeLocked() []*Inode {
	dirs := make([]*Inode, 0, len(l.mu.dirs))
	for n := range l.mu.dirs {
		dirs = append(dirs, n)
	}
	clear(l.mu.dirs)
	return dirs
}

// Accessed notes that a file or link was read, or a directory listed, if that is due. It costs no request: the time is shown
// by this mount as long as it knows the inode, and stored with the next change.
func (v *Volume) Accessed(n *Inode, always bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.accessDueLocked(always) {
		n.mu.accessed = v.opt.Now()
	}
}

// AccessDue reports whether an access changes the time of access: always, or if it is not later than the last change, or a
// day old (relatime of mount(8)).
func (v *Volume) AccessDue(n *Inode, always bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.accessDueLocked(always)
}

func (n *Inode) accessDueLocked(always bool) bool {
	o := n.mu.obj
	if n.mu.content == nil && !n.mu.removed {
		at, err := n.path()
		if err != nil {
			return false
		}
		if o, _, _ = n.v.names.Get(at); !o.full {
			return false // and is not asked for
		}
	}
	a := o.attr
	n.timesLocked(&a)
	const day = 24 * time.Hour
	return always || !a.Atime.After(a.Mtime) || !a.Atime.After(a.Ctime) || n.v.opt.Now().Sub(a.Atime) >= day
}

// timesLocked brings times up to date that are behind what this mount has done since they were stored.
func (n *Inode) timesLocked(a *attr.Attr) {
	if n.mu.touched.After(a.Ctime) {
		a.Mtime, a.Ctime = n.mu.touched, n.mu.touched
	}
	if n.mu.renamed.After(a.Ctime) {
		a.Ctime = n.mu.renamed
	}
	if n.mu.accessed.After(a.Atime) {
		a.Atime = n.mu.accessed
	}
}

// storeAllTimes stores the times of directories that are not stored, until ctx ends.
func (v *Volume) storeAllTimes(ctx context.Context) {
	v.late.work.Wait()
	v.late.mu.Lock()
	dirs := v.late.takeLocked()
	v.late.mu.Unlock()
	v.storeTimes(ctx, dirs)
}

// storeTimes stores times of directories. A failure costs no more than these times, and is only logged.
func (v *Volume) storeTimes(ctx context.Context, dirs []*Inode) {
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	for _, n := range dirs {
		work.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, v.opt.MetaTimeout)
			defer cancel()
			if err := v.storeTime(ctx, n); err != nil {
				path, _ := v.table.Path(n.node)
				v.log.Debug("times of a directory are not stored", "path", path, "error", err)
			}
			return nil
		})
	}
	_ = work.Wait() // the functions return nil
}

func (v *Volume) storeTime(ctx context.Context, n *Inode) error {
	unlock, err := v.lockInode(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	n.mu.Lock()
	stored := n.mu.removed || n.mu.touched.IsZero()
	n.mu.Unlock()
	if stored {
		return nil
	}
	if err := v.commitGated(ctx, n); err != nil {
		return err
	}
	if m := n.marking(); m != nil { // without a marker nothing is stored
		m.hurry()
		select {
		case <-m.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o, err := v.current(ctx, n)
	if err != nil {
		return err
	}
	if path, err := n.path(); err != nil || o.info.Key == "" || o.info.Key != v.markerKey(path) {
		return err
	}
	_, err = v.changeStored(ctx, n, func(*attr.Attr) error { return nil })
	return err
}
