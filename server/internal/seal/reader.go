package seal

import "io"

// Ranger hands out sealed bytes, as blob.Blob does.
type Ranger interface {
	CopyRange(w io.Writer, off, n int64) (int64, error)
}

// ReaderBuffer is the length of the buffer of CopyRange: two chunks.
const ReaderBuffer = 2 * sealedChunk

// CopyRange writes bytes off to off+n of a unit that holds size bytes, and lies in r, to w. Each chunk is opened whole
// before any of it is written. buf is as long as ReaderBuffer.
func (c *Cipher) CopyRange(w io.Writer, r Ranger, size, off, n int64, buf []byte) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	first, last := off/ChunkSize, (off+n-1)/ChunkSize
	o := &opener{cipher: c, w: w, plain: buf[:0:sealedChunk], held: buf[sealedChunk : sealedChunk : 2*sealedChunk],
		index: first, final: (size - 1) / ChunkSize, skip: off - first*ChunkSize, left: n}
	o.short = int(SealedSize(size) - o.final*sealedChunk)
	at := first * sealedChunk
	_, err := r.CopyRange(o, at, min((last+1)*sealedChunk, SealedSize(size))-at)
	if err == nil && o.left > 0 {
		err = ErrOpen
	}
	return n - o.left, err
}

// opener opens the chunks that are written to it, and writes the wanted part of them on.
type opener struct {
	cipher     *Cipher
	w          io.Writer
	plain      []byte // memory
	held       []byte // the beginning of a chunk that came in pieces
	index      int64  // of the next chunk
	final      int64  // index of the unit's last
	short      int    // length of that one
	skip, left int64  // bytes to leave out before, and to write
}

// Write takes sealed bytes, mostly whole chunks.
func (o *opener) Write(p []byte) (int, error) {
	for done := 0; ; {
		rest := p[done:]
		want := sealedChunk
		if o.index == o.final {
			want = o.short
		}
		if len(o.held)+len(rest) < want || len(rest) == 0 {
			o.held = append(o.held, rest...)
			return len(p), nil
		}
		whole := rest[:want-len(o.held)]
		done += len(whole)
		if len(o.held) > 0 {
			whole = append(o.held, whole...)
			o.held = o.held[:0]
		}
		if err := o.chunk(whole); err != nil {
			return done, err
		}
	}
}

// chunk opens the next chunk and hands on what is wanted of it.
func (o *opener) chunk(p []byte) error {
	plain, err := o.cipher.open(o.plain, p, o.index, o.index == o.final)
	if err != nil {
		return err
	}
	o.index++
	plain = plain[min(o.skip, int64(len(plain))):]
	plain = plain[:min(o.left, int64(len(plain)))]
	o.skip = 0
	n, err := o.w.Write(plain)
	o.left -= int64(n)
	return err
}
