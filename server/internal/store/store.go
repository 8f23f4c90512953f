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

	accountQuota func(owner string) int64

	reclaim *reclaim
	buffers *blob.Buffers // for bodies that stream
	inline  *blob.Buffers // for records of inline bytes
	opening *blob.Buffers // for decryption

	manifests *manifestCache

	configs atomic.Uint64 // counts changes of configurations
	hub     hub

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
		accountQuota: opt.AccountQuota,
		reclaim:      newReclaim(opt.Blobs, opt.Log),
		manifests:    newManifestCache(manifestMemory),
		buffers:      blob.NewBuffers(16, streamBuffer),
		inline:       blob.NewBuffers(32, recordRoom(opt.InlineLimit)),
		opening:      blob.NewBuffers(32, seal.ReaderBuffer),
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if !opt.NoSweep {
		s.background.Go(func() { s.sweep(sweeping) })
	}
	return s, nil
}

// Close waits for background work. It closes neither DB nor Blobs. It may be called twice.
func (s *Store) Close() error {
	s.stop()
	s.background.Wait()
	return nil
}

// sweep removes the blobs that no row refers to.
func (s *Store) sweep(ctx context.Context) {
	removed := 0
	err := s.blobs.All(ctx, func(id blob.ID, _ blob.Stat) error {
		orphan, err := s.isOrphan(ctx, id)
		if err != nil || !orphan {
			return err
		}
		if err := s.settled(ctx); err != nil {
			return err
		}
		if err := s.blobs.Remove(ctx, id); err != nil {
			return err
		}
		removed++
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("store: sweep of orphans ended early", "err", err)
	}
	if removed > 0 {
		s.log.Info("store: removed blobs that a crash had left", "count", removed)
	}
}

// isOrphan looks for makers first: a blob whose maker has just settled has its row by then.
func (s *Store) isOrphan(ctx context.Context, id blob.ID) (bool, error) {
	if s.reclaim.isYoung(id) {
		return false, nil
	}
	orphan := false
	err := s.view(ctx, func(r meta.Reader) error {
		_, err := r.Get(meta.BlobKey(meta.ID(id)))
		orphan = errors.Is(err, meta.ErrNotFound)
		if orphan {
			return nil
		}
		return err
	})
	return orphan, err
}

// settled waits until all that a view has seen is durable. A file must not go on the strength of a transaction that a
// power cut may still undo.
func (s *Store) settled(ctx context.Context) error {
	return s.db.Update(ctx, func(meta.Txn) error { return nil })
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
