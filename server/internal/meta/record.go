package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged means that a record is not as it was written; *DamagedError names its key.
var ErrDamaged = errors.New("meta: damaged record")

// DamagedError is a record that cannot be trusted. It matches ErrDamaged.
type DamagedError struct {
	Key    []byte
	End    []byte // not nil: any record from Key to End, which is included, is in doubt
	Reason string
}

func (e *DamagedError) Error() string {
	if e.End != nil {
		return fmt.Sprintf("meta: records from %q to %q are damaged: %s", e.Key, e.End, e.Reason)
	}
	return fmt.Sprintf("meta: record %q is damaged: %s", e.Key, e.Reason)
}

// Is makes the error match its sentinel.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// The envelope of a record. NB: must not change within a version.
const (
	recordVersion = 1
	recordHeader  = 1 + crc32.Size // version, CRC-32C
)

// RecordHeader is the number of bytes before the payload, to be left free for SealInPlace.
const RecordHeader = recordHeader

// Seal wraps a payload into the record of that key.
func Seal(key, payload []byte) []byte {
	record := make([]byte, recordHeader, recordHeader+len(payload))
	record = append(record, payload...)
	SealInPlace(key, record)
	return record
}

// SealInPlace makes a record of a slice whose payload begins at RecordHeader.
func SealInPlace(key, record []byte) {
	record[0] = recordVersion
	binary.LittleEndian.PutUint32(record[1:], recordSum(key, record))
}

// Unseal checks the record of that key and gives its payload, which shares memory with it. The error is a
// *DamagedError, or ErrVersion.
func Unseal(key, record []byte) (payload []byte, err error) {
	if len(record) < recordHeader {
		return nil, damaged(key, "too short")
	}
	if binary.LittleEndian.Uint32(record[1:]) != recordSum(key, record) {
		return nil, damaged(key, "checksum does not match")
	}
	if record[0] != recordVersion {
		return nil, fmt.Errorf("%w: record %q has version %d", ErrVersion, key, record[0])
	}
	return record[recordHeader:], nil
}

func damaged(key []byte, reason string) *DamagedError {
	return &DamagedError{Key: append([]byte(nil), key...), Reason: reason}
}

func recordSum(key, record []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, key)
	sum = crc32.Update(sum, table, record[:1])
	return crc32.Update(sum, table, record[recordHeader:])
}

// A field of a payload is uvarint(tag<<1 | kind) and its value: an uvarint, or an uvarint length and bytes.
const (
	kindUint  = 0
	kindBytes = 1
)

// Encoder writes the fields of a payload. Zero values are left out. Tags are 1 and above. The zero Encoder is ready.
type Encoder struct{ buf []byte }

// Bytes gives what was written; it shares memory with the Encoder.
func (e *Encoder) Bytes() []byte { return e.buf }

// Uint writes an unsigned number.
func (e *Encoder) Uint(tag uint64, v uint64) {
	if v == 0 {
		return
	}
	e.buf = binary.AppendUvarint(e.buf, tag<<1|kindUint)
	e.buf = binary.AppendUvarint(e.buf, v)
}

// Int writes a signed number.
func (e *Encoder) Int(tag uint64, v int64) { e.Uint(tag, uint64(v)<<1^uint64(v>>63)) }

// Blob writes bytes. A repeated tag makes a list.
func (e *Encoder) Blob(tag uint64, v []byte) {
	if len(v) == 0 {
		return
	}
	e.buf = binary.AppendUvarint(e.buf, tag<<1|kindBytes)
	e.buf = binary.AppendUvarint(e.buf, uint64(len(v)))
	e.buf = append(e.buf, v...)
}

// String writes a string.
func (e *Encoder) String(tag uint64, v string) {
	if v == "" {
		return
	}
	e.buf = binary.AppendUvarint(e.buf, tag<<1|kindBytes)
	e.buf = binary.AppendUvarint(e.buf, uint64(len(v)))
	e.buf = append(e.buf, v...)
}

// Decoder reads fields one after another:
//
//	for d.Next() {
//		switch d.Tag() { case 1: x = d.Uint(); ... }
//	}
//	return d.Err()
type Decoder struct {
	rest  []byte
	tag   uint64
	kind  uint64
	value uint64
	bytes []byte
	known *Strings
	err   error
}

// Strings remembers the last string of each field, for decoding many records that are alike. It is for one goroutine.
type Strings [32]string

// Decoder is NewDecoder, but a string that equals the one remembered for its tag shares that one's memory.
func (s *Strings) Decoder(payload []byte) Decoder { return Decoder{rest: payload, known: s} }

var errMalformed = errors.New("meta: malformed record")

// NewDecoder reads a payload, to which the values it gives as bytes will point.
func NewDecoder(payload []byte) Decoder { return Decoder{rest: payload} }

// Next goes to the next field.
func (d *Decoder) Next() bool {
	if d.err != nil || len(d.rest) == 0 {
		return false
	}
	head, value := d.uvarint(), d.uvarint()
	d.tag, d.kind, d.value, d.bytes = head>>1, head&1, value, nil
	if d.kind == kindBytes && d.err == nil {
		if value > uint64(len(d.rest)) {
			d.err = errMalformed
			return false
		}
		d.bytes, d.rest = d.rest[:value], d.rest[value:]
	}
	return d.err == nil
}

func (d *Decoder) uvarint() uint64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 {
		v := d.rest[0]
		d.rest = d.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.err = errMalformed
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// Tag is the tag of the field.
func (d *Decoder) Tag() uint64 { return d.tag }

// Uint gives the field as an unsigned number.
func (d *Decoder) Uint() uint64 {
	d.expect(kindUint)
	return d.value
}

// Int gives the field as a signed number.
func (d *Decoder) Int() int64 {
	v := d.Uint()
	return int64(v>>1) ^ -int64(v&1)
}

// Blob gives the field as bytes of the payload.
func (d *Decoder) Blob() []byte {
	d.expect(kindBytes)
	return d.bytes
}

// String gives the field as a string.
func (d *Decoder) String() string {
	b := d.Blob()
	if d.known == nil {
		return string(b)
	}
	last := &d.known[d.tag%uint64(len(d.known))]
	if *last != string(b) {
		*last = string(b)
	}
	return *last
}

func (d *Decoder) expect(kind uint64) {
	if d.kind != kind && d.err == nil {
		d.err = errMalformed
	}
}

// Err tells whether the payload was malformed.
func (d *Decoder) Err() error { return d.err }
