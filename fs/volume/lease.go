package volume

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"pail/fs/attr"
	"pail/fs/lease"
	"pail/fs/tree"
	"pail/s3client"
)

// Where the service has leases (package lease), a file that is made exclusively in a directory with one is made here, as
// others are: nobody else can make the name meanwhile. Such a name is promised. It is claimed, that is, made on the service
// as an empty object, if the lease ends before the file is stored, and before very many bytes are sent.
//
// That a name is not there is known from a listing that began after the lease was granted, or from what this mount has done
// since. With a lease for reads, so is all else (sure). Directories with very many entries are not listed for that.

// claimFirst is the size from which on a file is claimed before its bytes are sent, which may take longer than a recall
// waits.
const claimFirst = 1 << 20

// Limits of listings under a lease.
const (
	sureNames   = 256 // in a directory that needs no listing
	leasePages  = glancePages
	leaseReload = time.Second // between two listings of one directory
)

// leases are the volume's; nil where there are none: without the service's offer. With a journal, which has directories of its
// own, no names are promised, so that only leases for reads are of use.
func (v *Volume) newLeases() *lease.Keeper {
	o := v.opt
	if !o.Caps.Leases || !o.Caps.ConditionalPut || o.LazyExcl || o.ReadOnly || o.Journal != nil && !o.ReadLeases {
		return nil
	}
	return lease.New(lease.Options{
		Join:  func(ctx context.Context) (s3client.LeaseStream, error) { return s3client.JoinLeases(ctx, o.Client) },
		Stamp: v.names.Begin, Claim: v.claimBelow, Reads: o.ReadLeases, Log: o.Log, Now: o.Now,
	})
}

// knownAbsent reports whether a path is not there, as a lease assures, and as of when that is known at least.
func (v *Volume) knownAbsent(path string) (tree.Stamp, bool) {
	since, done, ok := v.useLease(tree.Dir(path))
	if !ok {
		return since, false
	}
	defer done()
	return since, v.names.AbsentSince(path, since)
}

// sure returns what is at a path, as a lease for reads assures: what this mount has learned or done since the grant is what
// there is. It is as if it had been asked for at s. There is an object for Present, whose attributes may be unknown.
func (v *Volume) sure(path string) (o object, state tree.State, s tree.Stamp) {
	since, done, ok := v.useReads(path)
	if !ok {
		return object{}, tree.Unknown, s
	}
	defer done()
	s = v.names.Begin()
	o, state = v.names.Sure(path, since)
	return o, state, s
}

// reliedOn reports whether the lease for reads that there was at a path can still be relied on.
func (v *Volume) reliedOn(path string, since tree.Stamp) bool {
	now, done, ok := v.useReads(path)
	if !ok {
		return false
	}
	done()
	return now == since
}

// outlives reports whether what is known of a path, from before a lease for reads, would be taken for what there is once it
// was told of anew; be it that the lease cannot be relied on just now, as it may be later.
func (v *Volume) outlives(path string) bool {
	prefix, ok := v.readsOf(path)
	if !ok {
		return false
	}
	since, ok := v.leases.GrantedReads(prefix)
	if !ok {
		return false
	}
	_, state := v.names.Sure(path, since)
	return state != tree.Present
}

// useReads relies on a lease for reads on the directory that holds a path.
func (v *Volume) useReads(path string) (since tree.Stamp, done func(), ok bool) {
	prefix, ok := v.readsOf(path)
	if !ok {
		return tree.Stamp{}, nil, false
	}
	return v.leases.UseReads(prefix)
}

// readsOf returns the prefix of the lease for reads that a path falls under, if there is one. Names that tell of other keys than
// those in their directory are asked for.
func (v *Volume) readsOf(path string) (prefix string, ok bool) {
	if v.leases == nil || !v.opt.ReadLeases || path == "" || v.keys.Synthetic(path) || v.keys.Synthetic(tree.Dir(path)) {
		return "", false
	}
	if _, view := v.keys.MarkerContent(path); view {
		return "", false
	}
	if _, clash := v.keys.ClashAlias(path); clash {
		return "", false
	}
	return v.keys.Prefix(tree.Dir(path)), true
}

// emptyWhenMade reports whether a directory that is about to be made may be taken for empty. Somebody may just have put
// something below a name that was found free a moment ago; that is as ever, but nothing to promise names by.
func (v *Volume) emptyWhenMade(at string) bool {
	since, leased := v.leaseGranted(tree.Dir(at))
	return !leased || v.names.AbsentSince(at, since)
}

// leaseGranted tells since when there is a lease on a directory, though it may not be relied on just now.
func (v *Volume) leaseGranted(dir string) (since tree.Stamp, ok bool) {
	if v.leases == nil || v.keys.Synthetic(dir) {
		return tree.Stamp{}, false
	}
	return v.leases.Granted(v.keys.Prefix(dir))
}

func (v *Volume) useLease(dir string) (since tree.Stamp, done func(), ok bool) {
	if v.leases == nil || v.keys.Synthetic(dir) {
		return tree.Stamp{}, nil, false
	}
	return v.leases.Use(v.keys.Prefix(dir))
}

