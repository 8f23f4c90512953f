package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Kind is the kind of a key that wraps data keys.
type Kind byte

// The kinds. NB: their numbers must not change.
const (
	Master   Kind = 1 // of the server's master keys
	Managed  Kind = 2 // of the key ring of named keys
	Customer Kind = 3 // sent with each request, and never kept
)

const (
	labelVersion = 1
	saltSize     = 32
	wrappedSize  = 32 + Overhead
	maxName      = 255

	// MaxLabel is the length of the longest label, in bytes.
	MaxLabel = 2 + 2 + maxName + 1 + 32 + saltSize + wrappedSize
)

var errLabel = errors.New("seal: malformed label")

// Label is a decoded label.
type Label struct {
	Kind    Kind
	Name    string // of the key
	context []byte // hash of what the key's owner wants bound to the data
	salt    []byte
	wrapped []byte
	bound   []byte // the label up to the salt
}

// head writes a label up to its salt.
func head(k Kind, name string, context []byte) []byte {
	b := make([]byte, 0, MaxLabel)
	b = append(b, labelVersion, byte(k))
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = append(b, byte(len(context)))
	return append(b, context...)
}

// ParseLabel reads a label. The Label shares memory with p.
func ParseLabel(p []byte) (l Label, err error) {
	whole := p
	if len(p) < 2 || p[0] != labelVersion {
		return l, errLabel
	}
	l.Kind, p = Kind(p[1]), p[2:]
	n, used := binary.Uvarint(p)
	if used <= 0 || n > maxName || uint64(len(p)-used) < n {
		return l, errLabel
	}
	l.Name, p = string(p[used:used+int(n)]), p[used+int(n):]
	if len(p) < 1 || p[0] != 0 && p[0] != 32 || len(p) != 1+int(p[0])+saltSize+wrappedSize {
		return l, errLabel
	}
	l.context, p = p[1:1+p[0]], p[1+p[0]:]
	l.salt, l.wrapped = p[:saltSize], p[saltSize:]
	l.bound = whole[:len(whole)-saltSize-wrappedSize]
	if l.Kind < Master || l.Kind > Customer || !bytes.Equal(head(l.Kind, l.Name, l.context), l.bound) {
		return l, errLabel
	}
	return l, nil
}
