package store

import (
	"crypto/rand"
	"errors"
	"time"

	"pail/server/internal/meta"
)

// Versioning is what a bucket does with an object that is written anew or deleted.
type Versioning string

// The states of a bucket. One that ever had versions never becomes Unversioned again.
const (
	Unversioned Versioning = ""          // the old object is gone
	Enabled     Versioning = "Enabled"   // it stays, as a version
	Suspended   Versioning = "Suspended" // it stays, unless it is the null version
)

// versionings gives the states their numbers in rows. NB: must not change.
var versionings = [...]Versioning{0: Unversioned, 1: Enabled, 2: Suspended}

// versionRef is a version that was found.
type versionRef struct {
	row *objectRow
	at  []byte // key of its row
}

// noncurrent reports whether the version lies in the table of versions.
func (v versionRef) noncurrent() bool { return meta.Table(v.at[0]) == meta.Versions }

// loadVersion reads the row at a key of either table; there being none is ErrNoSuchVersion.
func loadVersion(r meta.Reader, at []byte) (versionRef, error) {
	row, err := load(r, at, decodeObject)
	return versionRef{row, at}, missing(err, ErrNoSuchVersion)
}

// getVersion finds a version: the current one for "", which may be a delete marker, and is ErrNoSuchKey when there is no
// version at all; else that of the ID, or ErrNoSuchVersion.
func getVersion(r meta.Reader, b bucketRow, key, versionID string) (versionRef, error) {
	switch versionID {
	case "":
		return currentVersion(r, b, key)
	case NullVersion:
		return getNull(r, b, key)
	}
	id, ok := parseVersion(versionID)
	if !ok {
		return versionRef{}, ErrInvalidVersion
	}
	v, err := loadVersion(r, meta.ObjectKey(b.id, key))
	if err == nil && v.row.id == id && !v.row.null {
		return v, nil
	}
	v, other := loadVersion(r, meta.VersionKey(b.id, key, id))
	if other == nil && v.row.null {
		other = ErrNoSuchVersion
	}
	if errors.Is(other, ErrNoSuchVersion) && errors.Is(err, meta.ErrDamaged) {
		return v, err // it may have been the one
	}
	return v, other
}

func currentVersion(r meta.Reader, b bucketRow, key string) (versionRef, error) {
	v, err := loadVersion(r, meta.ObjectKey(b.id, key))
	if !errors.Is(err, ErrNoSuchVersion) {
		return v, err
	}
	if b.versioning == Unversioned {
		return v, ErrNoSuchKey
	}
	v, err = newestNoncurrent(r, b, key)
	return v, missing(err, ErrNoSuchKey)
}

// getNull finds the version that clients know as NullVersion.
func getNull(r meta.Reader, b bucketRow, key string) (versionRef, error) {
	v, err := loadVersion(r, meta.ObjectKey(b.id, key))
	if err == nil && v.row.isNull() {
		return v, nil
	}
	if err != nil && !errors.Is(err, ErrNoSuchVersion) || b.versioning == Unversioned {
		return v, err
	}
	id, err := load(r, meta.NullKey(b.id, key), decodeNull)
	if err != nil {
		return v, missing(err, ErrNoSuchVersion)
	}
	return loadVersion(r, meta.VersionKey(b.id, key, meta.ID(id)))
}

// newestNoncurrent reads the newest of the rows in the table of versions; there being none is meta.ErrNotFound. When the
// object has no current row, this is the current version, and a delete marker.
func newestNoncurrent(r meta.Reader, b bucketRow, key string) (v versionRef, err error) {
	prefix := meta.VersionsOf(b.id, key)
	it := r.Iter(prefix, meta.PrefixEnd(prefix))
	defer it.Close()
	if !it.First() {
		if err := it.Err(); err != nil {
			return v, err
		}
		return v, meta.ErrNotFound
	}
	v.at = append([]byte(nil), it.Key()...)
	v.row, err = decodeRecord(v.at, it.Value(), decodeObject)
	return v, err
}

// nullRow tells which version is the null version.
type nullRow meta.ID

func (n nullRow) encode() []byte {
	var e meta.Encoder
	e.Blob(1, n[:])
	return e.Bytes()
}

func decodeNull(p []byte) (n nullRow, err error) {
	ok := false
	d := meta.NewDecoder(p)
	for d.Next() {
		if d.Tag() == 1 {
			ok = copy(n[:], d.Blob()) == len(n)
		}
	}
	if !ok {
		return n, errors.Join(errRow, d.Err())
	}
	return n, d.Err()
}

// put makes row the current version of key, in place of old, which is the current object or nil. It decides row's version
// and default retention.
func (x *tx) put(b bucketRow, key string, row, old *objectRow) error {
	if err := b.checkLock(&row.extra); err != nil {
		return err
	}
	if old == nil {
		if err := x.creates(b, key); err != nil {
			return err
		}
	}
	x.gain(b, row)
	if b.versioning == Unversioned {
		if err := save(x, meta.ObjectKey(b.id, key), row.encode()); err != nil || old == nil {
			return err
		}
		x.lose(b, old)
		return x.release(old.body)
	}
	b.defaultRetention(&row.extra, x.store.now())
	var err error
	if row.id, err = x.giveWay(b, key, old); err != nil {
		return err
	}
	row.null = b.versioning == Suspended
	return save(x, meta.ObjectKey(b.id, key), row.encode())
}

