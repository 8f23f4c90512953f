package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"pail/server/internal/meta"
)

// NullVersion names the version of an object that was written while its bucket had no versions, or kept none.
const NullVersion = "null"

// The ID of a version in rows is the complement of its rank and 8 random bytes, so that the newest comes first. The rank
// is the time of the write in nanoseconds, or one more than that of the version before, if that is later: it grows with
// each version of a key, whatever the clock does.
//
// Clients see the random bytes and the rank hidden under their hash: neither a time nor an order can be read from it, and
// it cannot be guessed from another.

// newVersion makes an ID.
func newVersion(rank uint64, random [8]byte) (id meta.ID) {
	binary.BigEndian.PutUint64(id[:8], math.MaxUint64-rank)
	copy(id[8:], random[:])
	return id
}

// versionRank gives the rank of an ID.
func versionRank(id meta.ID) uint64 { return math.MaxUint64 - binary.BigEndian.Uint64(id[:8]) }

// versionText gives an ID as clients see it.
func versionText(id meta.ID) string {
	var out meta.ID
	copy(out[:8], id[8:])
	hide(out[8:], id[:8], id[8:])
	return hex.EncodeToString(out[:])
}

// parseVersion undoes versionText.
func parseVersion(text string) (id meta.ID, ok bool) {
	var in meta.ID
	if len(text) != hex.EncodedLen(len(in)) {
		return id, false
	}
	if _, err := hex.Decode(in[:], []byte(text)); err != nil {
		return id, false
	}
	copy(id[8:], in[:8])
	hide(id[:8], in[8:], in[:8])
	return id, versionText(id) == text
}

// hide sets dst to src combined with a hash of key; done twice it gives src again.
func hide(dst, src, key []byte) {
	sum := sha256.Sum256(append([]byte("pail version\x00"), key...))
	for i := range dst {
		dst[i] = src[i] ^ sum[i]
	}
}

func (o *objectRow) hasID() bool { return o.id != meta.ID{} }

// isNull reports whether clients know the version as NullVersion.
func (o *objectRow) isNull() bool { return o.null || !o.hasID() }

// versionText gives the version's ID as clients see it, "" when its bucket had no versions when it was written.
func (o *objectRow) versionText() string {
	switch {
	case !o.hasID():
		return ""
	case o.null:
		return NullVersion
	}
	return versionText(o.id)
}
