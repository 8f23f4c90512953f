package s3api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"pail/server/internal/s3err"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// sentinels maps what the store fails with to S3's codes, in the order they are tried.
var sentinels = []struct {
	err  error
	code s3err.Code
}{
	{store.ErrNoSuchBucket, s3err.NoSuchBucket},
	{store.ErrBucketExists, s3err.BucketAlreadyExists},
	{store.ErrBucketAlreadyOwned, s3err.BucketAlreadyOwnedByYou},
	{store.ErrBucketNotEmpty, s3err.BucketNotEmpty},
	{store.ErrDirectoryNotEmpty, s3err.DirectoryNotEmpty},
	{store.ErrNoSuchKey, s3err.NoSuchKey},
	{store.ErrNoSuchVersion, s3err.NoSuchVersion},
	{store.ErrDeleteMarker, s3err.MethodNotAllowed},
	{store.ErrBucketState, s3err.InvalidBucketState},
	{store.ErrNoSuchUpload, s3err.NoSuchUpload},
	{store.ErrInvalidPart, s3err.InvalidPart},
	{store.ErrPartWithoutChecksum, s3err.InvalidRequest},
	{store.ErrInvalidPartOrder, s3err.InvalidPartOrder},
	{store.ErrInvalidPartNumber, s3err.InvalidPartNumber},
	{store.ErrEntityTooSmall, s3err.EntityTooSmall},
	{store.ErrEntityTooLarge, s3err.EntityTooLarge},
	{store.ErrIncompleteBody, s3err.IncompleteBody},
	{store.ErrPrecondition, s3err.PreconditionFailed},
	{store.ErrNotModified, s3err.NotModified},
	{store.ErrConditionalConflict, s3err.ConditionalRequestConflict},
	{store.ErrKeyTooLong, s3err.KeyTooLongError},
	{store.ErrInvalidRange, s3err.InvalidRange},
	{store.ErrNoSpace, s3err.InsufficientStorage},
	{store.ErrReadOnly, s3err.ServiceUnavailable},
	{store.ErrQuotaExceeded, s3err.QuotaExceeded},
	{store.ErrWriteOffset, s3err.InvalidWriteOffset},
	{store.ErrTooManyParts, s3err.TooManyParts},
	{sse.ErrKeyWrong, s3err.AccessDenied},
	{sse.ErrNoKMSKey, s3err.KMSNotFoundException},
	{store.ErrClosed, s3err.ServiceUnavailable},
	{store.ErrUnavailable, s3err.ServiceUnavailable},
	{context.DeadlineExceeded, s3err.ServiceUnavailable},
}

// worded are the store's errors that S3 knows only as a code for many things, with the words that tell them apart.
var worded = []struct {
	err     error
	code    s3err.Code
	message string
}{
	{store.ErrCopySourceTooLarge, s3err.InvalidRequest, "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"},
	{store.ErrCopyToSelf, s3err.InvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."},
	{store.ErrInvalidRename, s3err.InvalidRequest, "RenameObject needs a source and a destination that are both keys or both end in \"/\", and neither may lie inside the other."},
	{store.ErrRenameNotEmpty, s3err.PreconditionFailed, "The destination prefix of the rename is not empty."},
	{store.ErrRenameTooLarge, s3err.InvalidRequest, "The prefix holds too many keys to be renamed in one step."},
	{sse.ErrKeyNeeded, s3err.InvalidRequest, "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."},
	{sse.ErrKeyUnwanted, s3err.InvalidRequest, "The encryption parameters are not applicable to this object."},
	{store.ErrAppendEncryption, s3err.InvalidRequest, "The object is encrypted otherwise than the request says."},
	{store.ErrTooManyExtents, s3err.InvalidRequest, "The object would be made of too many pieces of other objects."},
	{store.ErrPatchDamaged, s3err.InvalidRequest, "Bytes of the object that would stay are damaged."},
	{store.ErrChecksumAlgorithm, s3err.InvalidRequest, "The checksum algorithm or type does not fit the upload."},
	{store.ErrChecksumMismatch, s3err.BadDigest, "The checksum you specified did not match what we received."},
	{store.ErrAccountQuota, s3err.QuotaExceeded, "The account's quota does not allow it to grow by that much"},
	{store.ErrSizeMismatch, s3err.InvalidRequest, "The object size you specified did not match the size of the parts."},
	{store.ErrInvalidVersion, s3err.InvalidArgument, "Invalid version id specified"},
	{store.ErrLocked, s3err.AccessDenied, "Access Denied because object protected by object lock."},
	{store.ErrNoObjectLock, s3err.InvalidRequest, "Bucket is missing Object Lock Configuration"},
	{store.ErrInvalidArgument, s3err.InvalidArgument, "Invalid Argument"},
}

// From translates any error to the one that a client is answered with. An error that nobody foresaw becomes
// InternalError with err as its cause, and unknown is true.
func From(err error) (e *s3err.Error, unknown bool) {
	if errors.As(err, &e) {
		return e, false
	}
	var body *bodyError
	if errors.As(err, &body) {
		if body.timedOut() {
			return s3err.New(s3err.RequestTimeout).Wrap(err), false
		}
		return s3err.New(s3err.IncompleteBody).Wrap(err), false
	}
	if errors.Is(err, context.Canceled) {
		return s3err.New(s3err.RequestTimeout).Wrap(err), false // the client is gone; nobody reads this
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return withFields(s3err.New(s.code).Wrap(err), err), false
		}
	}
	for _, s := range worded {
		if errors.Is(err, s.err) {
			return s3err.New(s.code).WithMessage(s.message).Wrap(err), false
		}
	}
	return s3err.New(s3err.InternalError).Wrap(err), true
}

