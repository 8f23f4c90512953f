package seal

import "io"

// Writer seals what is written to it and writes that on, a buffer at a time. It is for one goroutine.
type Writer struct {
	w      io.Writer
	cipher *Cipher
	buf    []byte // chunks in their places; all but the one that is begun are sealed
	chunks int    // that are sealed and wait in buf
	n      int    // bytes of the chunk that is begun
	index  int64  // of that chunk in the unit
	err    error
}

// WriterBuffer is what the length of a Writer's buffer must be a multiple of.
const WriterBuffer = sealedChunk

// NewWriter makes a Writer with a buffer, which is the Writer's until Close.
func NewWriter(w io.Writer, c *Cipher, buf []byte) *Writer { return &Writer{w: w, cipher: c, buf: buf} }

// Write implements io.Writer.
func (s *Writer) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		if s.n == ChunkSize { // only now it is known not to be the last
			s.end(false)
			if s.chunks*sealedChunk == len(s.buf) {
				s.flush()
			}
		}
		if s.err != nil {
			return done, s.err
		}
		at := s.chunks * sealedChunk
		m := copy(s.buf[at+s.n:at+ChunkSize], p)
		s.n, p, done = s.n+m, p[m:], done+m
	}
	return done, s.err
}

// end seals the chunk that is begun.
func (s *Writer) end(last bool) {
	at := s.chunks * sealedChunk
	s.cipher.seal(s.buf[at:at+s.n], s.index, last)
	s.index++
	if !last {
		s.chunks, s.n = s.chunks+1, 0
	}
}

func (s *Writer) flush() {
	if s.err == nil {
		_, s.err = s.w.Write(s.buf[:s.chunks*sealedChunk])
	}
	s.chunks = 0
}

// Close seals and writes what is left. It does not close what it writes to. A unit of no bytes is empty.
func (s *Writer) Close() error {
	if s.n == 0 {
		return s.err
	}
	s.end(true)
	if s.err == nil {
		_, s.err = s.w.Write(s.buf[:s.chunks*sealedChunk+s.n+Overhead])
	}
	s.chunks, s.n = 0, 0
	return s.err
}
