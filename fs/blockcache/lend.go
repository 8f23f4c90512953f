package blockcache

import (
	"hash/crc32"
	"os"

	"pail/s3client"
)

// Lend returns the file of a version that is wholly kept, of which all is as it was written; giveBack ends its use. The
// caller reads it, and nobody compares checksums any more; so each chunk is compared once, before: those that this Cache
// has not written or read yet in the background, and the file is lent to a later caller. Only the owner of the directory
// can change it after that, and the disk.
func (c *Cache) Lend(key string, etag s3client.ETag, size int64) (f *os.File, giveBack func(), ok bool) {
	e := c.hold(key, etag, 0)
	if e == nil {
		return nil, nil, false
	}
	switch there, right := c.complete(e); {
	case e.size != size || !there || !right && !c.beginCheck():
	case !right:
		go c.checkAll(e)
		return nil, nil, false
	default:
		if info, err := e.data.Stat(); err == nil && info.Size() == size {
			return e.data, func() { c.release(e) }, true
		}
	}
	c.release(e)
	return nil, nil, false
}

// complete reports whether all chunks are there, and whether all of them are known to be right.
func (c *Cache) complete(e *entry) (there, right bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	right = true
	for _, r := range e.records {
		if r == 0 {
			return false, false
		}
		right = right && r&checked != 0
	}
	return true, right
}

// beginCheck reports whether a version may be checked now: one is at a time.
func (c *Cache) beginCheck() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.checking || c.mu.closed {
		return false
	}
	c.mu.checking = true
	c.checks.Add(1)
	return true
}

// checkAll compares the chunks of a version that nobody has compared yet, and ends a hold of it.
func (c *Cache) checkAll(e *entry) {
	defer c.checks.Done()
	defer c.release(e)
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for at := int64(0); at < e.size; at += chunkSize {
		record, closed := c.recordOrEnd(e, at/chunkSize)
		if closed || record&checked == 0 && !c.check(e, (*buf)[:min(chunkSize, e.size-at)], at, e.size) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.checking = false
}

// recordOrEnd returns a record, or that the cache is being closed.
func (c *Cache) recordOrEnd(e *entry, chunk int64) (record uint64, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.records[chunk], c.mu.closed
}

// check reads a whole chunk of a version, and reports whether it is as it was written. Where it is damaged, what follows
// up to end is not believed any more.
func (c *Cache) check(e *entry, chunk []byte, at, end int64) bool {
	record := c.record(e, at/chunkSize)
	_, err := e.data.ReadAt(chunk, at)
	if err == nil && record&^checked == whole|uint64(crc32.Checksum(chunk, castagnoli)) {
		if record&checked == 0 {
			c.confirm(e, at/chunkSize, record)
		}
		return true
	}
	c.opt.Log.Warn("what is kept of an object is damaged, and is fetched again", "file", e.name, "offset", at, "error", err)
	first, last := at/chunkSize, (end+chunkSize-1)/chunkSize // where one chunk is damaged, others are
	if err := c.setRecords(e, first, make([]uint64, last-first)); err != nil {
		c.fails(err)
	}
	return false
}

// confirm notes that a chunk is right, if it is still the one of that record.
func (c *Cache) confirm(e *entry, chunk int64, record uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.records[chunk] == record {
		e.records[chunk] |= checked
	}
}
