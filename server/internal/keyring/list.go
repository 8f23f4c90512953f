package keyring

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	keySize     = 32       // bytes
	maxFileSize = 16 << 20 // bytes
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9/_.@+-]{1,255}$`)

// entry is a named key.
type entry struct {
	name   string
	secret [keySize]byte
}

// list is the content of a file. It is never written to after it was made.
type list struct {
	entries []entry
	byName  map[string]int
}

// parse reads a file. Errors name lines, never what is on them.
func parse(r io.Reader) (*list, error) {
	l := &list{byName: map[string]int{}}
	in := bufio.NewScanner(io.LimitReader(r, maxFileSize+1))
	size := 0
	for n := 1; in.Scan(); n++ {
		size += len(in.Bytes()) + 1
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ':')
		if i < 0 || !nameForm.MatchString(line[:i]) {
			return nil, fmt.Errorf("line %d is not NAME:KEY with a name of letters, digits and /_.@+-", n)
		}
		e := entry{name: line[:i]}
		secret, err := base64.StdEncoding.DecodeString(line[i+1:])
		if err != nil || copy(e.secret[:], secret) != keySize || len(secret) != keySize {
			return nil, fmt.Errorf("line %d: the key is not 32 bytes in base64; head -c 32 /dev/urandom | base64 makes one", n)
		}
		if _, twice := l.byName[e.name]; twice {
			return nil, fmt.Errorf("line %d: the name was there before", n)
		}
		l.byName[e.name] = len(l.entries)
		l.entries = append(l.entries, e)
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if size > maxFileSize {
		return nil, errors.New("file is too large")
	}
	if len(l.entries) == 0 {
		return nil, errors.New("there is no line NAME:KEY")
	}
	return l, nil
}

func (l *list) find(name string) (entry, bool) {
	i, ok := l.byName[name]
	if !ok {
		return entry{}, false
	}
	return l.entries[i], true
}

func (l *list) last() entry { return l.entries[len(l.entries)-1] }
