package blockcache

import (
	"container/list"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Options configure a Cache.
type Options struct {
	Dir string // made where it is missing, for its owner only
	// KeepFree and KeepFreePercent are what must stay available in Dir's filesystem, in bytes and in percent of its size;
	// the larger one counts.
	KeepFree        int64
	KeepFreePercent int
	MaxBytes        int64        // of objects that may be kept, without the indexes; 0: what the disk has
	Log             *slog.Logger // nil discards
}

// ErrBusy is what Open answers when another process uses the directory.
var ErrBusy = errors.New("in use by another mount")

// Cache is a directory of object versions. It is safe for concurrent use.
type Cache struct {
	opt    Options
	lock   *os.File
	checks sync.WaitGroup // under way; Add only while not closed

	mu struct {
		sync.Mutex
		entries map[string]*entry
		lru     list.List // of *entry, least recently used first
		room    int64     // bytes that may be written before free space is asked for again
		used    int64     // bytes that are kept or about to be written
		full    bool      // nothing can be written

		checking bool // a version is being checked, see Lend
		closed   bool
	}
}

// Open takes the directory, and finds what is kept there.
func Open(o Options) (*Cache, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("cache directory %s: %w", o.Dir, ErrBusy), lock.Close())
	}
	c := &Cache{opt: o, lock: lock}
	c.mu.entries = map[string]*entry{}
	if err := c.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("cache directory: %w", err), lock.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fitsLocked(0) // nobody holds one
	return c, nil
}

// Close gives the directory back. What is kept stays for the next Open. No body of a Get may be open any more.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.mu.closed = true
	c.mu.Unlock()
	c.checks.Wait()
	return c.lock.Close()
}

// Dir returns the directory.
func (c *Cache) Dir() string { return c.opt.Dir }

// scan finds the versions that are kept, in the order of their last use, and removes what is half of one.
func (c *Cache) scan() error {
	files, err := os.ReadDir(c.opt.Dir)
	if err != nil {
		return err
	}
	type found struct {
		e    *entry
		used int64
	}
	var all []found
	for _, f := range files {
		name, isIndex := strings.CutSuffix(f.Name(), indexSuffix)
		if !isIndex {
			if data, isData := strings.CutSuffix(f.Name(), dataSuffix); isData {
				if _, err := os.Stat(c.path(data, indexSuffix)); err != nil {
					_ = os.Remove(c.path(data, dataSuffix)) // of no use, and tried again by the next Open
				}
			}
			continue
		}
		e, err := c.load(name)
		info, infoErr := f.Info()
		if err != nil || infoErr != nil {
			c.opt.Log.Debug("what is kept of an object cannot be used", "file", name, "error", errors.Join(err, infoErr))
			c.removeFiles(name)
			continue
		}
		all = append(all, found{e, info.ModTime().UnixNano()})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].used < all[j].used })
	for _, f := range all {
		c.mu.entries[f.e.name] = f.e
		f.e.elem = c.mu.lru.PushBack(f.e)
		c.mu.used += f.e.bytes(0, len(f.e.records))
	}
	return nil
}

func (c *Cache) path(name, suffix string) string { return filepath.Join(c.opt.Dir, name+suffix) }

func (c *Cache) removeFiles(name string) {
	// A file that stays is found by the next Open.
	_ = os.Remove(c.path(name, indexSuffix))
	_ = os.Remove(c.path(name, dataSuffix))
}

// roomStep bounds how much is written between two looks at the free space.
const roomStep = 64 << 20

// reserve reports whether n more bytes may be written, after removing old versions if need be.
func (c *Cache) reserve(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.full || !c.fitsLocked(n) {
		return false
	}
	for c.mu.room < n {
		left, err := c.spare()
		if err == nil && left >= n {
			c.mu.room = min(left, roomStep)
			break
		}
		if err != nil || !c.evictLocked() {
			return false
		}
	}
	c.mu.room -= n
	c.mu.used += n
	return true
}

// fitsLocked reports whether n more bytes are within MaxBytes, after removing old versions if need be.
func (c *Cache) fitsLocked(n int64) bool {
	most := c.opt.MaxBytes
	switch {
	case most == 0:
		return true
	case n > most: // for which nothing needs to go
		return false
	}
	for c.mu.used+n > most {
		if !c.evictLocked() {
			return false
		}
	}
	return true
}

// spare returns the bytes that may be used.
func (c *Cache) spare() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(c.opt.Dir, &st); err != nil {
		return 0, err
	}
	free, total := int64(st.Bavail)*st.Bsize, int64(st.Blocks)*st.Bsize
	return free - max(c.opt.KeepFree, int64(float64(total)/100*float64(c.opt.KeepFreePercent))), nil
}

// evictLocked removes the version that was not used for the longest time.
func (c *Cache) evictLocked() bool {
	for el := c.mu.lru.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*entry); e.held == 0 {
			c.dropLocked(e)
			return true
		}
	}
	return false
}

// dropLocked removes a version.
func (c *Cache) dropLocked(e *entry) {
	if c.mu.entries[e.name] == e {
		delete(c.mu.entries, e.name)
		c.mu.lru.Remove(e.elem)
		c.mu.used -= e.bytes(0, len(e.records))
		c.removeFiles(e.name)
	}
}

// fails notes that the disk does not take what is written. The cache goes on with what it has.
func (c *Cache) fails(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.full {
		c.opt.Log.Warn("the cache on disk takes no more", "dir", c.opt.Dir, "error", err)
	}
	c.mu.full = true
}
