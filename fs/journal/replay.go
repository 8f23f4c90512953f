package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// badPrefix is what the names of files begin with that are kept for somebody to look at.
const badPrefix = "bad-"

// Open reads the journal in a directory, or begins one. What is damaged is set aside under bad-*, logged, and does not
// stop the rest; Damaged says that there is such a thing. The caller closes fs after the journal.
func Open(fs FS, opt Options) (*Journal, error) {
	if len(opt.Owner) > maxOwner {
		return nil, fmt.Errorf("owner of a journal: %d bytes", len(opt.Owner))
	}
	if opt.InlineMax <= 0 {
		opt.InlineMax = DefaultInlineMax
	}
	if opt.SegmentSize <= 0 {
		opt.SegmentSize = DefaultSegmentSize
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	j := &Journal{fs: fs, opt: opt, log: opt.Log, work: make(chan struct{}, 1), done: make(chan struct{})}
	j.mu.live, j.mu.coming = map[uint64]*entry{}, map[uint64]int{}
	if err := j.replay(); err != nil {
		for _, seg := range j.mu.segments {
			_ = seg.file.Close() // only read
		}
		return nil, err
	}
	go j.run()
	return j, nil
}

// replay reads all segments, and removes what no entry refers to. What is read is made durable before anything follows
// from it: a process that was killed need not have synced what it wrote.
func (j *Journal) replay() error {
	data, err := j.read()
	if err != nil {
		return err
	}
	for _, seg := range j.mu.segments {
		if err := seg.file.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", segmentName(seg.number), err)
		}
	}
	return j.settle(data)
}

// read reads all segments, and returns the data files that are there.
func (j *Journal) read() (data map[uint64]bool, err error) {
	names, err := j.fs.List()
	if err != nil {
		return nil, err
	}
	data = map[uint64]bool{}
	var segments []uint64
	for _, name := range names {
		if n, ok := numberOf(name, "log-"); ok {
			segments = append(segments, n)
			j.segno = max(j.segno, n)
		}
		if n, ok := numberOf(name, "data-"); ok {
			data[n] = true
			j.mu.file = max(j.mu.file, n)
		}
	}
	slices.Sort(segments)
	for _, n := range segments {
		if err := j.replaySegment(n); err != nil {
			return nil, fmt.Errorf("journal file %s: %w", segmentName(n), err)
		}
	}
	return data, nil
}

func numberOf(name, prefix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, ok && err == nil && len(digits) == 16
}

// settle drops entries without their bytes, and data files without their entry.
func (j *Journal) settle(data map[uint64]bool) error {
	for id, e := range j.mu.live {
		there := e.content.place == placeInline
		if e.content.place == placeFile {
			there = data[e.content.file]
			delete(data, e.content.file)
		}
		if !there {
			j.log.Error("the bytes of a journaled file are missing", "entry", id)
			j.mu.damaged = true
			j.endLocked(id, e)
		}
	}
	j.mu.doomed = nil
	for n := range data {
		if err := j.fs.Remove(dataName(n)); err != nil {
			return err
		}
	}
	return j.removeDead()
}

// replaySegment applies the records of a segment.
func (j *Journal) replaySegment(number uint64) error {
	file, err := j.fs.Open(segmentName(number))
	if err != nil {
		return err
	}
	seg := &segment{number: number, file: share(file)}
	j.mu.segments = append(j.mu.segments, seg)
	all, err := readAll(file)
	if err != nil {
		return err
	}
	seg.size = int64(len(all))
	owner, salt, at, err := parseHeader(all)
	switch {
	case errors.Is(err, ErrVersion):
		return err
	case err != nil && len(all) <= newSegment: // being made when the power went
		return nil
	case err != nil:
		j.log.Error("a file of the journal is damaged", "file", segmentName(number), "error", err)
		seg.bad, j.mu.damaged = true, true
		return nil
	case owner != j.opt.Owner:
		return fmt.Errorf("%w: %s", ErrOwner, owner)
	}
	seg.salt = salt
	seg.bad = j.replayRecords(seg, all, at)
	j.mu.damaged = j.mu.damaged || seg.bad
	return nil
}

func readAll(f File) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxSegment {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrDamaged, size)
	}
	all := make([]byte, size)
	if err := readFull(f, all, 0); err != nil && size > 0 {
		return nil, err
	}
	return all, nil
}

// newSegment is the most that a segment has before its header is durable.
const newSegment = maxOwner + 64

// maxSegment is what a segment can reach with any SegmentSize that was in use.
const maxSegment = 1 << 30

// replayRecords applies what comes after the header, and reports whether something that had been acknowledged is damaged.
func (j *Journal) replayRecords(seg *segment, all []byte, at int) (damaged bool) {
	for at < len(all) {
		payload, _, size, err := parseRecord(all[at:], seg.salt)
		if err == nil {
			if err := j.replayRecord(seg, int64(at), payload); err != nil {
				j.log.Error("a record of the journal makes no sense", "file", segmentName(seg.number), "offset", at, "error", err)
				damaged = true
			}
			at += size
			continue
		}
		next, ok := resume(all, seg.salt, at)
		if !ok {
			return damaged
		}
		j.log.Error("a part of the journal is damaged", "file", segmentName(seg.number), "offset", at, "bytes", next-at)
		damaged = true
		at = next
	}
	return damaged
}

// resume looks for the next record after a bad one at a place, which was synced before that record was written: without
// one, the bad record is the end.
func resume(all []byte, salt uint32, bad int) (next int, ok bool) {
	for at := bad + 1; at+recordHead <= len(all); at++ {
		if binary.LittleEndian.Uint32(all[at:]) != recordMagic {
			continue
		}
		if _, synced, _, err := parseRecord(all[at:], salt); err == nil && synced > int64(bad) && synced <= int64(at) {
			return at, true
		}
	}
	return 0, false
}

// replayRecord applies one record.
func (j *Journal) replayRecord(seg *segment, at int64, payload []byte) error {
	changes, err := parseChanges(payload)
	if err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		j.mu.id, j.mu.seq = max(j.mu.id, c.id), max(j.mu.seq, c.seq)
		if e := j.mu.live[c.id]; c.kind == kindForget {
			if e != nil && e.seq <= c.seq {
				j.endLocked(c.id, e)
			}
			continue
		} else if e != nil && e.seq > c.seq {
			continue // written again later, by reclaim
		}
		c.info = slices.Clone(c.info)
		j.putLocked(seg, at+recordHead, c)
	}
	return nil
}

// Damaged reports whether Open has found damage: entries may be missing.
func (j *Journal) Damaged() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.damaged
}
