package journal

import (
	"slices"
	"time"
)

// record is what one Put writes.
type record struct {
	puts, forgets []change
	again         bool   // what is in the log already, written once more by reclaim or retract, after what ends others
	bytes         []byte // with room for the head
}

func (r *record) encode() {
	size := recordHead
	for i := range r.puts {
		size += 64 + len(r.puts[i].info) + len(r.puts[i].data) + 20*len(r.puts[i].extents)
	}
	r.bytes = make([]byte, recordHead, size+32*len(r.forgets))
	if r.again {
		r.appendForgets()
	}
	for i := range r.puts {
		r.bytes = appendChange(r.bytes, &r.puts[i])
		r.puts[i].data = nil
		r.puts[i].dataAt -= recordHead
	}
	if !r.again {
		r.appendForgets()
	}
}

func (r *record) appendForgets() {
	for i := range r.forgets {
		r.bytes = appendChange(r.bytes, &r.forgets[i])
	}
}

// batch is what the writer writes, and if need be syncs, at once.
type batch struct {
	records []record
	sync    bool
	done    chan struct{}

	// valid when done is closed
	err   error
	there bool // with err: the records may all the same be on disk
}

// segment is a file of the log.
type segment struct {
	number uint64
	file   *sharedFile
	salt   uint32
	size   int64
	synced int64 // of size
	open   bool  // records are appended
	bad    bool  // damaged: keep it
	stuck  bool  // an entry in it cannot be written again
	live   int   // entries whose record, or whose bytes, lie here; guarded by Journal.mu
}

// How long a Forget waits for something to be synced with before it is synced alone: at first, and at most when the disk
// fails. Until then a power cut makes it void, and the data files of its entry take room.
const (
	syncBase = time.Second
	syncMax  = time.Minute
)

// batchLocked returns the batch that is being gathered, and sees to it that it is written.
func (j *Journal) batchLocked() *batch {
	if j.mu.batch == nil {
		j.mu.batch = &batch{done: make(chan struct{})}
		j.wake()
	}
	return j.mu.batch
}

// wake makes the writer look for a batch, or the end.
func (j *Journal) wake() {
	select {
	case j.work <- struct{}{}:
	default: // it is about to look
	}
}

// run is the writer: the only one who changes segments. It ends when the journal is closed and all is written.
func (j *Journal) run() {
	defer close(j.done)
	timer := time.NewTimer(syncBase)
	defer timer.Stop()
	timer.Stop()
	set, wait := false, syncBase
	for {
		b, closed := j.take()
		switch {
		case b != nil:
			j.write(b)
		case closed:
			return
		default:
			select {
			case <-j.work:
			case <-timer.C:
				set, wait = false, min(2*wait, syncMax)
				j.syncLater()
			}
			continue
		}
		switch certain := j.certain(); {
		case certain:
			timer.Stop()
			set, wait = false, syncBase
		case !set:
			timer.Reset(wait)
			set = true
		}
	}
}

// take takes the batch that has been gathered; nil: there is none.
func (j *Journal) take() (b *batch, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b = j.mu.batch
	j.mu.batch, j.mu.writing = nil, b != nil
	return b, j.mu.closed
}

// write writes a batch, and lets those go on who wait for it.
func (j *Journal) write(b *batch) {
	b.err = j.commit(b)
	if b.there {
		_ = j.commit(&batch{sync: true}) // to take it back; else the next one does
	}
	j.mu.Lock()
	j.mu.writing = false
	j.mu.Unlock()
	close(b.done)
	j.reclaim()
}

// syncLater has the next batch synced, whether something comes or not.
func (j *Journal) syncLater() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.batchLocked().sync = true
}

// certain reports whether every Forget is synced, and nothing is on disk that was not acknowledged.
func (j *Journal) certain() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.certainLocked()
}

