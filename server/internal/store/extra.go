package store

import (
	"slices"
	"time"

	"pail/server/internal/meta"
)

// LockMode is the mode of a retention.
type LockMode string

// The modes of a retention: a caller with the right to may delete a version under Governance, nobody one under Compliance.
const (
	LockNone   LockMode = ""
	Governance LockMode = "GOVERNANCE"
	Compliance LockMode = "COMPLIANCE"
)

// lockModes gives the modes their numbers in rows. NB: must not change.
var lockModes = [...]LockMode{0: LockNone, 1: Governance, 2: Compliance}

// Retention keeps a version from being deleted until a time.
type Retention struct {
	Mode  LockMode
	Until time.Time // zero with LockNone
}

// Extra is what goes with a version of an object beside its attributes. The zero Extra is that of most objects. Its bytes
// are opaque here.
type Extra struct {
	ACL        []byte // encoded grants; nil: the owner's alone
	Encryption []byte // how the bytes are encrypted; nil: they are not
	Retention  Retention
	LegalHold  bool
}

// Extras have the tags 40 to 44.
func encodeExtra(e *meta.Encoder, x *Extra) {
	e.Blob(40, x.ACL)
	e.Blob(41, x.Encryption)
	e.Uint(42, uint64(max(slices.Index(lockModes[:], x.Retention.Mode), 0)))
	encodeTime(e, 43, x.Retention.Until)
	e.Uint(44, bit(x.LegalHold))
}

func decodeExtra(d *meta.Decoder, x *Extra) error {
	switch d.Tag() {
	case 40:
		x.ACL = slices.Clone(d.Blob())
	case 41:
		x.Encryption = slices.Clone(d.Blob())
	case 42:
		n := d.Uint()
		if n >= uint64(len(lockModes)) {
			return errRow
		}
		x.Retention.Mode = lockModes[n]
	case 43:
		x.Retention.Until = time.Unix(0, d.Int()).UTC()
	case 44:
		x.LegalHold = d.Uint() != 0
	}
	return nil
}

func bit(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}
