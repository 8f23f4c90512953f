package store

import (
	"errors"
	"fmt"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// References. An object row, a part row and a manifest each hold references to what they point to:
//
//	object row ──> data row | blob | manifest          part row ──> blobs          manifest ──> blobs
//
// A copy of a multipart object shares its manifest, so it costs one count, however many parts there are.

// retain adds a reference to a body.
func (x *tx) retain(b body) error {
	switch b.kind {
	case bodyData:
		return x.retainRow(meta.DataRefsKey(b.id))
	case bodyManifest:
		return x.retainRow(meta.ManifestRefsKey(b.id))
	case bodyBlob:
		return x.retainBlobs([]extent{{blob: blob.ID(b.id)}})
	}
	return nil
}

// release drops a reference to a body, and what nothing refers to any more. What is damaged is left where it is.
func (x *tx) release(b body) error {
	var err error
	switch b.kind {
	case bodyData:
		err = x.releaseData(b.id)
	case bodyManifest:
		err = x.releaseManifest(b.id)
	case bodyBlob:
		err = x.releaseBlobs([]extent{{blob: blob.ID(b.id)}})
	}
	return x.tolerate(err)
}

// tolerate lets damage found while dropping a reference pass: bytes are leaked, not lost.
func (x *tx) tolerate(err error) error {
	if errors.Is(err, meta.ErrDamaged) || errors.Is(err, meta.ErrNotFound) {
		x.store.log.Error("store: damaged references leave bytes behind", "err", err)
		return nil
	}
	return err
}

// retainRow counts up a row that exists only while the count is above 1.
func (x *tx) retainRow(key []byte) error {
	r, err := load(x, key, decodeRefs)
	if errors.Is(err, meta.ErrNotFound) {
		r, err = refsRow{count: 1}, nil
	}
	if err != nil {
		return err
	}
	r.count++
	return save(x, key, r.encode())
}

// releaseRow counts down such a row, and reports whether that was the last reference.
func (x *tx) releaseRow(key []byte) (last bool, err error) {
	r, err := load(x, key, decodeRefs)
	if errors.Is(err, meta.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if r.count <= 2 {
		return false, x.Delete(key)
	}
	r.count--
	return false, save(x, key, r.encode())
}

func (x *tx) releaseData(id meta.ID) error {
	last, err := x.releaseRow(meta.DataRefsKey(id))
	if err != nil || !last {
		return err
	}
	return x.Delete(meta.DataKey(id))
}

func (x *tx) releaseManifest(id meta.ID) error {
	last, err := x.releaseRow(meta.ManifestRefsKey(id))
	if err != nil || !last {
		return err
	}
	key := meta.ManifestKey(id, 0)
	m, err := load(x, key, decodeManifest)
	if err != nil {
		return err
	}
	if err := x.releaseBlobs(m.extents); err != nil {
		return err
	}
	return x.Delete(key)
}

// addBlob writes the row of a new blob, with one reference.
func (x *tx) addBlob(id blob.ID, size int64) error {
	return save(x, meta.BlobKey(meta.ID(id)), refsRow{count: 1, size: size}.encode())
}

// retainBlobs adds a reference for each extent.
func (x *tx) retainBlobs(list []extent) error {
	return eachBlob(list, func(id blob.ID, n uint64) error {
		key := meta.BlobKey(meta.ID(id))
		r, err := load(x, key, decodeRefs)
		if err != nil {
			return missing(err, fmt.Errorf("%w: references of blob %s", meta.ErrNotFound, id))
		}
		r.count += n
		return save(x, key, r.encode())
	})
}

// releaseBlobs drops a reference for each extent.
func (x *tx) releaseBlobs(list []extent) error {
	return eachBlob(list, func(id blob.ID, n uint64) error {
		key := meta.BlobKey(meta.ID(id))
		r, err := load(x, key, decodeRefs)
		if err != nil {
			return x.tolerate(err)
		}
		if r.count > n {
			r.count -= n
			return save(x, key, r.encode())
		}
		x.freed = append(x.freed, id)
		return x.Delete(key)
	})
}

// eachBlob calls fn once for each blob, with the number of its extents, in order of first appearance.
func eachBlob(list []extent, fn func(blob.ID, uint64) error) error {
	if len(list) == 1 {
		return fn(list[0].blob, 1)
	}
	count := make(map[blob.ID]uint64, len(list))
	for _, e := range list {
		count[e.blob]++
	}
	for _, e := range list {
		if n := count[e.blob]; n > 0 {
			count[e.blob] = 0
			if err := fn(e.blob, n); err != nil {
				return err
			}
		}
	}
	return nil
}
