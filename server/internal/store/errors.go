package store

import (
	"errors"
	"fmt"
	"time"

	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

// What an operation can fail with; match with errors.Is. Errors of a request's body and of its context come back
// unchanged.
var (
	ErrNoSuchBucket        = errors.New("no such bucket")
	ErrBucketExists        = errors.New("bucket exists and belongs to another owner") // BucketAlreadyExists
	ErrBucketAlreadyOwned  = errors.New("bucket exists already")                      // BucketAlreadyOwnedByYou
	ErrBucketNotEmpty      = errors.New("bucket is not empty")
	ErrNoSuchConfig        = errors.New("bucket has no such configuration")
	ErrNoSuchKey           = errors.New("no such key")
	ErrNoSuchVersion       = errors.New("no such version")
	ErrInvalidVersion      = errors.New("malformed version ID")
	ErrDeleteMarker        = errors.New("version is a delete marker") // *MarkerError
	ErrBucketState         = errors.New("bucket's state does not allow that")
	ErrNoObjectLock        = errors.New("bucket has no object lock")
	ErrLocked              = errors.New("version is protected by object lock")
	ErrNoSuchUpload        = errors.New("no such upload")
	ErrInvalidPart         = errors.New("part is missing or its ETag or checksum does not match") // *PartError
	ErrPartWithoutChecksum = errors.New("part is listed without its checksum")                    // *PartError
	ErrInvalidPartOrder    = errors.New("parts are not in ascending order")
	ErrInvalidPartNumber   = errors.New("part number is out of range") // of PutPart, CopyPart and of a read
	ErrEntityTooSmall      = errors.New("part is too small")           // *PartError
	ErrEntityTooLarge      = errors.New("object is too large")
	ErrTooManyExtents      = errors.New("object would have too many pieces")
	ErrIncompleteBody      = errors.New("body is shorter or longer than announced")
	ErrPrecondition        = errors.New("precondition failed") // 412, *PreconditionError
	ErrNotModified         = errors.New("not modified")        // 304, of a read only
	ErrConditionalConflict = errors.New("conflicting conditional operation")
	ErrInvalidRange        = errors.New("range lies outside the object")
	ErrCopySourceTooLarge  = errors.New("copy source is larger than one copy may be")
	ErrCopyToSelf          = errors.New("copy of an object onto itself changes nothing")
	ErrKeyTooLong          = errors.New("key is too long")
	ErrInvalidRename       = errors.New("rename must be from key to key or from prefix to prefix, neither inside the other")
	ErrRenameNotEmpty      = errors.New("rename: destination prefix is not empty")
	ErrDirectoryNotEmpty   = errors.New("directory is not empty")
	ErrRenameTooLarge      = errors.New("rename: prefix holds too many keys for one step")
	ErrChecksumAlgorithm   = errors.New("checksum algorithm or type does not fit the upload")
	ErrChecksumMismatch    = errors.New("checksum does not match")
	ErrSizeMismatch        = errors.New("object size does not match")
	ErrInvalidArgument     = errors.New("invalid argument") // an empty name, a negative count: the caller's mistake
	ErrQuotaExceeded       = errors.New("bucket would hold more than its quota")
	ErrAccountQuota        = errors.New("account would hold more than its quota")
	ErrWriteOffset         = errors.New("write offset is not the object's size")
	ErrTooManyParts        = errors.New("object would have too many parts")
	ErrAppendEncryption    = errors.New("the object is encrypted otherwise than the request says")
	ErrNoSpace             = errors.New("no space left")
	ErrReadOnly            = errors.New("storage is read-only")
	ErrDamaged             = errors.New("stored data is damaged")                 // *DamagedError
	ErrPatchDamaged        = errors.New("what a patch would keep cannot be read") // and ErrDamaged
	ErrUnavailable         = errors.New("metadata cannot be reached")
	ErrClosed              = errors.New("store is closed")
)

// PreconditionError is a condition that does not hold. It matches ErrPrecondition.
type PreconditionError struct {
	Condition string // the header's name: "If-Match", "If-None-Match", "If-Unmodified-Since", ...
}

func (e *PreconditionError) Error() string { return "precondition failed: " + e.Condition }

// Is makes the error match its sentinel.
func (e *PreconditionError) Is(target error) bool { return target == ErrPrecondition }

// DestinationError is ErrNoSuchKey of a copy whose source is there: the destination's conditions want an object.
type DestinationError struct{ err error }

func (e *DestinationError) Error() string { return "destination: " + e.err.Error() }

// Unwrap gives errors.Is the sentinel.
func (e *DestinationError) Unwrap() error { return e.err }

// MarkerError is a read of a delete marker. It matches ErrDeleteMarker when the marker was asked for by its version ID, and
// ErrNoSuchKey when it is the current version.
type MarkerError struct {
	VersionID    string
	LastModified time.Time
	Named        bool
}

func (e *MarkerError) Error() string { return "version " + e.VersionID + " is a delete marker" }

// Is makes the error match its sentinel.
func (e *MarkerError) Is(target error) bool {
	if e.Named {
		return target == ErrDeleteMarker
	}
	return target == ErrNoSuchKey
}

// PartError is a part that Complete refuses. It matches Err, which is ErrInvalidPart, ErrEntityTooSmall or
// ErrPartWithoutChecksum.
type PartError struct {
	Err       error
	N         int
	ETag      string // as stored, "" when the part is missing
	Size      int64  // of ErrEntityTooSmall
	Min       int64
	Algorithm checksum.Algorithm // of ErrPartWithoutChecksum: the upload's
}

func (e *PartError) Error() string { return fmt.Sprintf("part %d: %v", e.N, e.Err) }

// Unwrap gives errors.Is the sentinel.
func (e *PartError) Unwrap() error { return e.Err }

// DamagedError names what is damaged. It matches ErrDamaged.
type DamagedError struct {
	What string // a row or a blob
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.What, e.Err) }

// Is makes the error match its sentinel.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// Unwrap gives the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

// isRefusal tells an answer about one key of a batch from a failure of the whole.
func isRefusal(err error) bool {
	for _, refusal := range []error{ErrPrecondition, ErrNoSuchKey, ErrNoSuchVersion, ErrInvalidVersion, ErrLocked,
		ErrInvalidArgument, ErrKeyTooLong, meta.ErrDamaged} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
