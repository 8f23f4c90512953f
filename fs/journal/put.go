package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
)

// copyChunk is how much of a content is in memory when it goes to or comes from a data file.
const copyChunk = 1 << 20

// Put makes changes, and the end of other entries, durable: all of them when it returns nil, with a sequence number for
// each change. After an error everything is as before, but that a file which was given is not given again; ErrFull: there is no
// room. A crash of a disk that has failed may show a change that was not acknowledged, but only until the next one is. An entry
// has one Put at a time.
func (j *Journal) Put(changes []Change, forget ...Ref) ([]Ref, error) {
	refs, err := j.put(changes, forget)
	if !errors.Is(err, ErrFull) || j.Barrier() != nil {
		return refs, err
	}
	return j.put(changes, forget) // the Barrier may have made room
}

// put is Put with the room that there is.
func (j *Journal) put(changes []Change, forget []Ref) ([]Ref, error) {
	list := make([]change, len(changes))
	var made []uint64 // data files
	for i, c := range changes {
		list[i] = change{kind: kindPut, id: c.ID, info: slices.Clone(c.Info)}
		if c.Content == nil {
			continue
		}
		if err := j.place(&list[i], c.Content); err != nil {
			j.removeData(made)
			return nil, err
		}
		if list[i].place == placeFile {
			list[i].made = true
			made = append(made, list[i].file)
		}
	}
	refs, b, err := j.enqueue(list, forget)
	if err != nil {
		j.removeData(made)
		return nil, err
	}
	<-b.done
	if b.err != nil {
		if !b.there {
			j.removeData(made)
		}
		return nil, fmt.Errorf("write journal: %w", b.err)
	}
	return refs, nil
}

// Forget says that a state of an entry is done with, and the entry too if it has no later state; then others end with it.
// It returns when that is written; where it cannot be now, it will be with the next change.
func (j *Journal) Forget(ref Ref, with ...Ref) {
	j.mu.Lock()
	ended, ok := j.forgetLocked(nil, ref)
	if !ok || j.mu.closed {
		j.mu.Unlock()
		return
	}
	for _, other := range with {
		ended, _ = j.forgetLocked(ended, other)
	}
	j.mu.owed = append(j.mu.owed, ended...)
	b := j.batchLocked()
	j.mu.Unlock()
	<-b.done
}

// Barrier makes every Forget before it durable.
func (j *Journal) Barrier() error {
	j.mu.Lock()
	if j.mu.closed || j.certainLocked() && j.mu.batch == nil && !j.mu.writing {
		j.mu.Unlock()
		return nil
	}
	b := j.batchLocked()
	b.sync = true
	j.mu.Unlock()
	<-b.done
	return b.err
}

// forgetLocked ends an entry in memory, unless it has a later state or is about to get one, and adds what has to be
// written of that to ended.
func (j *Journal) forgetLocked(ended []change, ref Ref) ([]change, bool) {
	e := j.mu.live[ref.ID]
	switch {
	case j.mu.coming[ref.ID] > 0 || e != nil && e.seq > ref.Seq:
		return ended, false
	case e == nil:
		return ended, false
	}
	j.endLocked(ref.ID, e)
	return append(ended, change{kind: kindForget, id: ref.ID, seq: ref.Seq}), true
}

// endLocked takes a live entry away.
func (j *Journal) endLocked(id uint64, e *entry) {
	delete(j.mu.live, id)
	e.record.live--
	j.freeLocked(e.content)
}

// freeLocked says that an entry has these bytes no longer.
func (j *Journal) freeLocked(c content) {
	j.mu.bytes -= c.bytes
	switch c.place {
	case placeInline:
		c.segment.live--
	case placeFile:
		j.mu.doomed = append(j.mu.doomed, c.file)
	}
}

// enqueue gives the changes to the writer, in an order with all others.
func (j *Journal) enqueue(list []change, forget []Ref) ([]Ref, *batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.closed {
		return nil, nil, ErrClosed
	}
	for i := range list {
		if err := j.keepLocked(&list[i]); err != nil {
			return nil, nil, err
		}
	}
	refs := make([]Ref, len(list))
	for i := range list {
		j.mu.seq++
		list[i].seq = j.mu.seq
		j.mu.coming[list[i].id]++
		refs[i] = Ref{list[i].id, list[i].seq}
	}
	rec := record{puts: list}
	for _, ref := range forget {
		rec.forgets = append(rec.forgets, change{kind: kindForget, id: ref.ID, seq: ref.Seq})
	}
	rec.encode()
	if len(rec.bytes)-recordHead > maxPayload {
		j.arrivedLocked(list)
		return nil, nil, fmt.Errorf("%w: a record of %d bytes", ErrFull, len(rec.bytes))
	}
	b := j.batchLocked()
	b.sync = true
	b.records = append(b.records, rec)
	return refs, b, nil
}

