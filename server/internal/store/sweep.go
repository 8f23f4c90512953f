package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// sweep removes the blobs that no row refers to.
func (s *Store) sweep(ctx context.Context) {
	removed := 0
	s.suspects, s.suspected = s.suspected, map[blob.ID]struct{}{}
	err := s.blobs.All(ctx, func(id blob.ID, stat blob.Stat) error {
		orphan, err := s.isOrphan(ctx, id)
		if err != nil || !orphan {
			return err
		}
		if gone, err := s.take(ctx, id, stat); err != nil || !gone {
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
	err := s.view(ctx, func(r meta.Reader) (err error) {
		orphan, err = hasNo(r, meta.BlobKey(meta.ID(id)))
		return err
	})
	return orphan, err
}

func hasNo(r meta.Reader, key []byte) (bool, error) {
	_, err := r.Get(key)
	if errors.Is(err, meta.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// take makes sure that an orphan stays one, and reports whether it may be removed.
func (s *Store) take(ctx context.Context, id blob.ID, stat blob.Stat) (bool, error) {
	if !s.shared {
		return true, nil // the view that found it shows nothing that a power cut could undo
	}
	if s.now().Sub(stat.Modified) < orphanAge {
		return false, nil
	}
	if _, before := s.suspects[id]; !before {
		if len(s.suspected) < maxSuspects {
			s.suspected[id] = struct{}{}
		}
		return false, nil
	}
	return s.entomb(ctx, id)
}

// What is an orphan where several Stores share the blobs cannot be known at once: another one may be about to refer to it.
// So an orphan that was not written to for orphanAge gets a grave, a row, before its file is removed; and who makes a blob
// visible looks, in the same transaction, that it has none. A grave may go when no maker can be left. And one that was freed
// just now may be held for a reader (members.go), so it must have been an orphan at the last sweep too.
const (
	sweepInterval = maxHold
	maxSuspects   = 1 << 20
	orphanAge     = 6 * time.Hour
	maxMaking     = 7 * 24 * time.Hour // from the begin of a blob to its transaction
	graveAge      = 4 * maxMaking
)

// keepSwept sweeps now and then while this Store leads.
func (s *Store) keepSwept(ctx context.Context) {
	every(ctx, sweepInterval, func() {
		if s.Leads() {
			s.sweep(ctx)
			s.clearGraves(ctx)
		}
	})
}

// entomb makes a grave for an orphan.
func (s *Store) entomb(ctx context.Context, id blob.ID) (bool, error) {
	orphan := false
	err := s.db.Update(ctx, func(t meta.Txn) (err error) {
		if orphan, err = hasNo(t, meta.BlobKey(meta.ID(id))); err != nil || !orphan {
			return err
		}
		return save(t, meta.GraveKey(meta.ID(id)), binary.BigEndian.AppendUint64(nil, uint64(s.now().Unix())))
	})
	return orphan && err == nil, storeError(err)
}

// errSwept means that a blob was taken for an orphan while it was being made.
var errSwept = fmt.Errorf("%w: what was written was taken for the rest of a crash, so long did it take", ErrUnavailable)

// claim fails where a new blob may have been removed as an orphan.
func (x *tx) claim(made []blob.ID) error {
	for _, id := range made {
		if x.store.now().Sub(id.Time()) > maxMaking {
			return errSwept
		}
		free, err := hasNo(x, meta.GraveKey(meta.ID(id)))
		if err != nil {
			return err
		}
		if !free {
			return errSwept
		}
	}
	return nil
}

// clearGraves removes the graves of blobs that nobody can be making any more.
func (s *Store) clearGraves(ctx context.Context) {
	var old [][]byte
	err := s.view(ctx, func(r meta.Reader) error {
		it := r.Iter(meta.Graves.Bounds())
		defer it.Close()
		for ok := it.First(); ok && len(old) < 1000; ok = it.Next() {
			made, err := decodeRecord(it.Key(), it.Value(), func(p []byte) (time.Time, error) {
				if len(p) != 8 {
					return time.Time{}, errors.New("no time")
				}
				return time.Unix(int64(binary.BigEndian.Uint64(p)), 0), nil
			})
			if err == nil && s.now().Sub(made) > graveAge {
				old = append(old, append([]byte(nil), it.Key()...))
			}
		}
		return it.Err()
	})
	if err == nil && len(old) > 0 {
		err = s.db.Update(ctx, func(t meta.Txn) error {
			for _, key := range old {
				if err := t.Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("store: old graves stay", "err", err)
	}
}
