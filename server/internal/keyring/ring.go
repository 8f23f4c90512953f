package keyring

import (
	"log/slog"

	"pail/server/internal/smallfile"
)

// Ring is a file of named keys. It is safe for concurrent use.
type Ring struct{ file *smallfile.Watched[*list] }

// OpenRing reads the file at path. It fails where the file cannot be read, may be used by others than its owner, or is no
// file of keys. log is told of later versions that cannot be used, while the last good one stays valid; nil discards.
func OpenRing(path string, log *slog.Logger) (*Ring, error) {
	f, err := smallfile.Open(path, "file of keys", parse, log)
	if err != nil {
		return nil, err
	}
	return &Ring{f}, nil
}

// Find gives the key of that name.
func (r *Ring) Find(name string) (secret [32]byte, ok bool) {
	e, ok := r.file.Current().find(name)
	return e.secret, ok
}
