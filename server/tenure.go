package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/lifecycle"
	"pail/server/internal/meta"
	"pail/server/internal/meta/pebbledb"
	"pail/server/internal/owner"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// tenure is what a server has while it owns its directories: from when it takes them over until it ends, or until
// another has taken them over.
type tenure struct {
	epoch    *owner.Epoch // nil where the metadata is in a database that several servers share
	dataLock *os.File
	dbLock   interface{ Close() error } // of a database as earlier versions kept it
	db       meta.DB
	blobs    blob.Store
	keys     *sse.Keys
	store    *store.Store

	handler    http.Handler
	websites   http.Handler
	ctx        context.Context // of background work
	stop       context.CancelFunc
	background sync.WaitGroup
	running    sync.RWMutex // held shared by each request, and whole from the tenure's end on
}

// take makes this server the owner of its directories, or fails; errors.Is ErrInUse when another one is.
func (s *Server) take() (*tenure, error) {
	t := &tenure{}
	var err error
	t.epoch, err = s.dir.Take(func(formerLives bool) error { return t.agree(s.opt, formerLives) })
	if err != nil {
		err = errors.Join(err, t.close())
		if errors.Is(err, owner.ErrHeld) || errors.Is(err, meta.ErrLocked) {
			return nil, fmt.Errorf("metadata directory %s, data directory %s: %w: %w", s.opt.MetadataDir, s.opt.DataDir, ErrInUse, err)
		}
		return nil, err
	}
	if err = t.checkOldLayout(s.opt); err == nil {
		err = t.openDB(s.opt)
	}
	if err == nil {
		err = t.openBlobs(s.opt)
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// agree looks whether the directories can be had and belong together, before they are claimed. The lock of the data
// directory is for those who come with other metadata; a former owner that was superseded may hold it still.
func (t *tenure) agree(opt Options, formerLives bool) (err error) {
	if t.dataLock, err = lockDir(opt.DataDir); err != nil && !(formerLives && errors.Is(err, ErrInUse)) {
		return err
	}
	if err := pairDirs(opt.MetadataDir, opt.DataDir); err != nil {
		return err
	}
	old := filepath.Join(opt.MetadataDir, dbDir)
	if missing(old) {
		return nil
	}
	t.dbLock, err = pebbledb.Lock(old)
	return err
}

// cloneTries bounds how often the database of a former owner that still works on it is cloned.
const cloneTries = 5

// openDB opens the database of the epoch, made of what the last owner left.
func (t *tenure) openDB(opt Options) (err error) {
	tries := 1
	if t.epoch.FormerLives {
		tries = cloneTries
	}
	for ; tries > 0; tries-- {
		if err = t.cloneDB(opt); err == nil {
			return nil
		}
		if tries > 1 {
			if err := emptyDir(t.epoch.Dir()); err != nil {
				return err
			}
		}
	}
	from := t.epoch.Base()
	if from == "" {
		from = t.epoch.Dir()
	}
	return fmt.Errorf("opening the metadata in %s: %w", from, err)
}

// emptyDir keeps the directory itself, whose name is durable.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

func (t *tenure) cloneDB(opt Options) error {
	if base := t.epoch.Base(); base != "" {
		if err := pebbledb.Clone(nil, base, t.epoch.Dir()); err != nil {
			return err
		}
	}
	db, err := pebbledb.Open(t.epoch.Dir(), pebbledb.Options{Log: opt.Log, Prove: t.prove})
	if err != nil {
		return err
	}
	t.db = db
	return nil
}

// prove has the database tell of no outcome once another server has taken over.
func (t *tenure) prove() error {
	err := t.epoch.Prove()
	if errors.Is(err, owner.ErrSuperseded) {
		return fmt.Errorf("%w: %w", meta.ErrSuperseded, err)
	}
	return err
}

// openBlobs opens the blobs, if they may be those of the database. It comes before the epoch serves, so that a database
// that does not know them is never what the next owner starts from.
func (t *tenure) openBlobs(opt Options) error {
	blobs, err := blob.Open(opt.DataDir, blob.Options{})
	if err != nil {
		return fmt.Errorf("opening the data directory %s: %w", opt.DataDir, err)
	}
	t.blobs = blobs
	err = store.Fits(context.Background(), t.db, blobs)
	if errors.Is(err, store.ErrNotItsBlobs) {
		metadata := "metadata directory " + opt.MetadataDir
		if opt.Database != "" {
			metadata = "the PostgreSQL database"
		}
		return fmt.Errorf("data directory %s holds objects and %s nothing (%w): put back the metadata that was used with it, or give two new ones", opt.DataDir, metadata, err)
	}
	return err
}

// openStore opens the store over the database.
func (t *tenure) openStore(opt Options, with store.Options) (err error) {
	with.DB, with.Blobs, with.Log, with.Now = t.db, t.blobs, opt.Log, opt.Now
	if t.keys, err = opt.openKeys(); err != nil {
		return err
	}
	if with.Shared {
		t.keys.Master.Share(func(name string, has func(string) bool) (string, error) {
			return store.ClaimMasterKey(context.Background(), t.db, name, has)
		})
	}
	with.Keys = t.keys
	s, err := store.Open(context.Background(), with)
	if err != nil {
		return fmt.Errorf("opening the store in %s: %w", opt.MetadataDir, err)
	}
	t.store = s
	return nil
}

// serve makes the epoch the one that lasts, and begins to work.
func (t *tenure) serve(s *Server) error {
	if err := s.opt.requireKeys(); err != nil {
		return err
	}
	if err := t.lockOutOldVersions(s.opt); err != nil {
		return err
	}
	if err := t.epoch.Serve(); err != nil {
		return err
	}
	if err := t.retireOldLayout(s.opt); err != nil {
		return err
	}
	if err := t.openStore(s.opt, store.Options{AccountQuota: accountQuota(s.opt.Keys)}); err != nil {
		return err
	}
	t.work(s)
	t.background.Go(func() { t.sweepEpochs(t.ctx, s.opt) })
	return nil
}

// work makes the handlers, and begins the work in the background.
func (t *tenure) work(s *Server) {
	api := s.api(t)
	t.handler, t.websites = api, api.Websites()
	t.ctx, t.stop = context.WithCancel(context.Background())
	scanner := lifecycle.NewScanner(lifecycle.Options{Store: t.store, Now: s.opt.Now, Day: s.opt.LifecycleDay, Log: s.opt.Log})
	t.background.Go(func() { scanner.Run(t.ctx) })
	t.background.Go(func() { api.DeliverLogs(t.ctx) })
}

// lost is closed when another server has taken over; nil where there is no owner.
func (t *tenure) lost() <-chan struct{} {
	if t.epoch == nil {
		return nil
	}
	return t.epoch.Lost()
}

// sweepInterval is the time between two looks for what former owners have left that may go.
const sweepInterval = time.Minute

func (t *tenure) sweepEpochs(ctx context.Context, opt Options) {
	for {
		left, err := t.epoch.Sweep()
		if err != nil && !errors.Is(err, owner.ErrSuperseded) {
			opt.Log.Error("what former owners have left cannot be removed", "dir", opt.MetadataDir, "err", err)
		}
		if left == 0 && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepInterval):
		}
	}
}

// end waits for the requests under way and closes everything.
func (t *tenure) end() error {
	if t.store != nil {
		t.store.EndListeners()
	}
	t.running.Lock() // and never given back: who still comes finds the tenure over
	return t.close()
}

func (t *tenure) close() error {
	var errs []error
	if t.stop != nil {
		t.stop()
		t.background.Wait()
	}
	if t.store != nil {
		errs = append(errs, t.store.Close())
	}
	if t.db != nil {
		errs = append(errs, t.db.Close())
	}
	if t.dbLock != nil {
		errs = append(errs, t.dbLock.Close())
	}
	if t.dataLock != nil {
		errs = append(errs, t.dataLock.Close())
	}
	if t.epoch != nil { // last: whoever waits takes over at once
		errs = append(errs, t.epoch.Close())
	}
	return errors.Join(errs...)
}
