package s3api

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

func uploadPart(r *request) error {
	n, err := r.partArg()
	if err != nil {
		return err
	}
	up, err := r.upload(maxPutSize)
	if err != nil {
		return err
	}
	u, err := r.api.store.HeadUpload(r.http.Context(), r.bucket, r.key, r.arg("uploadId"))
	if err != nil {
		return err
	}
	if err := up.fit(&u); err != nil {
		return err
	}
	key, err := r.customerKey(customerPrefix)
	if err == nil {
		err = r.partKey(&u, key)
	}
	if err != nil {
		return err
	}
	part, err := r.api.store.PutPart(r.http.Context(), store.PartInput{
		Bucket: r.bucket, Key: r.key, UploadID: r.arg("uploadId"), N: n, Body: up.body, Size: up.size,
		Algorithm: up.algorithm, Verify: up.verify, MD5: up.md5, Customer: key})
	if err != nil {
		return err
	}
	h := r.w.Header()
	h["Etag"] = []string{`"` + part.ETag + `"`}
	r.setEncryption(u.Extra.Encryption)
	if sum := up.given(part.Checksum); !sum.IsZero() && (u.Algorithm != "" || up.expected != "") {
		h.Set(sum.Algorithm.Header(), sum.String())
	}
	return r.empty(http.StatusOK)
}

// partKey holds the customer's key of a request about an upload against the one that it was begun with.
func (r *request) partKey(u *store.Upload, key *sse.CustomerKey) error {
	_, err := r.api.keys.Open(u.Extra.Encryption, key)
	switch {
	case errors.Is(err, sse.ErrKeyNeeded):
		return s3err.Newf(s3err.InvalidRequest, "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	case errors.Is(err, sse.ErrKeyUnwanted):
		return s3err.Newf(s3err.InvalidRequest, "The multipart upload initiate did not request encryption. Please resend the request without sending encryption parameters.")
	case errors.Is(err, sse.ErrKeyWrong):
		return s3err.Newf(s3err.InvalidRequest, "The provided encryption parameters did not match the ones used originally.")
	}
	return err
}

// fit makes a part's checksum the one that the upload keeps. An upload that named none keeps the default, and takes what
// the client expects in any: SDKs send a CRC32 of their own accord with each part. What the parts of a COMPOSITE upload are
// sent with is all that its completion can be held against, so there no part may come without.
func (up *upload) fit(u *store.Upload) error {
	switch given := up.expected; {
	case u.Algorithm == "":
		up.keep(store.DefaultAlgorithm)
		return nil
	case given == "" && u.ChecksumType != checksum.Composite, given == u.Algorithm:
		up.algorithm = u.Algorithm
		return nil
	default:
		return s3err.Newf(s3err.InvalidRequest, "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
			strings.ToLower(string(u.Algorithm)), cmp.Or(strings.ToLower(string(given)), "null"))
	}
}

func uploadPartCopy(r *request) error {
	n, err := r.partArg()
	if err != nil {
		return err
	}
	src, err := parseCopySource(r.header("X-Amz-Copy-Source"))
	if err != nil {
		return err
	}
	in := store.CopyPartInput{Bucket: r.bucket, Key: r.key, UploadID: r.arg("uploadId"), N: n,
		SrcBucket: src.bucket, SrcKey: src.key, SrcVersionID: src.version,
		SrcCond: r.sourceConditions("X-Amz-Copy-Source-"), Len: -1}
	rng := r.header("X-Amz-Copy-Source-Range")
	if rng != "" {
		if in.Off, in.Len, err = parseCopyRange(rng); err != nil {
			return err
		}
	}
	u, err := r.partKeys(&in)
	if err != nil {
		return err
	}
	part, source, err := r.api.store.CopyPart(r.http.Context(), in)
	if err != nil {
		return r.copyPartError(err, in, rng)
	}
	set(r.w.Header(), "X-Amz-Copy-Source-Version-Id", source.VersionID)
	r.setEncryption(u.Extra.Encryption)
	x := r.doc()
	x.root("CopyPartResult")
	x.time("LastModified", part.LastModified)
	x.etag(part.ETag)
	x.checksum(part.Checksum, "")
	x.close("CopyPartResult")
	return r.send(http.StatusOK, x)
}

// partKeys reads the customers' keys of UploadPartCopy, and finds the upload.
func (r *request) partKeys(in *store.CopyPartInput) (u store.Upload, err error) {
	if in.SrcCustomer, err = r.customerKey(sourcePrefix); err != nil {
		return u, err
	}
	if in.Customer, err = r.customerKey(customerPrefix); err != nil {
		return u, err
	}
	if u, err = r.api.store.HeadUpload(r.http.Context(), in.Bucket, in.Key, in.UploadID); err != nil {
		return u, err
	}
	return u, r.partKey(&u, in.Customer)
}

// copyPartError names what is wrong about the source, with its size where the range is outside.
func (r *request) copyPartError(err error, in store.CopyPartInput, rng string) error {
	e, _ := From(err)
	if e.Code == s3err.InvalidRange {
		src, err := r.api.store.HeadObject(r.http.Context(), in.SrcBucket, in.SrcKey, store.ReadInput{VersionID: in.SrcVersionID})
		if err != nil {
			return err
		}
		return invalidArgument("x-amz-copy-source-range", rng, "Range specified is not valid for source object of size: "+itoa64(src.Size))
	}
	return sourceError(err, in.SrcBucket, in.SrcKey)
}

// parseCopyRange reads "bytes=first-last", both given.
func parseCopyRange(v string) (off, length int64, err error) {
	bad := invalidArgument("x-amz-copy-source-range", v, "The x-amz-copy-source-range value must be of the form "+
		"bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	spec, ok := strings.CutPrefix(v, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, 0, bad
	}
	off, ok1 := parseSize(first)
	end, ok2 := parseSize(last)
	if !ok1 || !ok2 || end < off || end-off+1 <= 0 {
		return 0, 0, bad
	}
	return off, end - off + 1, nil
}
