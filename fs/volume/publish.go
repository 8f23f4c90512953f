package volume

import (
	"context"
	"errors"
	"path"
	"strings"
	"sync"
	"time"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// Programs that want no half-written file under a name (git, mail delivery) write to a temporary name, link(2) the file to
// the final one and unlink the first: a rename that replaces nothing. So the second name of a file with a temporary one is
// at first a copy of the object. If the first is removed within a moment, that is all. Whatever else is to happen to the
// file or to one of its names makes it a real hard link before, as does the end of the moment; until then, the paths and the
// gate of the file are held, so nothing can happen to it unseen. Other mounts see two equal files in that moment, and so
// does the next mount if this one dies in it.

const (
	publishFor    = time.Second // how long the second name may be a copy
	publishAtMost = 1 << 20     // bytes; larger files are not worth another copy
	publishShared = 256 << 20   // the same, where the service copies no bytes
	publications  = 64          // at once
)

// publication is a file with a second name that is a copy.
type publication struct {
	n             *Inode
	first, second place
	home, at      string         // their paths
	copied        object         // what is under the second name
	since         tree.Stamp     // from before that was made
	later         *later         // the second name was made in the journal; nil: on the service
	pointer       *links.Pointer // what is to be there, once the file itself is where those with several names are

	unlock func() // gives back the paths and the gate
	timer  *time.Timer
	wait   time.Duration // for it
}

// published are the publications of this mount, each under both of its names.
type published struct {
	jobs
	mu struct { // a leaf
		sync.Mutex
		by      map[place]*publication // those that wait
		busy    map[place]*publication // those that become hard links
		unheard map[place]*Inode       // second names of which the service has not heard
	}
}

func (p *published) init() {
	p.jobs.init()
	p.mu.by, p.mu.busy, p.mu.unheard = map[place]*publication{}, map[place]*publication{}, map[place]*Inode{}
}

// peek returns the publication that a name belongs to, or nil.
func (p *published) peek(name place) *publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pub := p.mu.busy[name]; pub != nil {
		return pub
	}
	return p.mu.by[name]
}

// hold says that a publication that is taken has its names still, until drop.
func (p *published) hold(pub *publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.busy[pub.first], p.mu.busy[pub.second] = pub, pub
}

func (p *published) drop(pub *publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropLocked(pub)
}

func (p *published) dropLocked(pub *publication) {
	delete(p.mu.busy, pub.first)
	delete(p.mu.busy, pub.second)
}

// take takes a publication that which chooses over, with all that it holds, or returns nil.
func (p *published) take(which func(*publication) bool) *publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pub := range p.mu.by {
		if which(pub) {
			delete(p.mu.by, pub.first)
			delete(p.mu.by, pub.second)
			p.mu.busy[pub.first], p.mu.busy[pub.second] = pub, pub
			pub.timer.Stop()
			return pub
		}
	}
	return nil
}

// keepPublication lets a publication wait for what happens next.
func (v *Volume) keepPublication(pub *publication) {
	v.published.mu.Lock()
	defer v.published.mu.Unlock()
	v.published.dropLocked(pub)
	pub.wait = min(max(publishFor, 2*pub.wait), retryMax)
	v.published.mu.by[pub.first], v.published.mu.by[pub.second] = pub, pub
	pub.timer = time.AfterFunc(pub.wait, func() {
		v.published.start(func() {
			err := v.settle(context.Background(), func(p *publication) bool { return p == pub })
			if err != nil {
				v.log.Warn("a hard link is still a copy", "path", pub.at, "error", err)
			}
		})
	})
}

// mayPublish reports whether a file that gets a second name is likely to lose the one that it has: a temporary one, which
// nobody else uses. With a journal it is not one that is being written: what is written goes to the journal at once, whatever
// the service does, and of a publication only the service can make a file again whose states have a path to be journaled with.
func (v *Volume) mayPublish(n *Inode) bool {
	home, err := n.path()
	if v.opt.Journal != nil && n.isWritten() {
		return false
	}
	v.published.mu.Lock()
	defer v.published.mu.Unlock()
	return err == nil && temporary(home) && len(v.published.mu.by) < 2*publications
}

// isWritten reports whether somebody has n open to write to it, and is not about to end that: the kernel tells of the end of a
// handle some time after close(2).
func (n *Inode) isWritten() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.writers > n.mu.flushed
}

// temporary reports whether a path looks like that of a file on its way to another name, as tmp_obj_Xy of git, or tmp/1.host
// of a Maildir.
func temporary(at string) bool {
	dir, name := path.Split(at)
	name = strings.TrimPrefix(name, ".")
	return strings.HasPrefix(name, "tmp") || strings.HasSuffix(name, ".tmp") || path.Base(dir) == "tmp"
}