// withFields adds the elements that AWS gives with some errors.
func withFields(e *s3err.Error, err error) *s3err.Error {
	var pre *store.PreconditionError
	if errors.As(err, &pre) {
		return e.With("Condition", pre.Condition)
	}
	var part *store.PartError
	if errors.As(err, &part) {
		if errors.Is(err, store.ErrPartWithoutChecksum) {
			return e.WithMessage(fmt.Sprintf("The upload was created using a %s checksum. The complete request must include the "+
				"checksum for each part. It was missing for part %d in the request.", strings.ToLower(string(part.Algorithm)), part.N))
		}
		if e.Code == s3err.EntityTooSmall {
			e = e.With("ProposedSize", itoa64(part.Size)).With("MinSizeAllowed", itoa64(part.Min))
		}
		return e.With("PartNumber", itoa(part.N)).With("ETag", part.ETag)
	}
	return e
}

// hungUp says that the client closed its connection before it had the whole answer. It may do so.
func hungUp(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, context.Canceled)
}

// translate is From for this request: it adds what the request knows, and logs what nobody foresaw.
func (r *request) translate(err error) *s3err.Error {
	e, unknown := From(err)
	if e.Code == s3err.NoSuchKey && r.hide != nil && r.hide() {
		return s3err.New(s3err.AccessDenied).Wrap(err)
	}
	var marker *store.MarkerError
	if errors.As(err, &marker) && !marker.Named && (strings.HasSuffix(r.opName, "ObjectTagging") || r.opName == "PutObjectAcl") {
		// A deleted object has nothing to tag, and AWS says so in other words than of one that never was.
		e = s3err.New(s3err.MethodNotAllowed).Wrap(err).With("Method", r.http.Method).With("ResourceType", "DeleteMarker")
	}
	if unknown || errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrReadOnly) {
		level := slog.LevelError
		if hungUp(err) {
			level = slog.LevelDebug
		}
		r.api.log.Log(r.http.Context(), level, "request failed", "op", r.opName, "bucket", r.bucket, "key", r.key, "request", r.id, "error", err)
	}
	if e.Code == s3err.NoSuchBucket {
		if name := cmp.Or(e.Field("BucketName"), r.bucket); !possibleBucketName(name) {
			return s3err.New(s3err.InvalidBucketName).Wrap(err).With("BucketName", name)
		}
	}
	if v := r.arg("versionId"); v != "" && errors.Is(err, store.ErrInvalidVersion) && e.Fields == nil {
		return e.With("ArgumentName", "versionId").With("ArgumentValue", v)
	}
	switch e.Code {
	case s3err.NoSuchBucket, s3err.BucketNotEmpty, s3err.BucketAlreadyOwnedByYou, s3err.BucketAlreadyExists, s3err.NoSuchBucketPolicy,
		s3err.NoSuchLifecycleConfiguration, s3err.NoSuchTagSet, s3err.NoSuchCORSConfiguration:
		if e.Field("BucketName") == "" {
			e = e.With("BucketName", r.bucket)
		}
	case s3err.NoSuchKey:
		if e.Field("Key") == "" {
			e = e.With("Key", r.key)
		}
	case s3err.NoSuchVersion:
		if e.Field("Key") == "" {
			e = e.With("Key", r.key).With("VersionId", r.arg("versionId"))
		}
	case s3err.MethodNotAllowed:
		if errors.Is(err, store.ErrDeleteMarker) {
			e = e.With("Method", r.http.Method).With("ResourceType", "DeleteMarker")
		}
	case s3err.NoSuchUpload:
		e = e.With("UploadId", r.arg("uploadId"))
	}
	return e
}

// invalidArgument is InvalidArgument with the fields AWS gives it.
func invalidArgument(name, value, message string) error {
	return s3err.New(s3err.InvalidArgument).WithMessage(message).With("ArgumentName", name).With("ArgumentValue", value)
}

// notImplementedHeader refuses a header whose promise the server could not keep.
func notImplementedHeader(name string) error {
	return s3err.New(s3err.NotImplemented).With("Header", strings.ToLower(name))
}
