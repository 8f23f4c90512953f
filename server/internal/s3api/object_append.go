package s3api

import (
	"net/http"

	"pail/server/internal/store"
)

// writeOffset is the header that makes a PutObject an append.
const writeOffset = "X-Amz-Write-Offset-Bytes"

// appendObject is PutObject with x-amz-write-offset-bytes, which adds to the end of an object, as in S3 Express One Zone,
// in any bucket.
func appendObject(r *request) error {
	v := r.header(writeOffset)
	offset, ok := parseSize(v)
	if !ok {
		return invalidArgument("x-amz-write-offset-bytes", v, "x-amz-write-offset-bytes must be a number of bytes")
	}
	attrs, err := r.attrs()
	if err != nil {
		return err
	}
	cond, err := r.writeConditions()
	if err != nil {
		return err
	}
	extra, enc, err := r.extra()
	if err != nil {
		return err
	}
	up, err := r.upload(maxPutSize)
	if err != nil {
		return err
	}
	o, err := r.api.store.AppendObject(r.http.Context(), store.PutInput{
		Bucket: r.bucket, Key: r.key, Owner: r.newOwner().id, Body: up.body, Size: up.size, Attrs: attrs, Cond: cond,
		Algorithm: up.algorithm, Verify: up.verify, MD5: up.md5, Extra: extra, Customer: enc.customer, Encrypt: enc.given}, offset)
	if err != nil {
		return err
	}
	r.putHeaders(&o)
	r.w.Header().Set("X-Amz-Object-Size", itoa64(o.Size))
	return r.empty(http.StatusOK)
}
