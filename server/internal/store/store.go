package store

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/lease"
	"pail/server/internal/meta"
	"pail/server/internal/seal"
	"pail/server/internal/sse"
)

// Options of a Store. DB and Blobs are required, and belong to the caller.
type Options struct {
	DB          meta.DB
	Blobs       blob.Store
	Keys        *sse.Keys        // nil: there are none, so that nothing can be encrypted or decrypted
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: discarded
	InlineLimit int64            // objects up to this size live in the metadata; 0: 64 KiB, negative: none does
	NoSweep     bool             // leave the blobs of a crash where they are, to look at the store only

	// Shared means that other processes have Stores on the same DB, which is a meta.Messenger, and the same Blobs.
	Shared bool

	LeaseBound time.Duration // that the recall of a lease waits; 0: lease.Bound

	// AccountQuota tells how many bytes an owner of buckets may hold in all of them; 0: as many as there is room for. It is
	// called within transactions, concurrently. nil: there are no such quotas.
	AccountQuota func(owner string) int64
}

const defaultInlineLimit = 64 << 10

// Store is the S3 object store. All methods are safe for concurrent use.
type Store struct {
	db          meta.DB
	blobs       blob.Store
	keys        *sse.Keys
	now         func() time.Time
	log         *slog.Logger
	inlineLimit int64
	minPart     int64 // of all parts but the last
	patch       patchLimits

	accountQuota func(owner string) int64

	reclaim *reclaim
	buffers *blob.Buffers // for bodies that stream
	inline  *blob.Buffers // for records of inline bytes
	opening *blob.Buffers // for decryption

	manifests *manifestCache

	leases  *lease.Registry // nil with shared
	configs atomic.Uint64   // counts changes of configurations
	hub     hub

	shared  bool
	members members
	leads   atomic.Bool
	alive   atomic.Int64

	suspects, suspected map[blob.ID]struct{} // orphans of the last sweep and of this one; of the goroutine that sweeps

	stop       context.CancelFunc
	background sync.WaitGroup
}

// Open opens the store and removes, in the background, the blobs that a crash left behind, unless NoSweep is set.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.DB == nil || opt.Blobs == nil {
		return nil, errors.New("store: Options without DB or Blobs")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.InlineLimit == 0 {
		opt.InlineLimit = defaultInlineLimit
	}
	opt.InlineLimit = max(opt.InlineLimit, 0)
	if opt.Keys == nil {
		opt.Keys = new(sse.Keys)
	}
	s := &Store{
		db: opt.DB, blobs: opt.Blobs, keys: opt.Keys, now: opt.Now, log: opt.Log, inlineLimit: opt.InlineLimit, minPart: MinPartSize,
		patch:        patchLimits{cell: patchCell, pieces: patchPieces, spend: patchSpend},
		accountQuota: opt.AccountQuota,
		reclaim:      newReclaim(opt.Blobs, opt.Log, opt.Shared),
		manifests:    newManifestCache(manifestMemory),
		buffers:      blob.NewBuffers(16, streamBuffer),
		inline:       blob.NewBuffers(32, recordRoom(opt.InlineLimit)),
		opening:      blob.NewBuffers(32, seal.ReaderBuffer),
	}
	if !opt.Shared {
		s.leases = lease.New(opt.LeaseBound)
		if err := s.restoreLeases(ctx); err != nil {
			return nil, err
		}
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if opt.Shared && !opt.NoSweep {
		return s, s.join(ctx, sweeping)
	}
	if !opt.NoSweep {
		s.background.Go(func() { s.sweep(sweeping) })
	}
	return s, nil
}

// join makes this Store one of several. It is a member before its first reader begins.
func (s *Store) join(ctx, running context.Context) error {
	s.shared, s.hub.mu.down = true, true
	s.members = members{id: s.newID(), others: map[meta.ID]*member{}}
	err := s.enter(ctx, beatInterval)
	if err == nil {
		err = s.beat(ctx)
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	s.background.Go(func() { s.keepMember(running) })
	s.background.Go(func() { s.keepRemoved(running) })
	s.background.Go(func() { s.keepSwept(running) })
	s.background.Go(func() { s.receive(running) })
	return nil
}

// Close waits for background work. It closes neither DB nor Blobs. It may be called twice.
func (s *Store) Close() error {
	s.stop()
	s.background.Wait()
	if s.shared {
		return s.leave(context.Background())
	}
	return nil
}

// newID makes an ID for a row.
func (s *Store) newID() meta.ID { return meta.ID(blob.NewID(s.now())) }

// uploadText gives the ID of an upload as clients see it.
func uploadText(id meta.ID) string { return hex.EncodeToString(id[:]) }

// parseUpload reads the ID of an upload; what is none is the ID of no upload.
func parseUpload(text string) (meta.ID, error) {
	id, ok := blob.ParseID(text)
	if !ok {
		return meta.ID{}, ErrNoSuchUpload
	}
	return meta.ID(id), nil
}
