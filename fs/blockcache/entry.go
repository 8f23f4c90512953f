package blockcache

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"pail/s3client"
)

const (
	chunkSize   = 128 << 10
	smallest    = 1 << 20  // larger objects are kept
	largest     = 64 << 30 // whose records are 4 MiB
	indexSuffix = ".index"
	dataSuffix  = ".data"
	magic       = "pail blocks 1\n"
	recordSize  = 8
	whole       = 1 << 32 // with the CRC in the lower half: the chunk is there
	checked     = 1 << 33 // in memory only: it was written by this Cache, or read since and found right
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is a version that is kept. name and size do not change; the rest is guarded by Cache.mu.
type entry struct {
	name    string
	size    int64
	header  []byte   // of the index
	records []uint64 // of each chunk

	held        int
	data, index *os.File // open while held
	elem        *list.Element
}

// newEntry returns an entry without bytes.
func newEntry(key string, etag s3client.ETag, size int64) *entry {
	var h bytes.Buffer
	h.WriteString(magic)
	for _, field := range []string{key, string(etag)} {
		_ = binary.Write(&h, binary.BigEndian, uint32(len(field))) // to memory
		h.WriteString(field)
	}
	sum := sha256.Sum256(h.Bytes())
	_ = binary.Write(&h, binary.BigEndian, size)
	_ = binary.Write(&h, binary.BigEndian, crc32.Checksum(h.Bytes(), castagnoli))
	return &entry{
		name: hex.EncodeToString(sum[:16]), size: size, header: h.Bytes(),
		records: make([]uint64, (size+chunkSize-1)/chunkSize),
	}
}

// load reads the index of a version.
func (c *Cache) load(name string) (*entry, error) {
	data, err := os.ReadFile(c.path(name, indexSuffix))
	if err != nil {
		return nil, err
	}
	e, err := parseIndex(data)
	if err == nil && e.name != name {
		err = errors.New("the index has another name")
	}
	return e, err
}

// parseIndex reads an index. One that ends early has fewer chunks.
func parseIndex(data []byte) (*entry, error) {
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok {
		return nil, errors.New("not an index of this form")
	}
	r := bytes.NewReader(rest)
	var fields [2]string
	for i := range fields {
		var n uint32
		if err := binary.Read(r, binary.BigEndian, &n); err != nil || int64(n) > int64(r.Len()) {
			return nil, fmt.Errorf("a field of %d bytes: %w", n, io.ErrUnexpectedEOF)
		}
		field := make([]byte, n)
		_, _ = io.ReadFull(r, field) // it is there
		fields[i] = string(field)
	}
	var size int64
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	if size <= smallest || size > largest {
		return nil, fmt.Errorf("a size of %d bytes", size)
	}
	e := newEntry(fields[0], s3client.ETag(fields[1]), size)
	if !bytes.HasPrefix(data, e.header) {
		return nil, errors.New("the header is damaged")
	}
	_, _ = r.Seek(int64(len(e.header)-len(magic)), io.SeekStart) // it is there
	for i := 0; i < len(e.records) && r.Len() >= recordSize; i++ {
		_ = binary.Read(r, binary.BigEndian, &e.records[i]) // it is there
		e.records[i] &^= checked
	}
	return e, nil
}

// hold returns a version that is kept with its files open; nil if it is not, or the disk fails. With a size it is one to
// be kept.
func (c *Cache) hold(key string, etag s3client.ETag, size int64) *entry {
	fresh := newEntry(key, etag, size)
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.entries[fresh.name]
	switch {
	case e == nil && size == 0, e != nil && size != 0 && e.size != size:
		return nil
	case e == nil:
		e = fresh
	}
	if e.held == 0 {
		if err := c.openLocked(e); err != nil {
			c.opt.Log.Debug("a version in the cache cannot be opened", "error", err)
			c.dropLocked(e)
			return nil
		}
	}
	if e.elem == nil {
		c.mu.entries[e.name] = e
		e.elem = c.mu.lru.PushBack(e)
	}
	e.held++
	c.mu.lru.MoveToBack(e.elem)
	return e
}

func (c *Cache) openLocked(e *entry) (err error) {
	if e.data, err = os.OpenFile(c.path(e.name, dataSuffix), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if e.index, err = os.OpenFile(c.path(e.name, indexSuffix), os.O_CREATE|os.O_RDWR, 0o600); err == nil && e.elem == nil {
		_, err = e.index.WriteAt(e.header, 0)
	}
	if err != nil {
		return errors.Join(err, e.data.Close(), e.index.Close())
	}
	return nil
}

// release ends a hold.
func (c *Cache) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.held--; e.held > 0 {
		return
	}
	now := time.Now()
	_ = os.Chtimes(c.path(e.name, indexSuffix), now, now) // the order of use, for the next Open
	if err := errors.Join(e.data.Close(), e.index.Close()); err != nil {
		c.opt.Log.Debug("closing a version in the cache", "error", err)
	}
}

// has reports whether all chunks of [off, end) are there.
func (c *Cache) has(e *entry, off, end int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := off / chunkSize; i*chunkSize < end; i++ {
		if e.records[i] == 0 {
			return false
		}
	}
	return true
}

func (c *Cache) record(e *entry, chunk int64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.records[chunk]
}

// bytes counts those of the chunks that are there, from one on to another.
func (e *entry) bytes(from, to int) (n int64) {
	for i := from; i < to; i++ {
		if off := int64(i) * chunkSize; e.records[i] != 0 {
			n += min(chunkSize, e.size-off)
		}
	}
	return n
}

// setRecords says what the checksums of chunks from the given one on are, whose bytes are reserved; 0 that one is not there.
// What was there before counts no more, as it is written over.
func (c *Cache) setRecords(e *entry, chunk int64, records []uint64) error {
	c.mu.Lock()
	c.mu.used -= e.bytes(int(chunk), int(chunk)+len(records))
	copy(e.records[chunk:], records)
	c.mu.Unlock()
	var b []byte
	for _, r := range records {
		b = binary.BigEndian.AppendUint64(b, r&^checked)
	}
	_, err := e.index.WriteAt(b, int64(len(e.header))+chunk*recordSize)
	return err
}
