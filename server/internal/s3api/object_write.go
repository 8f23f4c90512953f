package s3api

import (
	"cmp"
	"net/http"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

func putObject(r *request) error {
	if r.http.Header[writeOffset] != nil {
		return appendObject(r)
	}
	o, err := r.put(func() (*upload, error) { return r.upload(maxPutSize) })
	if err != nil {
		return err
	}
	r.putHeaders(&o)
	return r.empty(http.StatusOK)
}

// put stores the object that the headers describe. body gives its bytes, when nothing speaks against them.
func (r *request) put(body func() (*upload, error)) (o store.Object, err error) {
	in, err := r.putInput(body)
	if err != nil {
		return o, err
	}
	if err := r.foresee(in.Cond); err != nil {
		return o, err
	}
	return r.api.store.PutObject(r.http.Context(), in)
}

func (r *request) putInput(body func() (*upload, error)) (in store.PutInput, err error) {
	attrs, err := r.attrs()
	if err != nil {
		return in, err
	}
	cond, err := r.writeConditions()
	if err != nil {
		return in, err
	}
	extra, enc, err := r.extra()
	if err != nil {
		return in, err
	}
	if err := r.requireLockDigest(&extra); err != nil {
		return in, err
	}
	up, err := body()
	if err != nil {
		return in, err
	}
	return store.PutInput{
		Bucket: r.bucket, Key: r.key, Owner: r.newOwner().id, Body: up.body, Size: up.size, Attrs: attrs, Cond: cond,
		Algorithm: up.algorithm, Verify: up.verify, MD5: up.md5, Extra: extra, Customer: enc.customer}, nil
}

// putHeaders describes a new object in the answer.
func (r *request) putHeaders(o *store.Object) {
	r.size, r.sized = o.Size, true
	h := r.w.Header()
	h["Etag"] = []string{`"` + o.ETag + `"`}
	set(h, "X-Amz-Version-Id", o.VersionID)
	r.setNewEncryption(o.Encryption)
	r.expiration(o)
	if !o.Checksum.IsZero() {
		h.Set(o.Checksum.Algorithm.Header(), o.Checksum.String())
		set(h, "X-Amz-Checksum-Type", o.ChecksumType)
	}
}

// foresee finds out what would fail after the body, for a client that waits to be told so (Expect: 100-continue) or
// that is about to send much. The store decides again, in the transaction that makes the object visible.
func (r *request) foresee(cond store.Conditions) error {
	if !r.expects() && r.http.ContentLength >= 0 && r.http.ContentLength < 1<<20 {
		return nil
	}
	ctx := r.http.Context()
	if _, err := r.api.store.HeadBucket(ctx, r.bucket); err != nil {
		return err
	}
	if len(cond.IfMatch) == 0 && len(cond.IfNoneMatch) == 0 {
		return nil
	}
	_, err := r.api.store.HeadObject(ctx, r.bucket, r.key, store.ReadInput{Cond: store.Conditions{IfMatch: cond.IfMatch}})
	if len(cond.IfMatch) > 0 {
		return err
	}
	if err == nil {
		return &store.PreconditionError{Condition: "If-None-Match"}
	}
	return nil
}

func deleteObject(r *request) error {
	cond, err := r.deleteConditions()
	if err != nil {
		return err
	}
	res, err := r.api.store.DeleteObject(r.http.Context(), r.bucket, r.key, store.DeleteInput{
		Key: r.key, VersionID: r.arg("versionId"), Owner: r.owner().id, Bypass: r.bypass(), Cond: cond})
	if err != nil {
		return err
	}
	return r.sayDeleted(res)
}

// deleteDirectory removes the empty object "dir/", unless other keys begin with "dir/". It is a POST so that no service that
// does not know it takes it for DeleteObject.
func deleteDirectory(r *request) error {
	if !strings.HasSuffix(r.key, "/") {
		return s3err.Newf(s3err.InvalidRequest, "DeleteDirectory needs a key that ends in \"/\".")
	}
	res, err := r.api.store.DeleteDirectory(r.http.Context(), r.bucket, store.DeleteInput{Key: r.key, Owner: r.owner().id})
	if err != nil {
		return err
	}
	return r.sayDeleted(res)
}

func (r *request) sayDeleted(res store.DeleteResult) error {
	h := r.w.Header()
	set(h, "X-Amz-Version-Id", cmp.Or(res.VersionID, res.MarkerVersionID))
	if res.DeleteMarker {
		h.Set("X-Amz-Delete-Marker", "true")
	}
	return r.empty(http.StatusNoContent)
}
