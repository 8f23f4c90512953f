package journal

import (
	"crypto/rand"
	"encoding/binary"
)

// gather is the size up to which records are written in one call.
const gather = 256 << 10

// append writes the records of a batch, and syncs them if it says so; it returns where they are. After an error nothing
// of it counts.
func (j *Journal) append(b *batch) (seg *segment, at []int64, err error) {
	if seg, err = j.current(); err != nil {
		return nil, nil, err
	}
	size := seg.size
	at, end, err := seg.write(b.records)
	if err == nil {
		j.resize(seg, end)
		if b.sync {
			err = j.sync(seg)
		}
	}
	if err == nil {
		return seg, at, nil
	}
	if seg.open && seg.file.Truncate(size) == nil && j.sync(seg) == nil {
		return nil, nil, err
	}
	b.there = true
	j.leave(seg)
	return nil, nil, err
}

// write appends records to the segment, and returns where they are and where the last one ends. The caller cuts off what
// was written when it fails.
func (s *segment) write(records []record) (at []int64, end int64, err error) {
	var buf []byte
	end = s.size
	flush := func(b []byte) {
		if err == nil && len(b) > 0 {
			_, err = s.file.WriteAt(b, end)
			end += int64(len(b))
		}
	}
	for _, r := range records {
		if len(buf)+len(r.bytes) > gather {
			flush(buf)
			buf = buf[:0]
		}
		sealRecord(r.bytes, s.salt, s.synced)
		at = append(at, end+int64(len(buf)))
		if len(r.bytes) > gather {
			flush(r.bytes)
			continue
		}
		buf = append(buf, r.bytes...)
	}
	flush(buf)
	return at, end, err
}

// sync makes a segment durable, or leaves it.
func (j *Journal) sync(seg *segment) error {
	if err := seg.file.Sync(); err != nil {
		j.leave(seg)
		return err
	}
	seg.synced = seg.size
	return nil
}

// leave ends the use of a segment in which something may be missing: nothing is written to it any more, and the Forgets
// in it that were not synced are owed again.
func (j *Journal) leave(seg *segment) {
	seg.open = false
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.owed = append(j.mu.unsynced, j.mu.owed...)
	j.mu.unsynced = nil
}

func (j *Journal) resize(seg *segment, size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	seg.size = size
}

// current returns the segment to write to, a new one if need be.
func (j *Journal) current() (*segment, error) {
	j.mu.Lock()
	var last *segment
	if n := len(j.mu.segments); n > 0 {
		last = j.mu.segments[n-1]
	}
	j.mu.Unlock()
	if last != nil && last.open {
		if last.size < j.opt.SegmentSize {
			return last, nil
		}
		if err := j.sync(last); err != nil {
			return nil, err
		}
		last.open = false
	}
	j.segno++
	seg, err := j.create(j.segno)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.segments = append(j.mu.segments, seg)
	return seg, nil
}

// create makes a segment whose header and name are durable.
func (j *Journal) create(number uint64) (*segment, error) {
	name := segmentName(number)
	file, err := j.fs.Create(name)
	if err != nil {
		return nil, err
	}
	seg := &segment{number: number, file: share(file), salt: newSalt(), open: true}
	header := appendHeader(nil, j.opt.Owner, seg.salt)
	seg.size, seg.synced = int64(len(header)), int64(len(header))
	if _, err = file.WriteAt(header, 0); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = j.fs.SyncDir()
	}
	if err == nil {
		return seg, nil
	}
	_ = file.Close() // it holds nothing
	if rmErr := j.fs.Remove(name); rmErr != nil {
		j.log.Warn("cannot remove a file of the journal", "file", name, "error", rmErr)
	}
	return nil, err
}

func newSalt() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}