// publish gives a file a second name that is a copy; unlock is what the caller has locked for it. done says that it was
// taken over; else the link is to be made as any other.
func (v *Volume) publish(ctx context.Context, n *Inode, second place, at string, unlock func()) (done bool, err error) {
	home, err := v.linkable(ctx, n, second, at)
	if err != nil {
		return false, err
	}
	still, err := v.commitStill(ctx, n)
	if err != nil {
		return false, err
	}
	o, err := v.current(ctx, n)
	if err != nil || !o.sys || o.view || o.attr.Links > 0 || v.isPointer(o) || o.info.Size > v.publishAtMost() || v.keys.Synthetic(home) {
		still()
		return false, err
	}
	began := v.names.Begin()
	copied, err := v.copyForSecond(ctx, at, o)
	if err != nil {
		still()
		return false, v.notPublished(ctx, home, at, err)
	}
	v.show(&publication{
		n: n, second: second, home: home, at: at, copied: copied, since: began, unlock: func() { still(); unlock() },
	})
	return true, nil
}

// show gives the file of a publication its second name here, and waits for what happens next.
func (v *Volume) show(pub *publication) {
	n := pub.n
	parent, name := v.table.Parent(n.node)
	pub.first = place{parent.Value(), name}
	n.mu.Lock()
	n.mu.twice, n.mu.renamed = true, v.opt.Now()
	n.mu.Unlock()
	v.table.Link(n.node, pub.second.dir.node, pub.second.name)
	if pub.later != nil {
		v.published.unheard(pub)
	} else {
		v.present(pub.at, pub.copied, pub.since)
	}
	pub.second.dir.touch()
	v.keepPublication(pub)
}

// publishAtMost is the size up to which a second name may be a copy.
func (v *Volume) publishAtMost() int64 {
	if v.caps.RenamePrefix { // pail's own
		return publishShared
	}
	return publishAtMost
}

// copyForSecond makes the copy, where nothing may be yet. Not every service heeds that in a copy; a PUT does.
func (v *Volume) copyForSecond(ctx context.Context, at string, o object) (object, error) {
	c := o
	c.attr.Ctime = v.opt.Now()
	opt := s3client.CopyOptions{
		Replace: true, Meta: attr.Encode(c.attr, o.info.Meta), System: o.info.System,
		SrcIfMatch: o.info.ETag, IfNoneMatch: true,
	}
	copyTo := v.copyThroughHere
	if v.caps.RenamePrefix { // pail's own
		copyTo = v.copyObject
	}
	info, err := copyTo(ctx, v.keys.File(at), o.info, opt)
	info.Key, info.Size, info.Meta, info.System = v.keys.File(at), o.info.Size, opt.Meta, opt.System
	c.info, c.at = info, v.opt.Now()
	return c, err
}

// notPublished says why there is no copy.
func (v *Volume) notPublished(ctx context.Context, home, at string, err error) error {
	v.names.Forget(at)
	if !errors.Is(err, s3client.ErrPrecondition) && !notFound(err) {
		return err
	}
	if there, _ := v.headMaybe(ctx, v.keys.File(at)); there != nil {
		return errors.Join(ErrExist, err)
	}
	v.names.Forget(home)
	return errors.Join(errAgain, err)
}

// unpublish removes one of the two names. It reports false if it has made a hard link of the other instead.
func (v *Volume) unpublish(ctx context.Context, pub *publication, name place) (done bool, err error) {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	v.published.drop(pub) // what is found from now on may be the next file of that name
	switch {
	case pub.pointer != nil: // almost a hard link
	case pub.later != nil:
		done, err = v.unpublishLater(ctx, pub, name)
	case name == pub.first:
		done, err = true, v.removeFirst(ctx, pub)
	default:
		done, err = true, v.removeSecond(ctx, pub)
	}
	switch {
	case err != nil:
		v.keepPublication(pub)
		return false, err
	case done:
		v.endPublication(pub)
		return true, nil
	}
	if err := v.settleOne(ctx, pub); err != nil {
		return false, err
	}
	if pub.pointer == nil { // another client has made one of the names
		return false, errAgain
	}
	return false, nil
}

// removeFirst makes the copy the file.
func (v *Volume) removeFirst(ctx context.Context, pub *publication) error {
	n := pub.n
	if err := v.ensureMarker(ctx, pub.first.dir); err != nil {
		return err
	}
	defer v.moving(n)()
	began := v.names.Begin()
	late := v.deleteVersions(ctx, v.removedVersion(n, pub.home, v.keys.File(pub.home), whatever))
	if removalFailed(late) {
		v.names.Forget(pub.home)
		return late
	}
	n.mu.Lock()
	n.mu.twice = false
	n.mu.stamp, n.mu.renamed = v.names.Begin(), v.opt.Now()
	n.mu.Unlock()
	v.table.Promote(n.node, pub.second.dir.node, pub.second.name)
	v.rebase(n, pub.at, pub.copied, unchanged, pub.since)
	v.vacated(pub.first, pub.home, nil, began)
	return v.overtaken(pub.home, late)
}

