package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// DamagedError says where a blob is damaged. It matches ErrDamaged.
type DamagedError struct {
	ID  ID
	Off int64 // of the damaged chunk, -1 for the footer
	Err error
}

func (e *DamagedError) Error() string {
	if e.Off < 0 {
		return fmt.Sprintf("blob %s is damaged: %v", e.ID, e.Err)
	}
	return fmt.Sprintf("blob %s is damaged at %d: %v", e.ID, e.Off, e.Err)
}

// Is makes the error match its sentinel.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// Unwrap gives the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

var errBounds = errors.New("blob: range lies outside the blob")

func readTrailer(f File, id ID) (trailer, error) {
	size, err := f.Size()
	if err != nil {
		return trailer{}, err
	}
	if size < trailerSize {
		return trailer{}, &DamagedError{ID: id, Off: -1, Err: errMagic}
	}
	b := make([]byte, min(size, trailerSize+labelFooter+usualLabel))
	if err := readFull(f, b, size-int64(len(b))); err != nil {
		return trailer{}, err
	}
	t, err := decodeTrailer(b)
	if errors.Is(err, errLabel) {
		b = make([]byte, min(size, trailerSize+labelFooter+MaxLabel))
		if err := readFull(f, b, size-int64(len(b))); err != nil {
			return trailer{}, err
		}
		t, err = decodeTrailer(b)
	}
	switch {
	case err != nil:
	case t.fileSize() != size:
		err = errLength
	case t.id != id:
		err = errID
	}
	if err != nil {
		return trailer{}, &DamagedError{ID: id, Off: -1, Err: err}
	}
	return t, nil
}

// usualLabel is the length of a label that is read with the trailer.
const usualLabel = 200

// readFull fills p; an early end of the file is io.ErrUnexpectedEOF.
func readFull(f io.ReaderAt, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

type reader struct {
	file File
	trailer
	buffers *Buffers
}

func (r *reader) Size() int64    { return r.size }
func (r *reader) Label() []byte  { return r.label }
func (r *reader) File() *os.File { return r.file.OSFile() }
func (r *reader) Close() error   { return r.file.Close() }

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errBounds
	}
	if off >= r.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), r.size-off)
	done := 0
	err := r.walk(off, want, func(b []byte) error {
		done += copy(p[done:], b)
		return nil
	})
	if err == nil && want < int64(len(p)) {
		err = io.EOF
	}
	return done, err
}

// CopyRange implements Blob.
func (r *reader) CopyRange(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 || off > r.size || n > r.size-off {
		return 0, errBounds
	}
	var done int64
	err := r.walk(off, n, func(b []byte) error {
		m, err := w.Write(b)
		done += int64(m)
		return err
	})
	return done, err
}

// walk hands out bytes off to off+n, which are within the blob, in verified pieces. A piece is valid until fn returns.
func (r *reader) walk(off, n int64, fn func([]byte) error) error {
	if n == 0 {
		return nil
	}
	buf := r.buffers.Get()
	defer r.buffers.Put(buf)
	if int64(len(buf)) < r.chunk {
		buf = make([]byte, r.chunk) // chunks larger than any this program writes
	}
	per := int64(len(buf)) / r.chunk // chunks of one piece
	for n > 0 {
		first := off / r.chunk
		last := min((off+n-1)/r.chunk, first+per-1)
		start := first * r.chunk
		piece := buf[:min((last+1)*r.chunk, r.size)-start]
		if err := r.readChunks(piece, first, last); err != nil {
			return err
		}
		skip := off - start
		m := min(n, int64(len(piece))-skip)
		if err := fn(piece[skip : skip+m]); err != nil {
			return err
		}
		off, n = off+m, n-m
	}
	return nil
}

// readChunks reads whole chunks first to last and verifies each.
func (r *reader) readChunks(p []byte, first, last int64) error {
	sums := make([]byte, 4*(last-first+1))
	start := first * r.chunk
	if err := errors.Join(readFull(r.file, p, start), readFull(r.file, sums, r.size+4*first)); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return &DamagedError{ID: r.id, Off: start, Err: errLength}
		}
		return err
	}
	for i := int64(0); i <= last-first; i++ {
		chunk := p[i*r.chunk : min((i+1)*r.chunk, int64(len(p)))]
		if crc(chunk) != binary.LittleEndian.Uint32(sums[4*i:]) {
			return &DamagedError{ID: r.id, Off: start + i*r.chunk, Err: errChunk}
		}
	}
	return nil
}

// Verify reads all of a blob of a Files store, its table included. Damage is ErrDamaged.
func Verify(b Blob) error {
	if _, err := b.CopyRange(io.Discard, 0, b.Size()); err != nil {
		return err
	}
	r, ok := b.(*reader)
	if !ok {
		return nil
	}
	table := make([]byte, 4*chunks(r.size, r.chunk))
	if err := readFull(r.file, table, r.size); err != nil {
		return err
	}
	if crc(table) != r.tableSum {
		return &DamagedError{ID: r.id, Off: -1, Err: errTable}
	}
	return nil
}