// mayPromise reports whether a file may be made at a path that only this mount knows, exclusively; until done is called,
// when it has been made. The caller owns the path, and found nothing there.
func (v *Volume) mayPromise(ctx context.Context, dir *Inode, at string) (done func(), ok bool) {
	parent := tree.Dir(at)
	if v.leases == nil || v.opt.Journal != nil || v.keys.Synthetic(parent) {
		return nil, false
	}
	since, done, ok := v.wantLease(ctx, dir, parent)
	if !ok {
		return nil, false
	}
	if v.names.AbsentSince(at, since) {
		return done, true
	}
	done() // a listing takes long
	if !v.learnTree(ctx, parent, since) {
		v.listLeased(ctx, parent)
	}
	if since, done, ok = v.useLease(parent); !ok {
		return nil, false
	}
	if !v.names.AbsentSince(at, since) {
		done()
		return nil, false
	}
	return done, true
}

// wantLease relies on a lease on a directory, and asks for one if there is none and it is worth while.
func (v *Volume) wantLease(ctx context.Context, dir *Inode, parent string) (since tree.Stamp, done func(), ok bool) {
	if since, done, ok = v.useLease(parent); !ok {
		v.leases.Ask(ctx, v.leasePrefixes(dir)...)
		since, done, ok = v.useLease(parent)
	}
	return since, done, ok
}

// wantReads has a lease asked for where files are made here first: for reads of what is stored. Nobody waits for it, as the
// service may be away.
func (v *Volume) wantReads(dir *Inode, at string) {
	if v.leases == nil || v.keys.Synthetic(at) {
		return
	}
	v.wants.start(func() {
		ctx, cancel := context.WithTimeout(v.wants.ctx, v.opt.MetaTimeout)
		defer cancel()
		if since, done, ok := v.wantLease(ctx, dir, at); ok {
			done()
			v.learnTree(ctx, at, since)
		}
	})
}

// leasePrefixes are those that a lease on a directory is asked for with: the first is that of the outermost of the
// directories above that this mount has made, one in the other, as more is likely to come there.
func (v *Volume) leasePrefixes(dir *Inode) []string {
	var prefixes []string
	for n := dir; n != nil; {
		if path, err := n.path(); err == nil {
			prefixes = append([]string{v.keys.Prefix(path)}, prefixes...)
		}
		up, _ := v.table.Parent(n.node)
		if up == nil || !n.isOwn() || !up.Value().isOwn() {
			break
		}
		n = up.Value()
	}
	return prefixes
}

func (n *Inode) isOwn() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.own
}

// learnTree learns all that is below the prefix of a new lease on a directory, if that is one page of keys. Programs that
// unpack or clone then know of each directory that they make that it is new. It reports false if the directory is still to
// be listed.
func (v *Volume) learnTree(ctx context.Context, dir string, since tree.Stamp) bool {
	prefix, ok := v.leases.Covering(v.keys.Prefix(dir))
	at, _, known := v.keys.Path(prefix)
	if !ok || !known || v.keys.Prefix(at) != prefix {
		return false
	}
	v.mu.Lock()
	done := v.mu.learned[prefix] == since
	if len(v.mu.learned) >= glanceDirs {
		clear(v.mu.learned)
	}
	v.mu.learned[prefix] = since
	v.mu.Unlock()
	if done {
		return false
	}
	page := flatPage{stamp: v.names.Begin()}
	got, err := v.client.List(ctx, s3client.ListQuery{Prefix: prefix, WithMeta: v.caps.ListMetadata})
	if err != nil || got.NextToken != "" {
		return false
	}
	page.keys = got.Objects
	v.takeTree(at, page)
	return true
}

// takeTree tells the cache of all directories at a path and below, and of what is in them, which a page has whole.
func (v *Volume) takeTree(at string, page flatPage) {
	type dir struct {
		l   *listing
		got pageResult
	}
	var all []dir
	dirs := append([]string{at}, v.aloneBelow(at)...)
	for i := 0; i < len(dirs); i++ { // those that are found below are appended
		got := pageResult{stamp: page.stamp}
		addBelow(&got.page, page.keys, v.keys.Prefix(dirs[i]))
		all = append(all, dir{v.beginListing(dirs[i]), got})
		for _, name := range v.keys.List(dirs[i]).Page(got.page) {
			if path := join(dirs[i], name.Name); (name.Info == nil || name.Dir) && !v.keys.Synthetic(path) {
				dirs = append(dirs, path)
			}
		}
	}
	v.names.NoteChildren(at, page.stamp)
	for _, d := range all {
		items, _ := d.l.take(d.got)
		for _, it := range items {
			path := join(d.l.at, it.name)
			if !it.obj.dir || v.keys.Synthetic(path) {
				continue
			}
			if o, ok := v.dirIn([]flatPage{page}, path, v.keys.Dir(path)); ok {
				_, _, _ = v.learn(path, o, page.stamp) // who asks for it looks into the cache
			}
		}
	}
}