func (v *Volume) removeSecond(ctx context.Context, pub *publication) error {
	if err := v.ensureMarker(ctx, pub.second.dir); err != nil {
		return err
	}
	began := v.names.Begin()
	what := s3client.Version{Key: v.keys.File(pub.at), Any: whatever}
	if pub.later == nil { // else an attempt to send it may be without an answer
		what.ETag = pub.copied.info.ETag
	}
	late := v.deleteVersions(ctx, what)
	if removalFailed(late) {
		v.names.Forget(pub.at)
		return late
	}
	v.loseSecond(pub)
	v.vacated(pub.second, pub.at, nil, began)
	return v.overtaken(pub.at, late)
}

// loseSecond parts a file from its second name.
func (v *Volume) loseSecond(pub *publication) {
	pub.n.mu.Lock()
	pub.n.mu.twice, pub.n.mu.renamed = false, v.opt.Now()
	pub.n.mu.Unlock()
	v.table.Unlink(pub.second.dir.node, pub.second.name)
}

// settle makes hard links of the publications that which chooses. One that fails goes on waiting.
func (v *Volume) settle(ctx context.Context, which func(*publication) bool) error {
	for {
		pub := v.published.take(which)
		if pub == nil {
			return nil
		}
		if err := v.settleOne(ctx, pub); err != nil {
			return err
		}
	}
}

func (v *Volume) settleOne(ctx context.Context, pub *publication) error {
	ctx, cancel := v.detached(ctx, 0)
	defer cancel()
	v.published.hold(pub)
	switch err := v.sendLater(ctx, pub); {
	case errors.Is(err, ErrStale) && pub.later.sent:
		v.part(pub)
		return nil
	case err != nil:
		v.keepPublication(pub)
		return err
	}
	if pub.pointer == nil {
		ptr, err := v.share(ctx, pub.n, pub.home, pub.at)
		switch {
		case errors.Is(err, errAgain) || errors.Is(err, ErrStale) || errors.Is(err, ErrNotExist):
			v.part(pub)
			return nil
		case err != nil:
			v.keepPublication(pub)
			return err
		}
		pub.pointer = &ptr
		pub.n.mu.Lock()
		pub.n.mu.twice = false
		pub.n.mu.Unlock()
	}
	return v.pointSecond(ctx, pub)
}

// pointSecond makes a pointer of the copy.
func (v *Volume) pointSecond(ctx context.Context, pub *publication) error {
	key := v.keys.File(pub.at)
	o, err := v.current(ctx, pub.n)
	var name object
	if err == nil {
		name, err = v.putPointer(ctx, key, *pub.pointer, o, s3client.PutOptions{IfMatch: pub.copied.info.ETag})
	}
	if err == nil {
		v.present(pub.at, name, tree.Stamp{})
		v.endPublication(pub)
		return nil
	}
	v.names.Forget(pub.at)
	switch {
	case refused(err):
		v.part(pub)
		v.dropName(ctx, *pub.pointer, key)
		return nil
	case errors.Is(err, ErrStale) || errors.Is(err, ErrNotExist): // another client has removed the file
		v.part(pub)
		return err
	}
	v.keepPublication(pub)
	return err
}

// part gives up a publication whose names another client has made two files of.
func (v *Volume) part(pub *publication) {
	v.log.Warn("another client has changed a file that was just linked; its names are two files now", "path", pub.at)
	v.loseSecond(pub)
	v.endPublication(pub)
}

// endPublication gives back what a publication holds.
func (v *Volume) endPublication(pub *publication) {
	v.published.drop(pub)
	pub.unlock()
}

// settlePaths makes hard links of the publications at or below paths.
func (v *Volume) settlePaths(ctx context.Context, paths ...string) error {
	return v.settle(ctx, func(pub *publication) bool {
		for _, path := range paths {
			for _, name := range []string{pub.home, pub.at} {
				if name == path || below(name, path) {
					return true
				}
			}
		}
		return false
	})
}

// settleInode makes a hard link of the publication of a file.
func (v *Volume) settleInode(ctx context.Context, n *Inode) error {
	return v.settle(ctx, func(pub *publication) bool { return pub.n == n })
}

// endPublications leaves none. Of those that cannot be made hard links before ctx ends, the names are two files; where the
// service has not heard of the second, it is still to be sent. The error tells of those that nobody is going to send.
func (v *Volume) endPublications(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		err := v.settle(ctx, anyPublication)
		v.published.end()
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		v.log.Warn("names of one file are two files now", "error", err)
	}
	var errs []error
	for pub := v.published.take(anyPublication); pub != nil; pub = v.published.take(anyPublication) {
		errs = append(errs, v.partLater(ctx, pub))
		v.endPublication(pub)
	}
	return errors.Join(errs...)
}

func anyPublication(*publication) bool { return true }
