package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"maps"
	"reflect"
	"strings"
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// maxExtents bounds the pieces of one object: its manifest is a few megabytes then.
const maxExtents = 1 << 18

// CompleteUpload makes the object of the parts. Repeated after success with the same parts and attributes, it returns the
// same object again, for at least a day.
func (s *Store) CompleteUpload(ctx context.Context, in CompleteInput) (Object, error) {
	if err := checkList(in.Parts); err != nil {
		return Object{}, err
	}
	now, manifestID := s.now(), s.newID()
	var row *objectRow
	err := s.update(ctx, nil, func(x *tx) error {
		u, err := getUpload(x, in.Bucket, in.Key, in.UploadID)
		if errors.Is(err, ErrNoSuchUpload) && u.key != nil {
			row, err = x.completedBefore(u, in)
			return err
		}
		if err != nil {
			return err
		}
		old, err := x.replaced(u.bucket, in.Key, in.Cond)
		if err != nil {
			return err
		}
		parts, err := x.listedParts(u.id, u.row, in.Parts)
		if err != nil {
			return err
		}
		if row, err = assemble(u.row, in, parts); err != nil {
			return err
		}
		row.modified = now
		return x.complete(u, in, row, old, parts, manifestID)
	})
	if err != nil {
		return Object{}, err
	}
	return row.object(in.Bucket, in.Key), nil
}

func checkList(parts []CompletedPart) error {
	if len(parts) == 0 || len(parts) > MaxParts {
		return ErrInvalidArgument
	}
	for i, p := range parts {
		if p.N < 1 || p.N > MaxParts {
			return &PartError{Err: ErrInvalidPart, N: p.N}
		}
		if i > 0 && p.N <= parts[i-1].N {
			return ErrInvalidPartOrder
		}
	}
	return nil
}

// completedBefore gives the answer of an earlier completion with the same parts and attributes.
func (x *tx) completedBefore(u uploadRef, in CompleteInput) (*objectRow, error) {
	done, err := load(x, meta.CompletedKey(u.id), decodeCompleted)
	if err != nil {
		return nil, missing(err, ErrNoSuchUpload)
	}
	h := md5.New()
	for _, p := range in.Parts {
		sum, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil {
			return nil, ErrNoSuchUpload
		}
		h.Write(sum)
	}
	if done.bucket != u.bucket.id || done.key != in.Key || done.object.parts != len(in.Parts) ||
		[16]byte(h.Sum(nil)) != done.object.etag || !in.describes(done.object.attrs) {
		return nil, ErrNoSuchUpload
	}
	return done.object, nil
}

// sumMatches compares the checksum that the client lists for a part, if any, with the part's. An upload that named no
// algorithm has parts whose clients were free to use any: a checksum in another than the one kept was verified then.
func (u *uploadRow) sumMatches(listed, kept checksum.Sum) bool {
	if listed.IsZero() || kept.IsZero() || u.algorithm == "" && listed.Algorithm != kept.Algorithm {
		return true
	}
	return listed.Equal(kept)
}

