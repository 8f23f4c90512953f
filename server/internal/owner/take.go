package owner

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DefaultPatience is how long an owner may give no sign of life. It is longer than a busy disk takes for a sync.
const DefaultPatience = 10 * time.Second

// ErrHeld means that another process owns the directory.
var ErrHeld = errors.New("owned by another process")

// HeldError says who owns it. It matches ErrHeld.
type HeldError struct{ Owner Record }

func (e *HeldError) Error() string { return "owned by " + e.Owner.String() }

// Is makes the error match its sentinel.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// UnrecordedError means that the file of records does not know an epoch that has left something.
type UnrecordedError struct{ Dir, Legacy string }

func (e *UnrecordedError) Error() string {
	records := filepath.Join(filepath.Dir(e.Dir), fileName)
	how := fmt.Sprintf("%s holds data and %s has no record of it: put back the file %s that belongs to it", e.Dir, records, fileName)
	if e.Legacy == "" {
		return how
	}
	return fmt.Sprintf("%s; if that is lost, remove it, keep of the directories epoch-* only the one with the highest number, and rename it to %s", how, e.Legacy)
}

// Options of a Dir.
type Options struct {
	Patience time.Duration // 0: DefaultPatience
	Log      *slog.Logger  // nil: discarded

	// Legacy is what the first epoch starts from when it is there: a path.
	Legacy string

	step func(string) error // a test's: called before each step, may fail
}

// Dir is a directory to be owned. It is for one goroutine.
type Dir struct {
	path string
	opt  Options
	seen struct { // the sign of life that was seen last
		epoch uint64
		life  time.Time
		at    time.Time // when it was seen first
	}
}

// New names a directory, which exists.
func New(path string, opt Options) *Dir {
	if opt.Patience == 0 {
		opt.Patience = DefaultPatience
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.step == nil {
		opt.step = func(string) error { return nil }
	}
	return &Dir{path: path, opt: opt}
}

// Take makes the caller the owner, or fails at once with a HeldError. Called again and again it notices an owner that
// gives no sign of life. agree is called when the directory can be had and before anything is changed, with whether any
// former owner still holds the lock of its epoch; its error ends the attempt.
func (d *Dir) Take(agree func(formerLives bool) error) (*Epoch, error) {
	f, err := openFile(d.path)
	if err != nil {
		return nil, err
	}
	e, err := d.take(f, agree)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	e.start()
	return e, nil
}

func (d *Dir) take(f *os.File, agree func(bool) error) (*Epoch, error) {
	last, err := lastEpoch(f)
	if err != nil {
		return nil, err
	}
	silent := false
	if last > 0 {
		free, err := lock(f, last)
		if err != nil {
			return nil, err
		}
		if silent = !free; silent && !d.silent(last) {
			return nil, &HeldError{readRecord(f, last)}
		}
		defer unlock(f, last)
	}
	lives, err := anyLocked(f, last)
	if err != nil {
		return nil, err
	}
	if err := agree(lives); err != nil {
		return nil, err
	}
	e, err := d.claim(f, last, silent)
	if err != nil {
		return nil, err
	}
	if e.base, err = d.base(f, e.number); err != nil {
		return nil, errors.Join(err, os.Remove(e.dir))
	}
	e.FormerLives = lives
	return e, nil
}

// silent reports whether the owner has given no sign of life for too long.
func (d *Dir) silent(epoch uint64) bool {
	life, err := freshTime(epochDir(d.path, epoch))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false // it is the volume that is silent
	}
	if d.seen.epoch != epoch || !life.Equal(d.seen.life) {
		d.seen.epoch, d.seen.life, d.seen.at = epoch, life, time.Now()
	}
	return time.Since(d.seen.at) > d.opt.Patience
}

// rememberedOwners is how far back the locks of former owners are looked for.
const rememberedOwners = 16

func anyLocked(f *os.File, last uint64) (bool, error) {
	for n := last; n > 0 && n+rememberedOwners > last; n-- {
		if held, err := isLocked(f, n); held || err != nil {
			return held, err
		}
	}
	return false, nil
}

// claim makes an epoch after last, which is the first one that nobody has claimed. Those in between are of processes that
// ended before they wrote their record; one that is still about to is passed only when its predecessor was silent, and
// so it had as long.
func (d *Dir) claim(f *os.File, last uint64, silent bool) (*Epoch, error) {
	for n := last + 1; ; n++ {
		free, err := lock(f, n)
		if err != nil {
			return nil, err
		}
		if !free && silent {
			continue
		}
		if !free {
			return nil, &HeldError{Record{Epoch: n}}
		}
		err = d.mkdir(n)
		if errors.Is(err, fs.ErrExist) {
			unlock(f, n)
			continue
		}
		if err != nil {
			return nil, err
		}
		e := &Epoch{parent: d.path, dir: epochDir(d.path, n), number: n, file: f, log: d.opt.Log, step: d.opt.step}
		if err := e.record(); err != nil {
			return nil, err
		}
		return e, nil
	}
}

func (d *Dir) mkdir(epoch uint64) error {
	if err := d.opt.step("mkdir"); err != nil {
		return err
	}
	if err := os.Mkdir(epochDir(d.path, epoch), 0o700); err != nil {
		return err
	}
	return syncDir(d.path)
}

// base finds what the epoch starts from, "" for nothing.
func (d *Dir) base(f *os.File, epoch uint64) (string, error) {
	last := epoch - 1
	for ; last > 0; last-- {
		if ok, err := served(f, last); err != nil {
			return "", err
		} else if ok {
			break
		}
	}
	if err := d.checkRecords(f, last, epoch); err != nil {
		return "", err
	}
	if last > 0 {
		dir := epochDir(d.path, last)
		_, err := freshTime(dir)
		return dir, err
	}
	if d.opt.Legacy != "" {
		if info, err := os.Stat(d.opt.Legacy); err == nil && info.IsDir() {
			return d.opt.Legacy, nil
		}
	}
	return "", nil
}

// checkRecords fails where an epoch after last, other than own, has left something and has no record: the file of records
// was lost or is an older one, and which epoch was the last cannot be known. An owner writes nothing before its record.
func (d *Dir) checkRecords(f *os.File, last, own uint64) error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		n, ok := epochOf(entry.Name())
		if !ok || n <= last || n == own {
			continue
		}
		dir := epochDir(d.path, n)
		left, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(left) == 0 {
			continue
		}
		if ok, err := recorded(f, n); err != nil || !ok {
			return errors.Join(&UnrecordedError{Dir: dir, Legacy: d.opt.Legacy}, err)
		}
	}
	return nil
}

func epochDir(parent string, epoch uint64) string {
	return filepath.Join(parent, fmt.Sprintf("epoch-%d", epoch))
}

// epochOf is the reverse of epochDir.
func epochOf(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, "epoch-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil && strconv.FormatUint(n, 10) == digits
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
