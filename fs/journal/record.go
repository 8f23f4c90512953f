package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Layout, all numbers little-endian:
//
//	segment  header, records
//	header   "pailjrnl", u32 version, u32 salt, u32 length of owner, owner, u32 CRC of all before
//	record   u32 magic, u32 length of payload, u64 bytes of the segment that were synced before, u32 CRC of the three and
//	         of the payload, which starts from the salt, payload
//	payload  changes, one after the other
//	change   u8 kind, uvarint ID, uvarint sequence number; for a put also
//	         uvarint length of Info, Info, u8 place; unless the content is kept also
//	         uvarint number of extents, for each uvarint offset and length; then the bytes, or for a data file
//	         uvarint its number, u32 CRC of the bytes
//
// NB: must not change within a version.
const (
	segmentMagic   = "pailjrnl"
	segmentVersion = 1
	recordMagic    = 0x4c4a5250 // "PRJL"
	recordHead     = 4 + 4 + 8 + 4

	maxOwner   = 4 << 10
	maxPayload = 32 << 20
	maxExtents = 1 << 20
)

// kind says what a change does.
type kind uint8

const (
	kindPut kind = 1 + iota
	kindForget
)

// place is where the bytes of an entry are.
type place uint8

const (
	placeKept   place = iota // where the entry had them before
	placeInline              // in the record
	placeFile                // in a data file
)

var (
	errTorn    = errors.New("incomplete record")
	errCorrupt = errors.New("damaged record")
	crcTable   = crc32.MakeTable(crc32.Castagnoli)
)

// change is one change as a record has it.
type change struct {
	kind    kind
	id, seq uint64

	info    []byte
	place   place
	extents []Extent
	data    []byte // inline
	dataAt  int    // where data begins in the payload
	file    uint64 // number of the data file
	made    bool   // for this change
	sum     uint32 // of its bytes
}

// appendHeader appends the header of a segment.
func appendHeader(b []byte, owner string, salt uint32) []byte {
	from := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentVersion)
	b = binary.LittleEndian.AppendUint32(b, salt)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(owner)))
	b = append(b, owner...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], crcTable))
}

// parseHeader reads the header that b begins with, and returns how long it is.
func parseHeader(b []byte) (owner string, salt uint32, size int, err error) {
	const fixed = len(segmentMagic) + 12
	if len(b) < fixed {
		return "", 0, 0, errTorn
	}
	if string(b[:8]) != segmentMagic {
		return "", 0, 0, errCorrupt
	}
	version, n := binary.LittleEndian.Uint32(b[8:]), int(binary.LittleEndian.Uint32(b[16:]))
	if n > maxOwner {
		return "", 0, 0, errCorrupt
	}
	if len(b) < fixed+n+4 {
		return "", 0, 0, errTorn
	}
	if crc32.Checksum(b[:fixed+n], crcTable) != binary.LittleEndian.Uint32(b[fixed+n:]) {
		return "", 0, 0, errCorrupt
	}
	if version != segmentVersion {
		return "", 0, 0, fmt.Errorf("%w: format %d, this program knows %d", ErrVersion, version, segmentVersion)
	}
	return string(b[fixed : fixed+n]), binary.LittleEndian.Uint32(b[12:]), fixed + n + 4, nil
}

// sealRecord fills the head of a record whose payload follows it in b.
func sealRecord(b []byte, salt uint32, synced int64) {
	binary.LittleEndian.PutUint32(b[0:], recordMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-recordHead))
	binary.LittleEndian.PutUint64(b[8:], uint64(synced))
	binary.LittleEndian.PutUint32(b[16:], checksum(b, salt))
}

func checksum(record []byte, salt uint32) uint32 {
	return crc32.Update(crc32.Update(salt, crcTable, record[:16]), crcTable, record[recordHead:])
}

// parseRecord reads the record that b begins with: its payload, how much of the segment was synced before it, and how
// long it is. errTorn: b ends before the record does; errCorrupt: there is none.
func parseRecord(b []byte, salt uint32) (payload []byte, synced int64, size int, err error) {
	if len(b) < recordHead {
		return nil, 0, 0, errTorn
	}
	n := binary.LittleEndian.Uint32(b[4:])
	before := binary.LittleEndian.Uint64(b[8:])
	switch {
	case binary.LittleEndian.Uint32(b) != recordMagic || n > maxPayload || before > math.MaxInt64:
		return nil, 0, 0, errCorrupt
	case len(b) < recordHead+int(n):
		return nil, 0, 0, errTorn
	}
	size = recordHead + int(n)
	if checksum(b[:size], salt) != binary.LittleEndian.Uint32(b[16:]) {
		return nil, 0, 0, errCorrupt
	}
	return b[recordHead:size], int64(before), size, nil
}

// appendChange appends a change and notes where in b its bytes begin.
func appendChange(b []byte, c *change) []byte {
	b = append(b, byte(c.kind))
	b = binary.AppendUvarint(b, c.id)
	b = binary.AppendUvarint(b, c.seq)
	if c.kind != kindPut {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(c.info)))
	b = append(b, c.info...)
	b = append(b, byte(c.place))
	if c.place == placeKept {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(c.extents)))
	for _, e := range c.extents {
		b = binary.AppendUvarint(b, uint64(e.Off))
		b = binary.AppendUvarint(b, uint64(e.Len))
	}
	if c.place == placeFile {
		b = binary.AppendUvarint(b, c.file)
		return binary.LittleEndian.AppendUint32(b, c.sum)
	}
	c.dataAt = len(b)
	return append(b, c.data...)
}

// parseChanges reads a payload. Info and data of what it returns lie in it.
func parseChanges(payload []byte) ([]change, error) {
	r := reader{b: payload}
	var list []change
	for len(r.b) > 0 && !r.bad {
		c := change{kind: kind(r.byte()), id: r.uvarint(), seq: r.uvarint()}
		switch c.kind {
		case kindPut:
			r.put(&c, len(payload))
		case kindForget:
		default:
			r.bad = true
		}
		list = append(list, c)
	}
	if r.bad {
		return nil, errCorrupt
	}
	return list, nil
}

// reader takes a payload apart.
type reader struct {
	b   []byte
	bad bool // it was too short, or said nonsense
}

func (r *reader) put(c *change, payload int) {
	c.info = r.bytes(r.uvarint())
	c.place = place(r.byte())
	if c.place == placeKept {
		return
	}
	n := r.uvarint()
	if n > maxExtents || n > uint64(len(r.b)) {
		r.bad = true
		return
	}
	var total, end uint64
	for range n {
		e := Extent{Off: int64(r.uvarint()), Len: int64(r.uvarint())}
		if e.Off < 0 || e.Len <= 0 || uint64(e.Off) < end || e.Off > math.MaxInt64-e.Len {
			r.bad = true
			return
		}
		end = uint64(e.Off + e.Len)
		total += uint64(e.Len)
		c.extents = append(c.extents, e)
	}
	switch c.place {
	case placeInline:
		c.dataAt = payload - len(r.b)
		c.data = r.bytes(total)
		c.sum = crc32.Checksum(c.data, crcTable)
	case placeFile:
		c.file = r.uvarint()
		if sum := r.bytes(4); sum != nil {
			c.sum = binary.LittleEndian.Uint32(sum)
		}
	default:
		r.bad = true
	}
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}