// putMarker makes a delete marker the current version of key, in place of old, which is the current object or nil.
func (x *tx) putMarker(b bucketRow, key, owner string, old *objectRow) (*objectRow, error) {
	row := &objectRow{marker: true, owner: owner, modified: x.store.now(), null: b.versioning == Suspended}
	var err error
	if row.id, err = x.giveWay(b, key, old); err != nil {
		return nil, err
	}
	if err := x.Delete(meta.ObjectKey(b.id, key)); err != nil {
		return nil, err
	}
	return row, x.saveNoncurrent(b, key, row)
}

// giveWay makes room for a new version, and gives its ID. What the new one replaces is dropped; the current object stays
// as a version otherwise.
func (x *tx) giveWay(b bucketRow, key string, old *objectRow) (id meta.ID, err error) {
	if id, err = x.nextVersion(b, key, old); err != nil {
		return id, err
	}
	whole := old != nil && !old.damaged
	if old != nil && old.damaged {
		x.lose(b, old)
	}
	if b.versioning == Suspended {
		if whole && old.isNull() {
			x.lose(b, old)
			return id, x.release(old.body)
		}
		if err := x.dropNull(b, key); err != nil {
			return id, err
		}
	}
	if whole {
		return id, x.archive(b, key, old, id)
	}
	return id, nil
}

// nextVersion makes an ID that is newer than all of the key. old, if there is any, is the newest yet.
func (x *tx) nextVersion(b bucketRow, key string, old *objectRow) (meta.ID, error) {
	rank := rankOf(x.store.now())
	newest := meta.ID{}
	if old != nil && old.hasID() {
		newest = old.id
	} else if v, err := newestNoncurrent(x, b, key); err == nil {
		newest = v.row.id
	} else if errors.Is(err, meta.ErrDamaged) && v.at != nil {
		_, newest, _ = meta.ParseVersionKey(v.at)
	} else if !errors.Is(err, meta.ErrNotFound) {
		return newest, err
	}
	if newest != (meta.ID{}) {
		rank = max(rank, versionRank(newest)+1)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return newVersion(rank, random), nil
}

func rankOf(t time.Time) uint64 { return uint64(max(t.UnixNano(), 2)) }

// archive moves the current object, which is replaced by the version next, to the table of versions. The caller writes or
// deletes the current row.
func (x *tx) archive(b bucketRow, key string, old *objectRow, next meta.ID) error {
	row := *old
	if !row.hasID() { // it was written before the bucket had versions, and so before all others
		row.id, row.null = newVersion(min(rankOf(row.modified), versionRank(next)-1), [8]byte{}), true
	}
	return x.saveNoncurrent(b, key, &row)
}

func (x *tx) saveNoncurrent(b bucketRow, key string, row *objectRow) error {
	if err := save(x, meta.VersionKey(b.id, key, row.id), row.encode()); err != nil || !row.null {
		return err
	}
	return save(x, meta.NullKey(b.id, key), nullRow(row.id).encode())
}

// dropNull removes the null version from the table of versions.
func (x *tx) dropNull(b bucketRow, key string) error {
	at := meta.NullKey(b.id, key)
	id, err := load(x, at, decodeNull)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := loadVersion(x, meta.VersionKey(b.id, key, meta.ID(id)))
	if err := x.tolerate(missing(err, meta.ErrNotFound)); err != nil {
		return err
	}
	gone := &objectRow{damaged: true}
	if err == nil {
		gone = v.row
		if err := x.release(v.row.body); err != nil {
			return err
		}
	}
	x.lose(b, gone)
	if err := x.Delete(v.at); err != nil {
		return err
	}
	return x.Delete(at)
}

// remove deletes a version. When it was the current one, the newest of the others becomes current.
func (x *tx) remove(b bucketRow, key string, v versionRef) error {
	if err := x.Delete(v.at); err != nil {
		return err
	}
	if v.noncurrent() && v.row.null {
		if err := x.Delete(meta.NullKey(b.id, key)); err != nil {
			return err
		}
	}
	x.lose(b, v.row)
	if err := x.release(v.row.body); err != nil || b.versioning == Unversioned {
		return err
	}
	if v.noncurrent() {
		_, err := x.Get(meta.ObjectKey(b.id, key))
		if !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	return x.promote(b, key)
}

// promote makes the newest version the current object, where there is none, unless it is a delete marker.
func (x *tx) promote(b bucketRow, key string) error {
	v, err := newestNoncurrent(x, b, key)
	if errors.Is(err, meta.ErrNotFound) || err == nil && v.row.marker {
		return nil
	}
	if errors.Is(err, meta.ErrDamaged) {
		x.store.log.Error("store: a damaged version stays where it is", "bucket", uint64(b.id), "key", key, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := x.creates(b, key); err != nil { // it was hidden below a delete marker
		return err
	}
	if err := x.Delete(v.at); err != nil {
		return err
	}
	if v.row.null {
		if err := x.Delete(meta.NullKey(b.id, key)); err != nil {
			return err
		}
	}
	return save(x, meta.ObjectKey(b.id, key), v.row.encode())
}
