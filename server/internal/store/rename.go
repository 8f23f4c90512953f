package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"pail/server/internal/meta"
)

// Bounds of the rename of a prefix: it is one transaction, which is held in memory.
const (
	MaxRenameKeys  = 100_000
	maxRenameBytes = 64 << 20
)

// RenameObject moves an object, or all objects below a prefix, in one atomic step. Objects keep all but their key.
//
// One object: Src must be there; an object at Dst gives way, unless DstCond says otherwise. Src equal to Dst changes
// nothing. A prefix: Src and Dst both end in "/". Some object must be below Src. Dst may have its own marker (the object
// whose key is Dst), and nothing else below it; else the error is ErrRenameNotEmpty. Conditions are about the markers, and
// with DstCond's If-None-Match "*" there must be nothing at all at Dst. A prefix of more than MaxRenameKeys keys is
// ErrRenameTooLarge, and nothing is moved. Uploads in progress stay at their keys.
//
// In a bucket with versions the objects get new versions at Dst, and delete markers at Src.
func (s *Store) RenameObject(ctx context.Context, in RenameInput) error {
	if err := errors.Join(checkKey(in.Src), checkKey(in.Dst)); err != nil {
		return err
	}
	prefix := strings.HasSuffix(in.Src, "/")
	if prefix != strings.HasSuffix(in.Dst, "/") {
		return ErrInvalidRename
	}
	if prefix && in.Src != in.Dst && (strings.HasPrefix(in.Src, in.Dst) || strings.HasPrefix(in.Dst, in.Src)) {
		return ErrInvalidRename
	}
	return s.update(ctx, nil, func(x *tx) error {
		b, err := getBucket(x, in.Bucket)
		if err != nil {
			return err
		}
		if prefix {
			return x.renamePrefix(ctx, b, in)
		}
		return x.renameKey(b, in)
	})
}

func (x *tx) renameKey(b bucketRow, in RenameInput) error {
	src, err := currentObject(x, b, in.Src)
	if err != nil {
		return err
	}
	if err := in.SrcCond.forSource(src); err != nil {
		return renameCondition(err)
	}
	old, err := x.replaced(b, in.Dst, in.DstCond)
	if err != nil || in.Src == in.Dst {
		return err
	}
	x.event(EventRenamedAway, b, in.Src, src)
	x.event(EventRenamed, b, in.Dst, src)
	return x.move(b, in, in.Src, in.Dst, src, old)
}

// currentObject reads the current object; there being none is ErrNoSuchKey.
func currentObject(r meta.Reader, b bucketRow, key string) (*objectRow, error) {
	o, err := findObject(r, b, key)
	if err == nil && o == nil {
		err = ErrNoSuchKey
	}
	return o, err
}

// move makes the object row of key src that of key dst, in place of old. In a bucket with versions, the versions of src
// stay there, below a delete marker: what moves is a copy, which shares the bytes.
func (x *tx) move(b bucketRow, in RenameInput, src, dst string, row, old *objectRow) error {
	if b.versioning == Unversioned {
		if err := x.Delete(meta.ObjectKey(b.id, src)); err != nil {
			return err
		}
		x.lose(b, row)
		return x.put(b, dst, row, old)
	}
	moved := *row
	moved.extra.Retention, moved.extra.LegalHold = Retention{}, HoldNone
	if err := x.retain(moved.body); err != nil {
		return err
	}
	if err := x.put(b, dst, &moved, old); err != nil {
		return err
	}
	_, err := x.putMarker(b, src, in.Owner, row)
	return err
}

// renameCondition gives a condition on the source the name it has in a rename.
func renameCondition(err error) error {
	var p *PreconditionError
	if errors.As(err, &p) {
		return &PreconditionError{strings.Replace(p.Condition, "x-amz-copy-source-", "x-amz-rename-source-", 1)}
	}
	return err
}

