package stage

import (
	"fmt"
	"hash/crc32"
	"os"

	"golang.org/x/sync/errgroup"
)

// Give hands the frozen bytes over to somebody who keeps them, as a file of the operating system that has them and nothing else,
// with their CRC-32C: from then on they are only read here, and copied when somebody writes to the file. keep may give a file
// without a name (O_TMPFILE) one. It reports false where the bytes are not such a file, where the file was changed since it was
// frozen or had been given before, and where keep does not take it. ErrDamaged says that they are not what was written, with
// whatever keep has done: they are checked once they cannot change any more. On false all is as it was.
func (s *Snapshot) Give(keep func(f *os.File, sum uint32) error) (bool, error) {
	file, sums, sum := s.lend()
	if file == nil {
		return false, nil
	}
	if err := keep(file, sum); err != nil {
		s.file.takeBack(sums)
		return false, nil
	}
	if err := sums.verify(s.size); err != nil {
		s.file.takeBack(sums)
		return false, fmt.Errorf("read local data: %w", err)
	}
	return true, nil
}

// lend makes the local file one that is only read, if it holds all that is frozen, and nothing else, and returns it with its sums
// and the sum of them all; nil if it is no such file.
func (s *Snapshot) lend() (*os.File, *summed, uint32) {
	f := s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	sums, ok := f.local.file.(*summed)
	if !ok || f.local.lender != nil || !s.heldLocked() || s.changed ||
		!s.content.all(0, s.size, func(k kind) bool { return k.public() == Data }) {
		return nil, nil, 0
	}
	file, ok := sums.file.(osFile)
	if !ok {
		return nil, nil, 0
	}
	if info, err := file.Stat(); err != nil || info.Size() != s.size {
		return nil, nil, 0
	}
	sum, whole := sums.sum(s.size)
	if !whole {
		return nil, nil, 0
	}
	f.local.file = &borrowed{sums}
	return file.File, sums, sum
}

// takeBack undoes lend, unless somebody has written meanwhile and has a copy.
func (f *File) takeBack(sums *summed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lent := f.local.file
	if b, ok := lent.(*borrowed); !ok || b.Source != Source(sums) {
		return
	}
	f.local.file = sums
	for _, s := range f.frozen {
		if s.from.file == lent { // it was taken meanwhile, and is written to again
			s.from.file = sums
		}
	}
}

// Verifying is one goroutine for each piece, and not more than that many at once: somebody waits for it.
const (
	verifyPiece = 16 << 20
	verifiers   = 4
)

// verify reads the first bytes of a file, to see whether they are what was written.
func (s *summed) verify(size int64) error {
	var work errgroup.Group
	work.SetLimit(verifiers)
	for from := int64(0); from < size; from += verifyPiece {
		work.Go(func() error { return s.verifyRange(from, min(from+verifyPiece, size)) })
	}
	return work.Wait()
}

func (s *summed) verifyRange(off, end int64) error {
	for buf := make([]byte, min(copyChunk, end-off)); off < end; off += int64(len(buf)) {
		if _, err := s.ReadAt(buf[:min(int64(len(buf)), end-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// sum returns the CRC-32C of the first bytes of a file, of those of its blocks. It reports false where these do not cover them.
func (s *summed) sum(size int64) (all uint32, whole bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	block := shiftOf(blockSize)
	for n := int64(0); n*blockSize < size; n++ {
		b, want := s.blockLocked(n), min(blockSize, size-n*blockSize)
		if int64(b.good) != want || b.end != b.good {
			return 0, false
		}
		by := block
		if want < blockSize {
			by = shiftOf(want)
		}
		all = multiply(by, all) ^ b.sum
	}
	return all, true
}

// A CRC is a polynomial over GF(2), here with the coefficient of x^0 in the highest bit, as crc32.Castagnoli has it. What n
// bytes behind others do to the CRC of these is a multiplication by x^8n, modulo the CRC's polynomial; so the CRC of both is
// that product, plus the CRC of the n bytes. (Mark Adler's crc32_combine of zlib.)
const one = 1 << 31 // x^0

// multiply returns a*b.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a&one != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return product
}

// shiftOf returns x^8n.
func shiftOf(n int64) uint32 {
	power, square := uint32(one), uint32(one>>8)
	for left := uint64(n); left != 0; left >>= 1 {
		if left&1 != 0 {
			power = multiply(power, square)
		}
		square = multiply(square, square)
	}
	return power
}