// keepLocked finds the bytes that a change keeps. A record names its data file itself; inline bytes hold their segment.
func (j *Journal) keepLocked(c *change) error {
	if c.place != placeKept {
		return nil
	}
	e := j.mu.live[c.id]
	if e == nil {
		return ErrKept
	}
	if from := e.content; from.place == placeFile {
		c.place, c.extents, c.file, c.sum = placeFile, from.extents, from.file, from.sum
	}
	return nil
}

// arrivedLocked says that Puts are no longer being written.
func (j *Journal) arrivedLocked(list []change) {
	for _, c := range list {
		if j.mu.coming[c.id]--; j.mu.coming[c.id] == 0 {
			delete(j.mu.coming, c.id)
		}
	}
}

// place decides where bytes go, and brings them there or into memory.
func (j *Journal) place(c *change, from *Content) error {
	var total, end int64
	for _, e := range from.Extents {
		if e.Off < end || e.Len <= 0 || e.Off > math.MaxInt64-e.Len {
			return fmt.Errorf("extents of a journal entry: %d bytes at %d", e.Len, e.Off)
		}
		end = e.Off + e.Len
		total += e.Len
	}
	if err := j.reserve(total); err != nil {
		return err
	}
	c.extents = slices.Clone(from.Extents)
	if total > j.opt.InlineMax || len(from.Extents) > maxExtents {
		return j.writeData(c, from, total)
	}
	if err := j.spare(total); err != nil {
		return err
	}
	c.place, c.data = placeInline, make([]byte, 0, total)
	for _, e := range from.Extents {
		at := len(c.data)
		c.data = c.data[:at+int(e.Len)]
		if err := readFull(from.Data, c.data[at:], e.Off); err != nil {
			return err
		}
	}
	c.sum = crc32.Checksum(c.data, crcTable)
	return nil
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read what is to be journaled: %w", err)
}

// writeData writes bytes, total of them, to a data file and syncs it, and its name.
func (j *Journal) writeData(c *change, from *Content, total int64) (err error) {
	if len(from.Extents) > maxExtents {
		return fmt.Errorf("%w: more than %d ranges in one file", ErrFull, maxExtents)
	}
	j.mu.Lock()
	j.mu.file++
	c.place, c.file = placeFile, j.mu.file
	j.mu.Unlock()
	f, err := j.bring(c, from, total)
	if f == nil {
		return err
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = j.fs.SyncDir()
	}
	if err != nil {
		j.removeData([]uint64{c.file})
	}
	return err
}

// bring makes the data file, of the file that has the bytes if there is one, else of a copy of them. There may be a file with an
// error.
func (j *Journal) bring(c *change, from *Content, total int64) (f File, err error) {
	if from.Give != nil && len(from.Extents) == 1 && from.Extents[0].Off == 0 {
		given, err := from.Give(func(file *os.File, sum uint32) (err error) {
			c.sum = sum
			f, err = j.fs.Adopt(file, dataName(c.file))
			return err
		})
		if given || err != nil {
			return f, err // or it is not there, or damaged
		}
	}
	if err := j.spare(total); err != nil { // what is given has its room
		return nil, err
	}
	if f, err = j.fs.Create(dataName(c.file)); err == nil {
		c.sum = 0
		err = c.copyData(f, from)
	}
	return f, err
}

// copyData writes the extents one after the other, and takes their checksum.
func (c *change) copyData(f File, from *Content) error {
	buf := make([]byte, copyChunk)
	var to int64
	for _, e := range from.Extents {
		for off := e.Off; off < e.Off+e.Len; {
			p := buf[:min(copyChunk, e.Off+e.Len-off)]
			if err := readFull(from.Data, p, off); err != nil {
				return err
			}
			if _, err := f.WriteAt(p, to); err != nil {
				return err
			}
			c.sum = crc32.Update(c.sum, crcTable, p)
			off += int64(len(p))
			to += int64(len(p))
		}
	}
	return nil
}

// removeData removes data files that no record refers to. One that cannot be removed now is removed by the next Open.
func (j *Journal) removeData(files []uint64) {
	for _, n := range files {
		if err := j.fs.Remove(dataName(n)); err != nil {
			j.log.Warn("cannot remove a file of the journal", "file", dataName(n), "error", err)
		}
	}
}

func dataName(n uint64) string    { return fmt.Sprintf("data-%016x", n) }
func segmentName(n uint64) string { return fmt.Sprintf("log-%016x", n) }
