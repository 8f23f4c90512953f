package blockcache

import (
	"hash/crc32"
	"io"

	"golang.org/x/sys/unix"

	"pail/fs/readahead"
	"pail/s3client"
)

// wholeShare is how much of what the cache may hold one object may take because it is fetched whole.
const wholeShare = 8

// Keep implements readahead.Keeper: it keeps the chunks that lie wholly in data and are not here yet.
func (c *Cache) Keep(id readahead.ObjectID, off int64, data [][]byte) {
	if id.ETag == "" || id.Size <= smallest || id.Size > largest {
		return
	}
	e := c.hold(id.Key, id.ETag, id.Size)
	if e == nil {
		return
	}
	defer c.release(e)
	p := pieces{data, off}
	p.skipTo((off + chunkSize - 1) / chunkSize * chunkSize)
	for _, run := range c.missing(e, p.off, off+length(data)) {
		p.skipTo(run.off)
		if !c.reserve(run.end - run.off) {
			return
		}
		if err := c.save(e, run, p.upTo(run.end)); err != nil {
			c.fails(err)
			return
		}
	}
}

// Missing implements readahead.Keeper. An object is to be kept whole if it takes but a small share of the room.
func (c *Cache) Missing(id readahead.ObjectID) []s3client.Range {
	if id.ETag == "" || id.Size <= smallest || id.Size > largest || id.Size > c.room()/wholeShare {
		return nil
	}
	e := newEntry(id.Key, id.ETag, id.Size)
	c.mu.Lock()
	if kept := c.mu.entries[e.name]; kept != nil {
		e = kept
	}
	c.mu.Unlock()
	if e.size != id.Size {
		return nil
	}
	var missing []s3client.Range
	for _, r := range c.missing(e, 0, e.size) {
		missing = append(missing, s3client.Range{Off: r.off, Len: r.end - r.off})
	}
	return missing
}

// room returns the bytes that the cache may have in all: those that it has and those that are free for it.
func (c *Cache) room() int64 {
	left, err := c.spare()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || c.mu.full {
		return 0
	}
	if left += c.mu.used; c.opt.MaxBytes > 0 {
		left = min(left, c.opt.MaxBytes)
	}
	return left
}

// run is a range of whole chunks.
type run struct{ off, end int64 }

// missing returns the whole chunks of [off, end) that are not here, neighbours together. off is where a chunk begins.
func (c *Cache) missing(e *entry, off, end int64) []run {
	c.mu.Lock()
	defer c.mu.Unlock()
	var runs []run
	for ; off < e.size; off += chunkSize {
		to := min(off+chunkSize, e.size)
		if to > end {
			break
		}
		if e.records[off/chunkSize] != 0 {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].end == off {
			runs[n-1].end = to
		} else {
			runs = append(runs, run{off, to})
		}
	}
	return runs
}

// save writes a run, then the records that say that it is there.
func (c *Cache) save(e *entry, r run, data [][]byte) error {
	if err := writeAll(int(e.data.Fd()), data, r.off); err != nil {
		return err
	}
	var records []uint64
	p := pieces{data, r.off}
	for end := r.off; end < r.end; {
		end = min(end+chunkSize, r.end)
		sum := uint32(0)
		for _, b := range p.upTo(end) {
			sum = crc32.Update(sum, castagnoli, b)
		}
		records = append(records, whole|checked|uint64(sum))
		p.skipTo(end)
	}
	return c.setRecords(e, r.off/chunkSize, records)
}

// writeAll writes at an offset of a file, in as few calls as may be: the larger they are, the less a page costs.
func writeAll(fd int, data [][]byte, off int64) error {
	const most = 1024 // IOV_MAX
	for p := (pieces{data, off}); len(p.data) > 0; {
		n, err := unix.Pwritev(fd, p.data[:min(len(p.data), most)], p.off)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
		p.skipTo(p.off + int64(n))
	}
	return nil
}

// pieces are the bytes of a file from off on.
type pieces struct {
	data [][]byte
	off  int64
}

// skipTo leaves out what lies before off. The slices that data had stay as they are.
func (p *pieces) skipTo(off int64) {
	for len(p.data) > 0 && p.off+int64(len(p.data[0])) <= off {
		p.off += int64(len(p.data[0]))
		p.data = p.data[1:]
	}
	if p.off >= off {
		return
	}
	if len(p.data) > 0 {
		p.data = append([][]byte{p.data[0][off-p.off:]}, p.data[1:]...)
	}
	p.off = off
}

// upTo returns what lies before end.
func (p *pieces) upTo(end int64) [][]byte {
	var out [][]byte
	at := p.off
	for _, b := range p.data {
		if at >= end {
			break
		}
		out = append(out, b[:min(int64(len(b)), end-at)])
		at += int64(len(b))
	}
	return out
}

func length(data [][]byte) (n int64) {
	for _, b := range data {
		n += int64(len(b))
	}
	return n
}
