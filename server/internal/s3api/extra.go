package s3api

import (
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// extra reads what a new object is given beside attributes and bytes. e says how it is encrypted.
func (r *request) extra() (x store.Extra, e encryption, err error) {
	if x.ACL, err = r.objectACL(r.newOwner()); err != nil {
		return x, e, err
	}
	if e, err = r.encryption(); err != nil {
		return x, e, err
	}
	x.Encryption = e.info.Encode()
	return x, e, r.lockHeaders(&x)
}

// requireLockDigest refuses bytes that come without a digest and with a protection of their own, as AWS does.
func (r *request) requireLockDigest(x *store.Extra) error {
	if x.Retention.Mode == store.LockNone && x.LegalHold == store.HoldNone {
		return nil
	}
	if err := r.requireDigest(); err != nil {
		return s3err.Newf(s3err.InvalidRequest, "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	return nil
}