func (x *tx) renamePrefix(ctx context.Context, b bucketRow, in RenameInput) error {
	rows, err := x.rowsBelow(ctx, b, in.Src, in.Dst)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return ErrNoSuchKey
	}
	if !in.SrcCond.empty() {
		marker, err := currentObject(x, b, in.Src)
		if err != nil {
			return err
		}
		if err := in.SrcCond.forSource(marker); err != nil {
			return renameCondition(err)
		}
	}
	old, err := x.replaced(b, in.Dst, in.DstCond)
	if err != nil {
		return err
	}
	if in.Src == in.Dst {
		return nil
	}
	if err := x.checkVacant(b, in.Dst, in.DstCond); err != nil {
		return err
	}
	if err := errors.Join(x.createsBelow(b, in.Dst), x.changesBelow(b, in.Src)); err != nil {
		return err
	}
	x.event(EventRenamedAway, b, in.Src, nil)
	x.event(EventRenamed, b, in.Dst, nil)
	return x.moveRows(b, in, rows, old)
}

// movedRow is an object below a prefix: the rest of its key, and its row's payload.
type movedRow struct{ rest, payload []byte }

// rowsBelow collects the objects below src. Each is checked, but not decoded.
func (x *tx) rowsBelow(ctx context.Context, b bucketRow, src, dst string) (rows []movedRow, err error) {
	prefix := meta.ObjectKey(b.id, src)
	it := x.Iter(prefix, meta.PrefixEnd(prefix))
	defer it.Close()
	size := 0
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		payload, err := meta.Unseal(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		rest := it.Key()[len(prefix):]
		if len(dst)+len(rest) > MaxKeyLength {
			return nil, ErrKeyTooLong
		}
		size += len(it.Key()) + len(payload)
		if len(rows) == MaxRenameKeys || size > maxRenameBytes {
			return nil, fmt.Errorf("%w: more than %d keys or %d bytes", ErrRenameTooLarge, MaxRenameKeys, maxRenameBytes)
		}
		rows = append(rows, movedRow{bytes.Clone(rest), bytes.Clone(payload)})
	}
	return rows, it.Err()
}

// checkVacant makes sure that nothing but perhaps its marker is below dst.
func (x *tx) checkVacant(b bucketRow, dst string, c Conditions) error {
	taken, err := x.anyBelow(b, dst)
	if err != nil || !taken {
		return err
	}
	if len(c.IfNoneMatch) > 0 {
		return &PreconditionError{ifNoneMatch}
	}
	return ErrRenameNotEmpty
}

// moveRows writes the rows below dst. The destination's old marker gives way to the source's, and stays without one.
func (x *tx) moveRows(b bucketRow, in RenameInput, rows []movedRow, old *objectRow) error {
	for _, row := range rows {
		src, dst := in.Src+string(row.rest), in.Dst+string(row.rest)
		var err error
		if b.versioning == Unversioned {
			err = x.moveRow(meta.ObjectKey(b.id, src), meta.ObjectKey(b.id, dst), row.payload)
		} else {
			err = x.moveVersion(b, in, src, dst, row, old)
		}
		if err != nil {
			return err
		}
	}
	if len(rows[0].rest) > 0 || old == nil || b.versioning != Unversioned {
		return nil
	}
	x.lose(b, old)
	return x.release(old.body)
}

func (x *tx) moveRow(src, dst, payload []byte) error {
	if err := x.Delete(src); err != nil {
		return err
	}
	return save(x, dst, payload)
}

func (x *tx) moveVersion(b bucketRow, in RenameInput, src, dst string, row movedRow, old *objectRow) error {
	o, err := decodeObject(row.payload)
	if err != nil {
		return &meta.DamagedError{Key: meta.ObjectKey(b.id, src), Reason: err.Error()}
	}
	if len(row.rest) > 0 {
		old = nil // nothing but the marker may be there
	}
	return x.move(b, in, src, dst, o, old)
}
