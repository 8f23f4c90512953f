package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/seal"
	"pail/server/internal/sse"
)

// Encrypted bytes: a blob is a unit of package seal, whose label is the blob's; a data row is the length of a label in 2
// bytes, the label, and a unit. NB: must not change.
const (
	dataLabelSize = 2
	maxDataLabel  = dataLabelSize + seal.MaxLabel
)

// unit is what is stored in one piece, and encrypted unless its cipher is nil.
type unit struct {
	id     meta.ID
	cipher *seal.Cipher
	label  []byte
}

// newUnit makes a unit for bytes of an object with that access, which is nil for one that is not encrypted.
func (s *Store) newUnit(keys *sse.Access) (u unit, err error) {
	u.id = s.newID()
	if keys != nil {
		u.cipher, u.label, err = keys.Wrap(u.id)
	}
	return u, err
}

// size gives the length of the unit of n bytes.
func (u *unit) size(n int64) int64 {
	if u.cipher == nil || n < 0 {
		return n
	}
	return seal.SealedSize(n)
}

// record makes the record of a data row of the n bytes at RecordHeader.
func (u *unit) record(record []byte, n int) []byte {
	if u.cipher != nil {
		at := meta.RecordHeader + dataLabelSize + len(u.label)
		copy(record[at:], record[meta.RecordHeader:meta.RecordHeader+n])
		binary.BigEndian.PutUint16(record[meta.RecordHeader:], uint16(len(u.label)))
		copy(record[meta.RecordHeader+dataLabelSize:], u.label)
		n = len(u.cipher.SealAll(record[at:], n)) + at - meta.RecordHeader
	}
	record = record[:meta.RecordHeader+n]
	meta.SealInPlace(meta.DataKey(u.id), record)
	return record
}

// recordRoom is the length of the longest record of n bytes.
func recordRoom(n int64) int { return meta.RecordHeader + maxDataLabel + int(seal.SealedSize(n)) }

// splitData cuts an encrypted data row into label and unit.
func splitData(id meta.ID, payload []byte) (label, sealed []byte, err error) {
	if len(payload) >= dataLabelSize {
		label, sealed = payload[dataLabelSize:], nil
		if n := int(binary.BigEndian.Uint16(payload)); n <= len(label) {
			return label[:n], label[n:], nil
		}
	}
	return nil, nil, &meta.DamagedError{Key: meta.DataKey(id), Reason: "not encrypted as its object says"}
}

// openData decrypts the bytes of a data row.
func openData(id meta.ID, payload []byte, keys *sse.Access) ([]byte, error) {
	if keys == nil {
		return payload, nil
	}
	label, sealed, err := splitData(id, payload)
	if err != nil {
		return nil, err
	}
	c, err := keys.Unwrap(id, label)
	if err != nil {
		return nil, damagedUnit("metadata row of an object's bytes", err)
	}
	p, err := c.OpenAll(sealed)
	return p, damagedUnit("metadata row of an object's bytes", err)
}

// damagedUnit makes bytes that do not open a damage; that a key is missing is none.
func damagedUnit(what string, err error) error {
	if errors.Is(err, seal.ErrOpen) {
		return &DamagedError{What: what, Err: err}
	}
	return err
}

// piece is an open blob, whose bytes are those of an object.
type piece interface {
	Size() int64
	CopyRange(w io.Writer, off, n int64) (int64, error)
	Close() error
}

// openPiece opens a blob of an object with that access.
func openPiece(b blob.Blob, id blob.ID, keys *sse.Access, buffers *blob.Buffers) (piece, error) {
	what := "blob " + id.String()
	if keys == nil {
		if b.Label() != nil {
			return nil, &DamagedError{What: what, Err: errors.New("it is encrypted, and its object is not")}
		}
		return b, nil
	}
	size, ok := seal.PlainSize(b.Size())
	if !ok || b.Label() == nil {
		return nil, &DamagedError{What: what, Err: errors.New("it is not encrypted, and its object is")}
	}
	c, err := keys.Unwrap(seal.ID(id), b.Label())
	if err != nil {
		return nil, damagedUnit(what, fmt.Errorf("%s: %w", what, err))
	}
	return &sealedPiece{Blob: b, what: what, cipher: c, size: size, buffers: buffers}, nil
}

// sealedPiece is an encrypted blob.
type sealedPiece struct {
	blob.Blob
	what    string
	cipher  *seal.Cipher
	size    int64
	buffers *blob.Buffers
}

func (p *sealedPiece) Size() int64 { return p.size }

func (p *sealedPiece) CopyRange(w io.Writer, off, n int64) (int64, error) {
	buf := p.buffers.Get()
	defer p.buffers.Put(buf)
	m, err := p.cipher.CopyRange(w, p.Blob, p.size, off, n, buf)
	return m, damagedUnit(p.what, err)
}
