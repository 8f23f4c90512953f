package store

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"pail/server/internal/blob"
)

// reclaim removes the files of blobs, but not while somebody may need them:
//
//   - a blob that nothing refers to any more stays while an ObjectReader that was opened before may still read it;
//   - a blob that nothing refers to yet, because its transaction is still to come, is not taken for an orphan.
//
// Both are known in memory only. After a crash there are no readers and no writers, and all that no row refers to is an
// orphan. Where several Stores share the blobs, members.go and sweep.go do the same among them: a blob that is free here is
// held until it is free everywhere.
type reclaim struct {
	blobs  blob.Store
	log    *slog.Logger
	shared bool
	isDue  chan struct{} // has room for one

	mu struct {
		sync.Mutex
		due     []blob.ID // to be removed, where the blobs are shared
		beat    uint64    // of members, which readers that begin are marked with
		freed   []blob.ID // since that, where the blobs are shared
		readers map[*ObjectReader]struct{}
		waiting []blob.ID            // to be removed when no reader uses them
		young   map[blob.ID]struct{} // made, and not settled yet
	}
}

func newReclaim(blobs blob.Store, log *slog.Logger, shared bool) *reclaim {
	r := &reclaim{blobs: blobs, log: log, shared: shared, isDue: make(chan struct{}, 1)}
	r.mu.readers = make(map[*ObjectReader]struct{})
	r.mu.young = make(map[blob.ID]struct{})
	return r
}

// expect protects a blob that is being made, until settle.
func (r *reclaim) expect(id blob.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.young[id] = struct{}{}
}

// settle ends the protection of expect: the blob is referred to, or removed, or left to the next start.
func (r *reclaim) settle(ids []blob.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		delete(r.mu.young, id)
	}
}

func (r *reclaim) isYoung(id blob.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.mu.young[id]
	return ok
}

// begin registers a reader, before it looks up what it will read. Until located, it may be after any blob.
func (r *reclaim) begin(o *ObjectReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.beat = r.mu.beat
	r.mu.readers[o] = struct{}{}
}

// beat begins a new beat, and tells since when there are readers. It gives the blobs that were freed before.
func (r *reclaim) beat(n uint64) (row memberRow, freed []blob.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.beat = n
	row = memberRow{beat: n, oldest: n}
	for o := range r.mu.readers {
		row.oldest = min(row.oldest, o.beat)
	}
	freed, r.mu.freed = r.mu.freed, nil
	return row, freed
}

// located tells that the reader knows its extents now.
func (r *reclaim) located(o *ObjectReader) {
	r.mu.Lock()
	o.located = true
	r.mu.Unlock()
	r.free(nil)
}

// end removes a reader, and the blobs that waited for it.
func (r *reclaim) end(o *ObjectReader) {
	r.mu.Lock()
	delete(r.mu.readers, o)
	r.mu.Unlock()
	r.free(nil)
}

// free removes blobs, and those that waited, as far as nobody reads them.
func (r *reclaim) free(ids []blob.ID) {
	r.mu.Lock()
	if len(ids) == 0 && len(r.mu.waiting) == 0 {
		r.mu.Unlock()
		return
	}
	var remove []blob.ID
	ids = append(slices.Clone(ids), r.mu.waiting...)
	r.mu.waiting = nil
	for _, id := range ids {
		if r.usedLocked(id) {
			r.mu.waiting = append(r.mu.waiting, id)
		} else {
			remove = append(remove, id)
		}
	}
	if r.shared {
		r.mu.freed = append(r.mu.freed, remove...)
		remove = nil
	}
	r.mu.Unlock()
	r.remove(remove)
}

// due has the files of blobs removed by removeDue.
func (r *reclaim) due(ids []blob.ID) {
	if len(ids) == 0 {
		return
	}
	r.mu.Lock()
	r.mu.due = append(r.mu.due, ids...)
	r.mu.Unlock()
	select {
	case r.isDue <- struct{}{}:
	default:
	}
}

// removeDue leaves to the sweep what it has not removed when ctx ends.
func (r *reclaim) removeDue(ctx context.Context) {
	r.mu.Lock()
	ids := r.mu.due
	r.mu.due = nil
	r.mu.Unlock()
	for ; len(ids) > 0 && ctx.Err() == nil; ids = ids[1:] {
		r.remove(ids[:1])
	}
}

// remove removes the files of blobs that nobody needs.
func (r *reclaim) remove(ids []blob.ID) {
	for _, id := range ids {
		// The request that freed the blob has succeeded whatever happens here, and must not be cut short.
		if err := r.blobs.Remove(context.Background(), id); err != nil {
			r.log.Error("store: cannot remove a blob; the next start will try again", "blob", id.String(), "err", err)
		}
	}
}

func (r *reclaim) usedLocked(id blob.ID) bool {
	for o := range r.mu.readers {
		if o.usesLocked(id) {
			return true
		}
	}
	return false
}