// aloneBelow returns the paths of the directories below one of which the service has not heard: where others may have made
// something, which a page tells as well.
func (v *Volume) aloneBelow(at string) []string {
	var dirs []string
	for _, n := range v.openInodes() {
		if !n.alone() {
			continue
		}
		if path, err := n.path(); err == nil && below(path, at) && !v.keys.Synthetic(path) {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// sureChildren returns what is in a directory, as a lease for reads assures. It reports false where that has to be asked for.
func (v *Volume) sureChildren(dir string) (items []dirItem, ok bool) {
	if v.leases == nil || !v.opt.ReadLeases || v.keys.Synthetic(dir) {
		return nil, false
	}
	since, done, ok := v.leases.UseReads(v.keys.Prefix(dir))
	if !ok {
		return nil, false
	}
	defer done()
	s := v.names.Begin()
	names, ok := v.names.Children(dir, since)
	if !ok {
		return nil, false
	}
	for _, name := range names {
		o, state := v.names.Sure(join(dir, name), since)
		switch state {
		case tree.Present:
			items = append(items, dirItem{name: name, obj: o, stamp: s})
		case tree.Unknown:
			return nil, false
		}
	}
	return items, true
}

// listLeased lists a directory, if it was not just done.
func (v *Volume) listLeased(ctx context.Context, dir string) {
	v.mu.Lock()
	now := v.opt.Now()
	wait := now.Before(v.mu.listed[dir])
	if !wait {
		if len(v.mu.listed) >= glanceDirs {
			clear(v.mu.listed)
		}
		v.mu.listed[dir] = now.Add(leaseReload)
	}
	v.mu.Unlock()
	if wait {
		return
	}
	l := v.beginListing(dir)
	for range leasePages {
		got := v.page(ctx, l.query())
		if got.err != nil {
			return
		}
		if _, more := l.take(got); !more {
			return
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.listed[dir] = now.Add(glanceAgain)
}

// claimBelow claims the names under a prefix that are promised, and waits for removals that are queued, until ctx ends. It reports false
// if some are promised still.
func (v *Volume) claimBelow(ctx context.Context, prefix string) (over bool) {
	settled := make(chan error, 1) // beside, as claims must not be late for that
	go func() { settled <- v.removals.settleBelow(ctx, prefix) }()
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	for _, n := range v.openInodes() {
		if !n.promised() {
			continue
		}
		if path, err := n.path(); err != nil || !strings.HasPrefix(v.keys.File(path), prefix) {
			continue
		}
		work.Go(func() error {
			err := v.claim(ctx, n)
			if err != nil {
				path, _ := v.table.Path(n.node)
				v.log.Warn("a file that was made exclusively is not on the service yet", "path", path, "error", err)
			}
			if n.promised() {
				return err
			}
			return nil // it is decided, be it that somebody else was quicker
		})
	}
	return errors.Join(work.Wait(), <-settled) == nil
}

// promised reports whether n was made exclusively, and only this mount knows it.
func (n *Inode) promised() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.mu.content
	return c != nil && c.promised && !c.stored && !n.mu.removed
}

// absentSince tells when the name of a promised file was free on the service; zero for others.
func (n *Inode) absentSince() tree.Stamp {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.mu.content; c != nil && c.promised && !c.stored {
		return c.absent
	}
	return tree.Stamp{}
}

// claim makes an object that keeps the name of a promised file.
func (v *Volume) claim(ctx context.Context, n *Inode) error {
	unlock, err := v.lockInode(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	return v.claimGated(ctx, n)
}

// claimGated is claim for a caller that holds the gate, and n's path still. When somebody else has made the name, it is
// promised no longer, and the commit finds out what to do.
func (v *Volume) claimGated(ctx context.Context, n *Inode) error {
	if !n.promised() {
		return nil
	}
	path, err := n.path()
	if err != nil {
		return err
	}
	n.mu.Lock()
	c, o := n.mu.content, n.mu.obj
	n.mu.Unlock()
	o.info.Key = v.keys.File(path)
	o.info.Meta = attr.Encode(o.attr, o.info.Meta)
	began := v.names.Begin()
	info, err := v.client.Put(ctx, o.info.Key, emptyBody(), s3client.PutOptions{
		Meta: o.info.Meta, System: o.info.System, IfNoneMatch: true,
	})
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if errors.Is(err, s3client.ErrPrecondition) {
			c.promised = false
		} else {
			c.sent.note(0, o.info.Meta) // perhaps only the answer got lost
		}
		return err
	}
	o.info.ETag, o.info.Size, o.info.LastModified = info.ETag, 0, info.LastModified
	n.mu.Lock()
	old := c.moveTo(v.openVersion(o.info))
	c.base, c.stored, c.claim = o.info, true, true
	n.mu.obj.info = o.info
	n.mu.stamp = v.present(path, o, began)
	n.mu.Unlock()
	v.logClose(n, old.Close())
	return nil
}
