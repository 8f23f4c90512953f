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

// LegalHold says whether a version is held. One that was never said anything of is HoldNone.
type LegalHold string

// The states of a legal hold.
const (
	HoldNone LegalHold = ""
	HoldOn   LegalHold = "ON"
	HoldOff  LegalHold = "OFF"
)

// legalHolds gives the states their numbers in rows. NB: must not change.
var legalHolds = [...]LegalHold{0: HoldNone, 1: HoldOn, 2: HoldOff}

// Extra is what goes with a version of an object beside its attributes. The zero Extra is that of most objects. Its bytes
// are opaque here.
type Extra struct {
	ACL        []byte // encoded grants; nil: the owner's alone
	Encryption []byte // how the bytes are encrypted; nil: they are not
	Retention  Retention
	LegalHold  LegalHold
}

// Extras have the tags 40 to 44.
func encodeExtra(e *meta.Encoder, x *Extra) {
	e.Blob(40, x.ACL)
	e.Blob(41, x.Encryption)
	e.Uint(42, number(lockModes[:], x.Retention.Mode))
	encodeTime(e, 43, x.Retention.Until)
	e.Uint(44, number(legalHolds[:], x.LegalHold))
}

func decodeExtra(d *meta.Decoder, x *Extra) error {
	switch d.Tag() {
	case 40:
		x.ACL = slices.Clone(d.Blob())
	case 41:
		x.Encryption = slices.Clone(d.Blob())
	case 42:
		return numbered(lockModes[:], d.Uint(), &x.Retention.Mode)
	case 43:
		x.Retention.Until = time.Unix(0, d.Int()).UTC()
	case 44:
		return numbered(legalHolds[:], d.Uint(), &x.LegalHold)
	}
	return nil
}

// number gives the place of v, which is in the list.
func number[T comparable](list []T, v T) uint64 { return uint64(max(slices.Index(list, v), 0)) }

// numbered undoes number.
func numbered[T any](list []T, n uint64, v *T) error {
	if n >= uint64(len(list)) {
		return errRow
	}
	*v = list[n]
	return nil
}

func bit(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}
