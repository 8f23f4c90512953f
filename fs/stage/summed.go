package stage

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"sync"
)

// ErrDamaged says that the local disk does not have what was written to it.
var ErrDamaged = errors.New("local data is damaged")

// summed is a file on the local disk that hands out no bytes but those that were written. Their sums are taken when they are
// written, and kept in memory: 8 bytes for each block, from the area's budget. What it reads beyond the last byte written is
// zeros. Guarded by itself, so that readers need no lock of the file's while they wait for the disk.
type summed struct {
	file diskFile
	area *Area

	mu    sync.RWMutex // held for writing over each write, so that a sum never goes with other bytes
	pages map[int64]*[pageBlocks]block
}

// A page holds the sums of 4 MiB.
const (
	blockSize  = 32 << 10
	pageBlocks = 128
	pageBytes  = 8 * pageBlocks
)

// block is what is known of a block of the file: sum is that of its first good bytes. What lies from there to end is damaged:
// it was when it was partly overwritten, or nobody knows how much of a write that failed is there. Behind end nothing was
// written.
type block struct {
	sum       uint32
	good, end uint16
}

var sumTable = crc32.MakeTable(crc32.Castagnoli)

// create makes a local file.
func (a *Area) create() (diskFile, error) {
	file, err := a.disk.create()
	if err != nil {
		return nil, fmt.Errorf("local file in %s: %w", a.dir, asNoSpace(err))
	}
	return &summed{file: file, area: a, pages: map[int64]*[pageBlocks]block{}}, nil
}

// ReadAt implements io.ReaderAt: ErrDamaged says that what was read is not what was written.
func (s *summed) ReadAt(p []byte, off int64) (int, error) {
	if s.isClosed() {
		return 0, ErrClosed
	}
	err := s.read(p, off, func(n int64) block {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.blockLocked(n)
	})
	if errors.Is(err, ErrDamaged) { // unless it was being written to
		s.mu.RLock()
		defer s.mu.RUnlock()
		err = s.read(p, off, s.blockLocked)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *summed) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.pages == nil
}

// read reads block by block.
func (s *summed) read(p []byte, off int64, of func(n int64) block) error {
	for len(p) > 0 {
		n, at := off/blockSize, int(off%blockSize)
		piece := p[:min(len(p), blockSize-at)]
		b := of(n)
		have := min(max(int(b.end)-at, 0), len(piece))
		clear(piece[have:])
		if have > 0 {
			if err := s.readBlock(piece[:have], n, at, b); err != nil {
				return err
			}
		}
		p, off = p[len(piece):], off+int64(len(piece))
	}
	return nil
}

// buffers are for the blocks of which only a part is wanted.
var buffers = sync.Pool{New: func() any { return new([blockSize]byte) }}

// readBlock fills p with bytes of a block, from one on.
func (s *summed) readBlock(p []byte, n int64, at int, b block) error {
	if at+len(p) > int(b.good) {
		return damagedAt(n, b)
	}
	if at == 0 && len(p) == int(b.good) {
		return s.readGood(p, n, b)
	}
	buf := buffers.Get().(*[blockSize]byte)
	defer buffers.Put(buf)
	good := buf[:b.good]
	if err := s.readGood(good, n, b); err != nil {
		return err
	}
	copy(p, good[at:])
	return nil
}

// readGood reads the bytes of a block that have a sum, and checks it.
func (s *summed) readGood(p []byte, n int64, b block) error {
	got, err := s.file.ReadAt(p, n*blockSize)
	switch {
	case got < len(p) && err != nil && err != io.EOF:
		return err
	case got < len(p), crc32.Checksum(p, sumTable) != b.sum:
		return damagedAt(n, b)
	}
	return nil
}

func damagedAt(n int64, b block) error {
	return fmt.Errorf("%w: it is not what was written, somewhere from byte %d to %d", ErrDamaged, n*blockSize, n*blockSize+int64(b.end))
}

// WriteAt implements io.WriterAt. Who overwrites a part of a damaged block gets ErrDamaged, unless he begins where it begins,
// or where the last such write has ended: so a program that writes the range anew heals it, in pieces of any size.
func (s *summed) WriteAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := map[int64][]byte{} // of the blocks at the ends
	for _, n := range []int64{off / blockSize, (off + int64(len(p)) - 1) / blockSize} {
		from, to := within(n, off, off+int64(len(p)))
		var err error
		if old[n], err = s.oldLocked(n, from, to); err != nil {
			return 0, err
		}
	}
	done, err := s.file.WriteAt(p, off)
	for left := p[:done]; len(left) > 0; {
		n, at := off/blockSize, int(off%blockSize)
		piece := left[:min(len(left), blockSize-at)]
		s.setLocked(n, s.blockLocked(n).written(old[n], at, piece))
		left, off = left[len(piece):], off+int64(len(piece))
	}
	return done, err
}

