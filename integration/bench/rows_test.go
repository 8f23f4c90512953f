package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Sizes of the work: large enough to show a system's habits, small enough for a run of minutes.
const (
	mib     = 1 << 20
	bigSize = 128 * mib
	midSize = 64 * mib
	small   = 4096
	files   = 250
	entries = 2500
	reads   = 125
)

// pattern is the content of every file, from an offset on; a large prime period shows bytes in a wrong place.
var pattern = func() []byte {
	text := make([]byte, 1_000_003)
	rng := rand.NewChaCha8([32]byte{7})
	rng.Read(text)
	return text
}()

// content returns n bytes as they stand at an offset of the file.
func content(offset int64, n int) []byte {
	out := make([]byte, 0, n)
	for len(out) < n {
		from := int((offset + int64(len(out))) % int64(len(pattern)))
		out = append(out, pattern[from:min(len(pattern), from+n-len(out))]...)
	}
	return out
}

// row is one kind of work. seed names the objects that are there before (key and size), want those that must be there
// after it; run works below dir and compares what it reads.
type row struct {
	name string
	seed map[string]int64
	run  func(dir string) error
	want map[string]int64
}

var rows = []row{
	{name: "write 128 MiB", run: writeBig, want: map[string]int64{"big": bigSize}},
	{name: "read 128 MiB cold", seed: map[string]int64{"big": bigSize}, run: readBig},
	{name: "read 4 KiB at random x125", seed: map[string]int64{"mid": midSize}, run: func(dir string) error { return readRandom(dir, 4096) }},
	{name: "read 128 KiB at random x125", seed: map[string]int64{"mid": midSize}, run: func(dir string) error { return readRandom(dir, 128<<10) }},
	{name: "create 250 files", run: func(dir string) error { return create(dir, 1) }, want: many("new/f", files, small)},
	{name: "create 250 files by 8 threads", run: func(dir string) error { return create(dir, 8) }, want: many("new/f", files, small)},
	{name: "read 250 files by 8 threads", seed: many("d/f", files, small), run: readSmall},
	{name: "ls -l of 2500", seed: many("d/f", entries, 10), run: shell("ls -l d | grep -c f", strconv.Itoa(entries))},
	{name: "find in 25 x 100", seed: deep(), run: shell("find . -type f | wc -l", strconv.Itoa(entries))},
	{name: "grep -r in 250 files", seed: many("d/f", files, small), run: shell("grep -rLc 'no such text' d | wc -l", strconv.Itoa(files))},
	{name: "rename a file of 64 MiB", seed: map[string]int64{"mid": midSize}, run: shell("mv mid moved", ""), want: map[string]int64{"moved": midSize}},
	{name: "rename a directory of 250", seed: many("d/f", files, small), run: shell("mv d e", ""), want: many("e/f", files, small)},
	{name: "rm -rf of 250", seed: merged(many("d/f", files, small), map[string]int64{"keep": 1}), run: shell("rm -rf d", ""), want: map[string]int64{"keep": 1}},
	{name: "append 1 KiB to 64 MiB", seed: map[string]int64{"mid": midSize}, run: appendMid, want: map[string]int64{"mid": midSize + 1024}},
	{name: "overwrite 4 KiB in 64 MiB", seed: map[string]int64{"mid": midSize}, run: overwriteMid, want: map[string]int64{"mid": midSize}},
}

func many(prefix string, n int, size int64) map[string]int64 {
	out := map[string]int64{}
	for i := range n {
		out[fmt.Sprintf("%s%05d", prefix, i)] = size
	}
	return out
}

func deep() map[string]int64 {
	out := map[string]int64{}
	for i := range entries / 100 {
		for key, size := range many(fmt.Sprintf("t/d%02d/f", i), 100, 10) {
			out[key] = size
		}
	}
	return out
}

func merged(a, b map[string]int64) map[string]int64 {
	for key, size := range b {
		a[key] = size
	}
	return a
}

// shell runs a command in the mount and compares what it prints.
func shell(command, want string) func(string) error {
	return func(dir string) error {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || want != "" && got != want {
			return fmt.Errorf("%s: %v: got %.200q, want %q", command, err, got, want)
		}
		return nil
	}
}

func writeBig(dir string) error {
	f, err := os.Create(filepath.Join(dir, "big"))
	if err != nil {
		return err
	}
	for at := int64(0); at < bigSize; at += mib {
		if _, err := f.Write(content(at, mib)); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func readBig(dir string) error {
	f, err := os.Open(filepath.Join(dir, "big"))
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, mib)
	for at := int64(0); at < bigSize; at += mib {
		if _, err := io.ReadFull(f, buf); err != nil {
			return err
		}
		if !bytes.Equal(buf, content(at, mib)) {
			return fmt.Errorf("wrong bytes at %d", at)
		}
	}
	return nil
}

func readRandom(dir string, size int) error {
	f, err := os.Open(filepath.Join(dir, "mid"))
	if err != nil {
		return err
	}
	defer f.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, size)
	for range reads {
		at := rng.Int64N((midSize-int64(size))/4096) * 4096
		if _, err := f.ReadAt(buf, at); err != nil {
			return err
		}
		if !bytes.Equal(buf, content(at, size)) {
			return fmt.Errorf("wrong bytes at %d", at)
		}
	}
	return nil
}

// each calls work for every small file, from so many threads.
func each(threads int, work func(name string) error) error {
	var wait sync.WaitGroup
	errs := make([]error, threads)
	for thread := range threads {
		wait.Go(func() {
			for i := thread; i < files && errs[thread] == nil; i += threads {
				errs[thread] = work(fmt.Sprintf("f%05d", i))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func create(dir string, threads int) error {
	if err := os.Mkdir(filepath.Join(dir, "new"), 0o755); err != nil {
		return err
	}
	return each(threads, func(name string) error {
		f, err := os.OpenFile(filepath.Join(dir, "new", name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(content(0, small))
		return errors.Join(err, f.Close())
	})
}

func readSmall(dir string) error {
	return each(8, func(name string) error {
		text, err := os.ReadFile(filepath.Join(dir, "d", name))
		if err == nil && !bytes.Equal(text, content(0, small)) {
			err = fmt.Errorf("wrong bytes in %s", name)
		}
		return err
	})
}

func appendMid(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "mid"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content(midSize, 1024))
	return errors.Join(err, f.Close())
}

// overwriteMid writes what is there already, so that the whole content can be checked as any other.
func overwriteMid(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "mid"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content(midSize/2+8192, 4096), midSize/2+8192)
	return errors.Join(err, f.Close())
}
