package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"pail/server/internal/smallfile"
)

const recordHead = "# There are objects that are encrypted with these master keys:\n"

// record is the path of a file that names the keys that were used, one on a line; "" for none.
type record string

// read gives the names. No file is no name.
func (r record) read() (names []string, err error) {
	if r == "" {
		return nil, nil
	}
	b, err := os.ReadFile(string(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range bytes.Lines(b) {
		if line := strings.TrimSpace(string(line)); line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	return names, err
}

// add records keys durably before they are used.
func (r record) add(names ...string) error {
	used, err := r.read()
	if r == "" || err != nil {
		return err
	}
	all := used
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == len(used) {
		return nil
	}
	return smallfile.Write(string(r), []byte(recordHead+strings.Join(all, "\n")+"\n"), 0o600)
}

// checkNone refuses to make the first key in place of one that was used.
func (r record) checkNone(path string) error {
	used, err := r.read()
	if err != nil || len(used) == 0 {
		return err
	}
	return r.missing(path, used[0])
}

func (r record) missing(path, name string) error {
	return fmt.Errorf("master key %s is not in %s, but there are objects that are encrypted with it: give the file that has it, or restore it; "+
		"only when it is lost for good, with all that it has encrypted, or nothing of that is left, take its line out of %s", name, path, r)
}
