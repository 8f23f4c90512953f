package volume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pail/fs/attr"
	"pail/fs/keymap"
	"pail/fs/lease"
	"pail/fs/tree"
	"pail/fs/upload"
	"pail/s3client"
)

// Volume is a bucket prefix as a POSIX filesystem. It is safe for concurrent use.
type Volume struct {
	opt    Options
	client s3client.Client
	upload *upload.Uploader
	caps   s3client.Capabilities
	keys   keymap.Map
	log    *slog.Logger

	started time.Time // what directories without attributes show as their time

	table *tree.Table[Inode]
	names names
	paths *pathLocks

	glances  *glances
	walks    *walks
	flats    *flats
	retries  *retries
	sender   sender
	removals removals
	markings chan struct{} // takes one for each marker that is being made and nobody waits for
	late     lateTimes
	asides   asides
	kept     kept
	leases   *lease.Keeper // nil: there are none
	wants    jobs          // that ask for leases which nobody waits for

	published published
	back      goingBack
	returned  returned
	drops     drops

	mu struct {
		sync.Mutex
		open   map[*Inode]struct{} // inodes with content: open, or not stored yet
		moving map[*Inode]struct{} // files and directories whose rename is on its way
		coming map[string]struct{} // the paths that they are going to have
		moved  tree.Stamp          // of the last rename of a directory, which changes the paths of many inodes
		closed bool

		conflicts []string // of Status

		listed  map[string]time.Time  // directories that are listed for a lease not before
		learned map[string]tree.Stamp // since when there is the lease on a prefix of which all that is below was asked for
	}
}

// New returns a volume. It asks nothing of the service, but for what the journal has: that is sent in the background, and
// there for this mount at once.
func New(opt Options) (*Volume, error) {
	if opt.Client == nil || opt.Stage == nil || opt.Readahead == nil {
		return nil, fmt.Errorf("%w: a volume needs Client, Stage and Readahead", ErrInvalid)
	}
	opt = opt.withDefaults()
	v := &Volume{
		opt: opt, caps: opt.Caps, keys: opt.Keys, log: opt.Log,
		started: opt.Now(),
		names: names{tree.NewCache[packed](tree.CacheOptions[packed]{
			MaxEntries: opt.MaxEntries, TTL: opt.TTL, NegativeTTL: opt.NegativeTTL, Now: opt.Now, Children: sureNames, Yields: yieldsToDir,
		})},
		glances: newGlances(), walks: newWalks(), flats: newFlats(), retries: newRetries(),
	}
	v.removals.init(v.sendBatch)
	v.markings = make(chan struct{}, max(opt.Parallel/2, 1))
	v.paths = newPathLocks(v.removals.hurry)
	v.mu.open = map[*Inode]struct{}{}
	v.mu.listed = map[string]time.Time{}
	v.mu.learned = map[string]tree.Stamp{}
	v.connect()
	v.mu.moving, v.mu.coming = map[*Inode]struct{}{}, map[string]struct{}{}
	v.late.mu.dirs = map[*Inode]struct{}{}
	v.sender.init(v.opt.Parallel, v.sendDue)
	v.wants.init()
	v.asides.init()
	v.kept.init()
	v.published.init()
	v.back.init()
	v.returned.init()
	v.drops.init()
	v.table = tree.NewTable(v.makeInode(attr.Dir))
	if err := v.replay(context.Background()); err != nil {
		return nil, err
	}
	for _, n := range v.openInodes() {
		v.storeLater(n)
	}
	return v, nil
}

// connect makes the clients that all requests of the volume go through.
func (v *Volume) connect() {
	if v.leases = v.newLeases(); v.leases != nil {
		v.opt.Client = v.leases.Client(v.opt.Client)
	}
	v.client = watchful{v.opt.Client, &v.removals}
	up := v.opt.Upload
	up.Client = v.opt.Client
	v.upload = upload.New(up)
}

// Root returns the root directory.
func (v *Volume) Root() *Inode { return v.table.Root().Value() }

// Forget says that the adapter has dropped what it held for n. An inode lives as long as anything refers to it, so this
// only lets the table of inodes shrink in time.
func (v *Volume) Forget(*Inode) { v.table.Released() }

// Statfs returns the size of the filesystem. A bucket has no end; programs get one that is never 0.
func (v *Volume) Statfs(context.Context) Statfs {
	const files = 1 << 40
	size := v.opt.BucketSize
	return Statfs{
		Size: size, Free: size, Available: size,
		Files: files, FilesFree: files,
		BlockSize: 4096, NameLen: keymap.MaxName,
	}
}

