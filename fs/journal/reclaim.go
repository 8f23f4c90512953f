package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
)

// slack is how much of the log may be dead before live entries are written again to free it.
const slack = 4 // segments

// removeDoomedLocked removes data files whose end is durable.
func (j *Journal) removeDoomedLocked() {
	j.removeData(j.mu.doomed)
	j.mu.doomed = nil
}

// reclaim frees what it can of the log. A failure costs room only, and is tried again after the next batch.
func (j *Journal) reclaim() {
	err := j.removeDead()
	if err == nil {
		if old := j.mostlyDead(); old != nil {
			err = j.rewrite(old)
		}
	}
	if err != nil {
		j.log.Warn("cannot free room in the journal", "error", err)
	}
}

// removeDead removes segments without live entries, the oldest first, and syncs each removal. It waits until every
// Forget is synced: the bytes that an entry had must not go before its end is certain.
func (j *Journal) removeDead() error {
	for {
		j.mu.Lock()
		var old *segment
		certain := len(j.mu.owed)+len(j.mu.unsynced) == 0
		if certain && len(j.mu.segments) > 0 && !j.mu.segments[0].open && j.mu.segments[0].live == 0 {
			old = j.mu.segments[0]
		}
		j.mu.Unlock()
		if old == nil {
			return nil
		}
		if err := j.removeSegment(old); err != nil {
			return err
		}
		j.mu.Lock()
		j.mu.segments = slices.Delete(j.mu.segments, 0, 1)
		j.mu.Unlock()
	}
}

// removeSegment removes a segment, or gives it another name if it is damaged.
func (j *Journal) removeSegment(s *segment) error {
	name := segmentName(s.number)
	if s.bad {
		if err := j.fs.Rename(name, badPrefix+name); err != nil {
			return err
		}
	} else if err := j.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // when the sync failed before
		return err
	}
	if err := j.fs.SyncDir(); err != nil {
		return err
	}
	return s.file.Close()
}

// removeAllLocked removes all segments of a journal without entries.
func (j *Journal) removeAllLocked() error {
	for len(j.mu.segments) > 0 {
		if err := j.removeSegment(j.mu.segments[0]); err != nil {
			return err
		}
		j.mu.segments = j.mu.segments[1:]
	}
	j.removeDoomedLocked()
	return nil
}

// mostlyDead returns the oldest segment if the log is large and little of it is alive.
func (j *Journal) mostlyDead() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.mu.segments) <= slack || j.mu.segments[0].open || j.mu.segments[0].stuck {
		return nil
	}
	var disk, alive int64
	for _, s := range j.mu.segments {
		disk += s.size
	}
	for _, e := range j.mu.live {
		alive += int64(len(e.info))
		if e.content.place == placeInline {
			alive += e.content.bytes
		}
	}
	if disk < slack*j.opt.SegmentSize+2*alive {
		return nil
	}
	return j.mu.segments[0]
}

// rewrite writes the live entries of a segment once more, as they are, so that it can be removed. They are read under the
// lock, so that none of them ends meanwhile; a segment is small, and was written not long ago. Where one is damaged, all
// stay where they are until they end: written again, it would look right.
func (j *Journal) rewrite(old *segment) error {
	b := &batch{sync: true}
	j.mu.Lock()
	for id, e := range j.mu.live {
		if e.record != old && (e.content.place != placeInline || e.content.segment != old) {
			continue
		}
		c, err := e.again(id)
		if err != nil {
			old.stuck = errors.Is(err, ErrDamaged)
			j.mu.Unlock()
			return err
		}
		rec := record{puts: []change{c}, again: true}
		rec.encode()
		b.records = append(b.records, rec)
	}
	j.mu.Unlock()
	if err := j.commit(b); err != nil {
		return err
	}
	return j.removeDead()
}

// again is the last change of an entry once more.
func (e *entry) again(id uint64) (change, error) {
	from := e.content
	c := change{
		kind: kindPut, id: id, seq: e.seq, info: e.info,
		place: from.place, extents: from.extents, file: from.file, sum: from.sum,
	}
	if from.place == placeInline && from.bytes > 0 {
		c.data = make([]byte, from.bytes)
		if err := readFull(from.segment.file, c.data, from.at); err != nil {
			return c, err
		}
		if crc32.Checksum(c.data, crcTable) != from.sum {
			return c, from.damaged()
		}
	}
	return c, nil
}

// damaged says what is.
func (c *content) damaged() error {
	if c.place == placeFile {
		return fmt.Errorf("%w: %s", ErrDamaged, dataName(c.file))
	}
	return fmt.Errorf("%w: %s, %d bytes at %d", ErrDamaged, segmentName(c.segment.number), c.bytes, c.at)
}

// readContent calls fn with the bytes of a content, and says in the end whether they are what was written.
func (j *Journal) readContent(c content, fn func(p []byte, off int64) error) error {
	file, at := File(nil), c.at
	if c.place == placeInline {
		file = c.segment.file
	} else {
		data, err := j.fs.Open(dataName(c.file))
		if err != nil {
			return err
		}
		defer func() { _ = data.Close() }() // only read
		file, at = data, 0
	}
	buf := make([]byte, min(copyChunk, max(c.bytes, 1)))
	sum := uint32(0)
	for _, e := range c.extents {
		for off := e.Off; off < e.Off+e.Len; {
			p := buf[:min(int64(len(buf)), e.Off+e.Len-off)]
			if err := readFull(file, p, at); err != nil {
				return fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			sum = crc32.Update(sum, crcTable, p)
			if err := fn(p, off); err != nil {
				return err
			}
			off += int64(len(p))
			at += int64(len(p))
		}
	}
	if sum != c.sum {
		return c.damaged()
	}
	return nil
}
