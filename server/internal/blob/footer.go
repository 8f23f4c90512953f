package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The footer follows the object's bytes: the table, with a little-endian CRC-32C of each chunk in turn (the last chunk
// may be short; an empty blob has none), and then the trailer:
//
//	 0  8  magic
//	 8  4  version
//	12  4  chunk length in bytes
//	16  8  size of the object in bytes
//	24 16  ID
//	40  4  CRC-32C of the table
//	44  4  CRC-32C of the trailer up to here
//
// A blob with a label has version 2. Between table and trailer it has the label, its length in 4 bytes, and a CRC-32C of
// both.
//
// NB: must not change within a version.
const (
	trailerMagic   = "pailblob"
	trailerVersion = 1
	labelVersion   = 2
	trailerSize    = 48
	labelFooter    = 8 // length and CRC

	// MaxLabel is the length of the longest label, in bytes.
	MaxLabel = 1024

	// ChunkSize is the number of bytes under one checksum in the blobs that are written now.
	ChunkSize    = 128 << 10
	maxChunkSize = 16 << 20 // that a trailer may tell
)

func crc(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

// trailer is the decoded end of a file.
type trailer struct {
	chunk    int64
	size     int64
	id       ID
	tableSum uint32
	label    []byte
}

// chunks is the number of chunks of an object.
func chunks(size, chunk int64) int64 { return (size + chunk - 1) / chunk }

// fileSize is the length of the file of a blob.
func (t trailer) fileSize() int64 {
	n := t.size + 4*chunks(t.size, t.chunk) + trailerSize
	if len(t.label) > 0 {
		n += int64(len(t.label)) + labelFooter
	}
	return n
}

// encode gives what follows the table.
func (t trailer) encode() []byte {
	b := make([]byte, 0, len(t.label)+labelFooter+trailerSize)
	version := uint32(trailerVersion)
	if len(t.label) > 0 {
		version = labelVersion
		b = append(b, t.label...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.label)))
		b = binary.LittleEndian.AppendUint32(b, crc(b))
	}
	from := len(b)
	b = append(b, trailerMagic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, uint32(t.chunk))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.size))
	b = append(b, t.id[:]...)
	b = binary.LittleEndian.AppendUint32(b, t.tableSum)
	return binary.LittleEndian.AppendUint32(b, crc(b[from:]))
}

var (
	errMagic   = errors.New("no trailer")
	errTrailer = errors.New("trailer does not match its checksum")
	errLength  = errors.New("file has the wrong length")
	errID      = errors.New("file holds another blob")
	errChunk   = errors.New("chunk does not match its checksum")
	errLabel   = errors.New("label is malformed or too long")
	errTable   = errors.New("checksum table does not match its checksum")
)

// decodeTrailer reads the end of a file.
func decodeTrailer(b []byte) (trailer, error) {
	before := b[:max(len(b)-trailerSize, 0)]
	b = b[len(before):]
	if len(b) != trailerSize || string(b[:8]) != trailerMagic {
		return trailer{}, errMagic
	}
	if crc(b[:trailerSize-4]) != binary.LittleEndian.Uint32(b[trailerSize-4:]) {
		return trailer{}, errTrailer
	}
	v := binary.LittleEndian.Uint32(b[8:])
	if v != trailerVersion && v != labelVersion {
		return trailer{}, fmt.Errorf("blob of version %d, this program knows version %d", v, labelVersion)
	}
	t := trailer{
		chunk:    int64(binary.LittleEndian.Uint32(b[12:])),
		size:     int64(binary.LittleEndian.Uint64(b[16:])),
		id:       ID(b[24:40]),
		tableSum: binary.LittleEndian.Uint32(b[40:]),
	}
	if t.chunk < 1 || t.chunk > maxChunkSize || t.size < 0 || t.size > 1<<56 {
		return trailer{}, errTrailer
	}
	if v == labelVersion {
		var err error
		if t.label, err = decodeLabel(before); err != nil {
			return trailer{}, err
		}
	}
	return t, nil
}

// decodeLabel reads the label at the end of b.
func decodeLabel(b []byte) ([]byte, error) {
	if len(b) < labelFooter {
		return nil, errLabel
	}
	sum := binary.LittleEndian.Uint32(b[len(b)-4:])
	b = b[:len(b)-4]
	n := int64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	if n < 1 || n > MaxLabel || n+4 > int64(len(b)) || crc(b[int64(len(b))-4-n:]) != sum {
		return nil, errLabel
	}
	return b[int64(len(b))-4-n : len(b)-4], nil
}