// Close stores everything that is not stored yet, until ctx ends. The error joins one for every file that could not be,
// with its path; their data stays, and Close may be called again. It tells of removals that have failed, if nobody has heard.
// With a journal, it gives up when the service takes nothing, and the error says what the journal keeps for the next volume.
// Afterwards the volume takes no more changes.
func (v *Volume) Close(ctx context.Context) error {
	v.mu.Lock()
	v.mu.closed = true
	v.mu.Unlock()
	left := v.endPublications(ctx)
	v.endDrops(ctx)
	v.glances.end()
	v.flats.end()
	v.logClose(v.Root(), v.walks.end())
	v.asides.end()
	err := errors.Join(left, v.closeFiles(ctx))
	v.wants.end()
	if v.leases != nil {
		v.leases.Close()
	}
	if settleErr := v.removals.settle(ctx, all); settleErr != nil {
		err = errors.Join(err, fmt.Errorf("wait for the removals that are on their way: %w", settleErr))
	}
	err = errors.Join(err, v.removals.tell())
	v.dropStreams()
	if settleErr := v.upload.Settle(ctx); settleErr != nil {
		v.log.Warn("multipart uploads are left behind; 'pail -u' lists and removes such", "error", settleErr)
	}
	return err
}

// closeFiles stores files, or leaves them to the journal.
func (v *Volume) closeFiles(ctx context.Context) error {
	if v.opt.Journal != nil {
		return v.closeJournaled(ctx)
	}
	if err := v.retries.end(ctx); err != nil {
		return fmt.Errorf("wait for the upload that is on its way: %w", err)
	}
	err := v.storeOpen(ctx, (*Inode).closeContent)
	if err == nil {
		v.storeAllTimes(ctx)
	}
	return err
}

// moving says that files and directories are being renamed, until done: what the service says of their paths meanwhile,
// and of all below, tells nothing about the inodes that have them.
func (v *Volume) moving(nodes ...*Inode) (done func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range nodes {
		v.mu.moving[n] = struct{}{}
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, n := range nodes {
			delete(v.mu.moving, n)
		}
	}
}

// arriving says that something is being renamed to a path, until done: what the service shows there before the end is no
// other file or directory, so no other inode may be made for it.
func (v *Volume) arriving(path string) (done func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.coming[path] = struct{}{}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.mu.coming, path)
	}
}

// isArrivingAt reports whether something is being renamed to a path.
func (v *Volume) isArrivingAt(path string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, ok := v.mu.coming[path]
	return ok
}

// isArriving reports whether something is being renamed to a path or to one above.
func (v *Volume) isArriving(path string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for to := range v.mu.coming {
		if path == to || below(path, to) {
			return true
		}
	}
	return false
}

// isMoving reports whether a rename of n or of a directory above is on its way.
func (v *Volume) isMoving(n *Inode) bool {
	v.mu.Lock()
	nodes := make([]*Inode, 0, len(v.mu.moving))
	for node := range v.mu.moving {
		nodes = append(nodes, node)
	}
	v.mu.Unlock()
	return slices.ContainsFunc(nodes, func(node *Inode) bool { return v.table.Within(n.node, node.node) })
}

// dirMoved says that answers from before concern other inodes than they seem to.
func (v *Volume) dirMoved() {
	s := v.names.Begin()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.moved = s
}

// openInodes returns the inodes that have content.
func (v *Volume) openInodes() []*Inode {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]*Inode, 0, len(v.mu.open))
	for n := range v.mu.open {
		list = append(list, n)
	}
	return list
}

// openBelow returns the inodes with content at dir or below it.
func (v *Volume) openBelow(dir *Inode) []*Inode {
	var list []*Inode
	for _, n := range v.openInodes() {
		if v.table.Within(n.node, dir.node) {
			list = append(list, n)
		}
	}
	return list
}

// pendingIn returns the inodes in dir, by name, whose content has never been stored.
func (v *Volume) pendingIn(dir *Inode) map[string]*Inode {
	pending := map[string]*Inode{}
	for _, n := range v.openInodes() {
		if parent, name := v.table.Parent(n.node); parent == dir.node && n.pending() {
			pending[name] = n
		}
	}
	v.published.unheardIn(dir, pending)
	return pending
}

// writable says why nothing can be changed.
func (v *Volume) writable() error {
	if v.opt.ReadOnly {
		return ErrReadOnly
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mu.closed {
		return ErrClosed
	}
	return nil
}

// slowest is the transfer rate that an operation without interruption is given time for, in bytes per second.
const slowest = 64 << 10

// detached returns a context for what must not stop in the middle when the caller gets a signal, with time enough to
// move that many bytes.
func (v *Volume) detached(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), v.limit(bytes))
}

// limit returns the time that such an operation is given.
func (v *Volume) limit(bytes int64) time.Duration {
	return v.opt.MetaTimeout + time.Duration(bytes/slowest)*time.Second
}