// listedParts reads the parts that the client lists, and checks each.
func (x *tx) listedParts(id meta.ID, u *uploadRow, listed []CompletedPart) ([]*partRow, error) {
	parts := make([]*partRow, 0, len(listed))
	err := eachPart(x, id, func(_ []byte, n int, p *partRow, err error) error {
		if len(parts) == len(listed) || listed[len(parts)].N > n {
			return nil
		}
		if err != nil {
			return err
		}
		want := listed[len(parts)]
		if want.N < n {
			return &PartError{Err: ErrInvalidPart, N: want.N}
		}
		etag := etagText(p.etag, 0)
		if strings.Trim(want.ETag, `"`) != etag || !u.sumMatches(want.Sum, p.sum) {
			return &PartError{Err: ErrInvalidPart, N: n, ETag: etag}
		}
		if u.sumType == checksum.Composite && want.Sum.IsZero() {
			return &PartError{Err: ErrPartWithoutChecksum, N: n, ETag: etag, Algorithm: u.algorithm}
		}
		parts = append(parts, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(parts) < len(listed) {
		return nil, &PartError{Err: ErrInvalidPart, N: listed[len(parts)].N}
	}
	for i, p := range parts[:len(parts)-1] {
		if p.size < x.store.minPart {
			return nil, &PartError{Err: ErrEntityTooSmall, N: listed[i].N, ETag: etagText(p.etag, 0), Size: p.size,
				Min: x.store.minPart}
		}
	}
	return parts, nil
}

// assemble makes the object's row, without body and time.
func assemble(u *uploadRow, in CompleteInput, parts []*partRow) (*objectRow, error) {
	row := &objectRow{parts: len(parts), owner: u.owner, attrs: in.attrs(u.attrs), extra: u.extra}
	h := md5.New()
	for _, p := range parts {
		row.size += p.size
		h.Write(p.etag[:])
	}
	h.Sum(row.etag[:0])
	if in.Size != nil && *in.Size != row.size {
		return nil, ErrSizeMismatch
	}
	algorithm, sumType := u.algorithm, u.sumType
	switch {
	case algorithm != "":
	case in.Checksum != nil:
		algorithm, sumType = in.Checksum.Algorithm, checksum.FullObject
	case allHave(DefaultAlgorithm, parts):
		algorithm, sumType = DefaultAlgorithm, checksum.FullObject
	}
	if in.ChecksumType != "" && in.ChecksumType != sumType {
		return nil, ErrChecksumAlgorithm
	}
	if algorithm == "" {
		return row, nil
	}
	sum, err := joinSums(algorithm, sumType, parts)
	if err != nil {
		return nil, err
	}
	if in.Checksum != nil && in.Checksum.Algorithm != algorithm {
		return nil, ErrChecksumAlgorithm
	}
	if in.Checksum != nil && !sameValue(*in.Checksum, sum) {
		return nil, ErrChecksumMismatch
	}
	row.sum, row.sumType = sum, sumType
	return row, nil
}

// attrs are those of the object, where begun are the upload's.
func (in *CompleteInput) attrs(begun Attrs) Attrs {
	if in.Attrs == nil {
		return begun
	}
	a := *in.Attrs
	a.StorageClass, a.WebsiteRedirect, a.Tags = begun.StorageClass, begun.WebsiteRedirect, begun.Tags
	return a
}

// describes reports whether an object with attributes a is what in asks for.
func (in *CompleteInput) describes(a Attrs) bool {
	want := in.attrs(a)
	same := maps.Equal(want.Meta, a.Meta)
	want.Meta, a.Meta = nil, nil
	return same && reflect.DeepEqual(want, a)
}

func allHave(a checksum.Algorithm, parts []*partRow) bool {
	for _, p := range parts {
		if p.sum.Algorithm != a {
			return false
		}
	}
	return true
}

// sameValue compares what the client expects. It may leave out the number of parts.
func sameValue(want, got checksum.Sum) bool {
	if want.Parts == 0 {
		want.Parts = got.Parts
	}
	return want.Equal(got)
}

// joinSums makes the object's checksum of those of the parts.
func joinSums(a checksum.Algorithm, sumType string, parts []*partRow) (checksum.Sum, error) {
	values := make([][]byte, len(parts))
	for i, p := range parts {
		if p.sum.Algorithm != a {
			return checksum.Sum{}, ErrChecksumAlgorithm
		}
		values[i] = p.sum.Value
	}
	if sumType == checksum.Composite {
		return checksum.OfParts(a, values)
	}
	c, err := checksum.NewCombiner(a)
	if err != nil {
		return checksum.Sum{}, ErrChecksumAlgorithm
	}
	for i, p := range parts {
		if err := c.Add(values[i], p.size); err != nil {
			return checksum.Sum{}, err
		}
	}
	return c.Sum(), nil
}

// complete writes the object, and ends the upload. The references of the listed parts pass to the manifest.
func (x *tx) complete(u uploadRef, in CompleteInput, row, old *objectRow, parts []*partRow, id meta.ID) error {
	m := &manifest{algorithm: row.sum.Algorithm}
	keep := make(map[int]bool, len(parts))
	var merged []extent
	for i, p := range parts {
		keep[in.Parts[i].N] = true
		m.parts = append(m.parts, manifestPart{in.Parts[i].N, p.size, p.sum.Value})
		m.extents, merged = appendExtents(m.extents, p.extents, merged)
	}
	if m.algorithm == "" && len(parts) > 0 {
		m.algorithm = parts[0].sum.Algorithm
	}
	if len(m.extents) > maxExtents {
		return ErrTooManyExtents
	}
	row.body = body{bodyManifest, id}
	if err := save(x, meta.ManifestKey(id, 0), m.encode()); err != nil {
		return err
	}
	if err := x.releaseBlobs(merged); err != nil {
		return err
	}
	if err := x.dropParts(u.id, keep); err != nil {
		return err
	}
	if err := x.Delete(u.key); err != nil {
		return err
	}
	if err := x.put(u.bucket, in.Key, row, old); err != nil {
		return err
	}
	x.event(EventComplete, u.bucket, in.Key, row)
	return x.remember(u, in.Key, row)
}

// appendExtents joins what follows on one another in a blob: ranges copied side by side become one piece again. What is
// joined needs one reference less, and goes to merged.
func appendExtents(list, more, merged []extent) (out, gone []extent) {
	for _, e := range more {
		if n := len(list); n > 0 && list[n-1].blob == e.blob && list[n-1].end() == e.off {
			list[n-1].len += e.len
			merged = append(merged, e)
			continue
		}
		list = append(list, e)
	}
	return list, merged
}

// Completed uploads are remembered for that long, and then forgotten, a few with each new one.
const (
	rememberFor  = 24 * time.Hour
	forgetAtOnce = 8
)

// remember writes what the completion answers.
func (x *tx) remember(u uploadRef, key string, row *objectRow) error {
	answer := *row
	answer.body = body{}
	done := &completedRow{bucket: u.bucket.id, key: key, when: row.modified, object: &answer}
	if err := x.forget(row.modified.Add(-rememberFor)); err != nil {
		return err
	}
	return save(x, meta.CompletedKey(u.id), done.encode())
}

// forget deletes the first few rows of completions before t. Rows are in the order of their uploads' beginnings, so old
// ones come first.
func (x *tx) forget(t time.Time) error {
	it := x.Iter(meta.Completed.Bounds())
	defer it.Close()
	var keys [][]byte
	n := 0
	for ok := it.First(); ok && n < forgetAtOnce; ok = it.Next() {
		n++
		done, err := decodeRecord(it.Key(), it.Value(), decodeCompleted)
		if err == nil && done.when.After(t) {
			continue
		}
		if err := x.tolerate(err); err != nil {
			return err
		}
		keys = append(keys, append([]byte(nil), it.Key()...))
	}
	for _, key := range keys {
		if err := x.Delete(key); err != nil {
			return err
		}
	}
	return it.Err()
}