// within returns which bytes of a block are in [off, end).
func within(n, off, end int64) (from, to int) {
	return int(min(max(off-n*blockSize, 0), blockSize)), int(min(max(end-n*blockSize, 0), blockSize))
}

// oldLocked returns the bytes of a block, of which [from, to) is about to be overwritten, where its new sum cannot be had
// without them.
func (s *summed) oldLocked(n int64, from, to int) ([]byte, error) {
	b := s.blockLocked(n)
	good, end := int(b.good), int(b.end)
	switch {
	case from == 0 && to >= end, from >= end && good == end, good < end && (from == 0 || from == good):
		return nil, nil
	case good < end:
		return nil, damagedAt(n, b)
	}
	old := make([]byte, end)
	err := s.readGood(old, n, b)
	if errors.Is(err, ErrDamaged) && from == 0 {
		return nil, nil // it is being written anew
	}
	return old, err
}

// written is the block once piece is there at an offset. old is what oldLocked said; less may have been written than it was
// told of.
func (b block) written(old []byte, at int, piece []byte) block {
	to := at + len(piece)
	good, end := int(b.good), int(b.end)
	switch {
	case old != nil:
		whole := append(old, make([]byte, max(to-end, 0))...)
		copy(whole[at:], piece)
		return block{crc32.Checksum(whole, sumTable), uint16(len(whole)), uint16(len(whole))}
	case at == 0:
		return block{crc32.Checksum(piece, sumTable), uint16(to), uint16(max(to, end))}
	case at > good:
		b.sum = crc32.Update(b.sum, sumTable, make([]byte, at-good)) // never written
	}
	return block{crc32.Update(b.sum, sumTable, piece), uint16(to), uint16(max(to, end))}
}

// Truncate implements diskFile.
func (s *summed) Truncate(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zeroLocked(size, math.MaxInt64, func() error { return s.file.Truncate(size) })
}

// Punch implements diskFile.
func (s *summed) Punch(off, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zeroLocked(off, off+n, func() error { return s.file.Punch(off, n) })
}

// zeroLocked has do make [off, end) zeros.
func (s *summed) zeroLocked(off, end int64, do func() error) error {
	ends := map[int64]block{}
	for _, n := range []int64{off / blockSize, (end - 1) / blockSize} {
		from, to := within(n, off, end)
		ends[n] = s.zeroedLocked(n, from, to)
	}
	if err := do(); err != nil {
		return err
	}
	for n := range s.blocksLocked(off/blockSize, (end-1)/blockSize) {
		s.setLocked(n, ends[n])
	}
	return nil
}

// zeroedLocked is a block once [from, to) of it is zeros.
func (s *summed) zeroedLocked(n int64, from, to int) block {
	b := s.blockLocked(n)
	good, end := int(b.good), int(b.end)
	switch {
	case from >= end:
		return b
	case from == 0 && to >= end:
		return block{}
	case to >= end:
		end = from // it ends there
	}
	bytes := make([]byte, good)
	if err := s.readGood(bytes, n, b); err != nil {
		return block{end: uint16(end)}
	}
	if clear(bytes[min(from, good):min(to, good)]); good > end {
		bytes = bytes[:end]
	}
	return block{crc32.Checksum(bytes, sumTable), uint16(len(bytes)), uint16(end)}
}

// blocksLocked yields the numbers of the blocks of a range that have bytes.
func (s *summed) blocksLocked(first, last int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, number := range s.pagesLocked(first/pageBlocks, last/pageBlocks) {
			for i, b := range s.pages[number] {
				if n := number*pageBlocks + int64(i); b.end > 0 && n >= first && n <= last && !yield(n) {
					return
				}
			}
		}
	}
}

// pagesLocked returns the pages of a range that there are.
func (s *summed) pagesLocked(first, last int64) (list []int64) {
	if last-first < int64(len(s.pages)) {
		for number := first; number <= last; number++ {
			if s.pages[number] != nil {
				list = append(list, number)
			}
		}
		return list
	}
	for number := range s.pages {
		if number >= first && number <= last {
			list = append(list, number)
		}
	}
	return list
}

func (s *summed) blockLocked(n int64) block {
	if page := s.pages[n/pageBlocks]; page != nil {
		return page[n%pageBlocks]
	}
	return block{}
}

// setLocked keeps a sum. Room for it is taken from the budget even where there is none: others get less then.
func (s *summed) setLocked(n int64, b block) {
	page := s.pages[n/pageBlocks]
	if page == nil {
		s.area.memUsed.Add(pageBytes)
		page = new([pageBlocks]block)
		s.pages[n/pageBlocks] = page
	}
	page[n%pageBlocks] = b
	if b.end == 0 && *page == [pageBlocks]block{} {
		delete(s.pages, n/pageBlocks)
		s.area.releaseMemory(pageBytes)
	}
}

// Close implements io.Closer.
func (s *summed) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.area.releaseMemory(pageBytes * int64(len(s.pages)))
	s.pages = nil
	return s.file.Close()
}