func (j *Journal) certainLocked() bool {
	return len(j.mu.owed)+len(j.mu.unsynced)+len(j.mu.doubtful) == 0
}

// commit writes a batch, after what takes back that of earlier ones; and then what is owed: reclaim may be writing an entry
// again that has ended since.
func (j *Journal) commit(b *batch) error {
	mine := b.records
	back, err := j.retract()
	if err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.triedLocked(mine)
		return err
	}
	if len(back) > 0 {
		b.records, b.sync = slices.Concat(back, mine), true
	}
	j.mu.Lock()
	owed := j.mu.owed
	j.mu.owed = nil
	j.mu.Unlock()
	if len(owed) > 0 {
		forgets := record{forgets: owed}
		forgets.encode()
		b.records = append(b.records, forgets)
	}
	seg, at, err := j.append(b)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.triedLocked(b.records)
	if err != nil {
		j.mu.owed = append(owed, j.mu.owed...)
		if b.there {
			j.doubtLocked(mine)
		}
		return err
	}
	if len(back) > 0 {
		j.settledLocked()
	}
	for i := range b.records {
		j.applyLocked(seg, at[i], &b.records[i])
	}
	j.mu.unsynced = append(j.mu.unsynced, owed...)
	if !b.sync {
		return nil
	}
	j.mu.unsynced = nil
	if len(j.mu.owed) == 0 {
		j.removeDoomedLocked()
	}
	return nil
}

// triedLocked says that the Puts of records are no longer being written, be it that they could not be.
func (j *Journal) triedLocked(records []record) {
	for i := range records {
		if !records[i].again {
			j.arrivedLocked(records[i].puts)
		}
	}
}

// applyLocked brings the entries up to date with a record that is at a place of a segment.
func (j *Journal) applyLocked(seg *segment, at int64, r *record) {
	for i := range r.puts {
		if r.again {
			j.movedLocked(seg, at+recordHead, &r.puts[i])
		} else {
			j.putLocked(seg, at+recordHead, &r.puts[i])
		}
	}
	if r.again {
		return // what it ends is not known here
	}
	for _, c := range r.forgets {
		if e := j.mu.live[c.id]; e != nil && e.seq <= c.seq {
			j.endLocked(c.id, e)
		}
	}
}

// putLocked makes c the state of its entry. payload is where the record's payload begins in seg.
func (j *Journal) putLocked(seg *segment, payload int64, c *change) {
	old := j.mu.live[c.id]
	e := &entry{seq: c.seq, info: c.info, record: seg}
	seg.live++
	switch {
	case c.place == placeKept && old != nil:
		e.content = old.content
	case c.place == placeKept: // only in replay: its bytes lay in a segment that is gone, so its end must follow
	default:
		e.content = content{
			place: c.place, extents: c.extents, bytes: length(c.extents),
			segment: seg, at: payload + int64(c.dataAt), file: c.file, sum: c.sum,
		}
		if c.place == placeInline {
			seg.live++
		}
		j.mu.bytes += e.content.bytes
	}
	if old != nil {
		old.record.live--
		switch same := c.place == placeFile && old.content.place == placeFile && old.content.file == c.file; {
		case same:
			j.mu.bytes -= old.content.bytes
		case c.place != placeKept:
			j.freeLocked(old.content)
		}
	}
	j.mu.live[c.id] = e
}

// movedLocked says that an entry is in another segment now, unless it has ended or changed meanwhile.
func (j *Journal) movedLocked(seg *segment, payload int64, c *change) {
	e := j.mu.live[c.id]
	if e == nil || e.seq != c.seq {
		return
	}
	e.record.live--
	e.record = seg
	seg.live++
	if e.content.place == placeInline {
		e.content.segment.live--
		e.content.segment, e.content.at = seg, payload+int64(c.dataAt)
		seg.live++
	}
}

func length(extents []Extent) (n int64) {
	for _, e := range extents {
		n += e.Len
	}
	return n
}
