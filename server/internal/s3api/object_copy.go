package s3api

import (
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

const copySourceMessage = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"

// copySource is a parsed x-amz-copy-source.
type copySource struct{ bucket, key, version string }

// parseCopySource reads "[/]bucket/key[?versionId=id]", where bucket and key are %-encoded. A "+" is a plus sign.
func parseCopySource(v string) (copySource, error) {
	bad := invalidArgument("x-amz-copy-source", v, copySourceMessage)
	var c copySource
	v, version, named := strings.Cut(v, "?versionId=")
	if named && version == "" {
		return c, invalidArgument("versionId", "", "Version id cannot be the empty string")
	}
	path, err := unescape(v)
	if err != nil {
		return c, bad
	}
	path = strings.TrimPrefix(path, "/")
	var ok bool
	c.bucket, c.key, ok = strings.Cut(path, "/")
	if !ok || c.bucket == "" || c.key == "" {
		return c, bad
	}
	if strings.HasPrefix(c.bucket, "arn:") {
		return c, s3err.Newf(s3err.NotImplemented, "Access points are not implemented.")
	}
	if c.version, err = unescape(version); err != nil {
		return c, bad
	}
	return c, checkKey(c.key)
}

func copyObject(r *request) error {
	in, err := r.copyInput()
	if err != nil {
		return err
	}
	o, err := r.api.store.CopyObject(r.http.Context(), in)
	if err != nil {
		return sourceError(err, in.SrcBucket, in.SrcKey)
	}
	set(r.w.Header(), "X-Amz-Version-Id", o.VersionID)
	r.setNewEncryption(o.Encryption)
	r.expiration(&o)
	set(r.w.Header(), "X-Amz-Copy-Source-Version-Id", o.SourceVersionID)
	x := r.doc()
	x.root("CopyObjectResult")
	x.time("LastModified", o.LastModified)
	x.etag(o.ETag)
	x.checksum(o.Checksum, o.ChecksumType)
	x.close("CopyObjectResult")
	return r.send(http.StatusOK, x)
}

func (r *request) copyInput() (store.CopyInput, error) {
	src, err := parseCopySource(r.header("X-Amz-Copy-Source"))
	if err != nil {
		return store.CopyInput{}, err
	}
	in := store.CopyInput{SrcBucket: src.bucket, SrcKey: src.key, SrcVersionID: src.version,
		SrcCond:   r.sourceConditions("X-Amz-Copy-Source-"),
		DstBucket: r.bucket, DstKey: r.key, Owner: r.newOwner().id}
	if in.DstCond, err = r.writeConditions(); err != nil {
		return in, err
	}
	var enc encryption
	if in.Extra, enc, err = r.extra(); err != nil {
		return in, err
	}
	in.Customer, in.Encrypt = enc.customer, enc.given
	if in.SrcCustomer, err = r.customerKey(sourcePrefix); err != nil {
		return in, err
	}
	attrs, err := r.attrs()
	if err != nil {
		return in, err
	}
	replace, err := r.replacesMetadata()
	switch {
	case err != nil:
		return in, err
	case replace:
		in.Replace = &attrs
	default:
		in.StorageClass, in.WebsiteRedirect = attrs.StorageClass, attrs.WebsiteRedirect
	}
	if in.ReplaceTags, err = r.copiedTags(attrs.Tags); err != nil {
		return in, err
	}
	in.Algorithm, err = r.algorithmHeader("X-Amz-Checksum-Algorithm")
	return in, err
}

// algorithmHeader reads the name of a checksum algorithm, "" when it is not given.
func (r *request) algorithmHeader(name string) (checksum.Algorithm, error) {
	v := r.header(name)
	if v == "" {
		return "", nil
	}
	a, ok := checksum.Parse(v)
	if !ok {
		return "", s3err.Newf(s3err.InvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: %v", checksum.Algorithms())
	}
	return a, nil
}

// sourceError names the source in an error that is about it.
func sourceError(err error, bucket, key string) error {
	var destination *store.DestinationError
	if errors.As(err, &destination) {
		return err
	}
	e, _ := From(err)
	if errors.Is(err, store.ErrDeleteMarker) {
		return s3err.Newf(s3err.InvalidRequest, "The source of a copy request may not specifically refer to a delete marker by version id.")
	}
	switch e.Code {
	case s3err.NoSuchKey, s3err.NoSuchVersion:
		return e.With("Key", key)
	case s3err.NotModified: // a copy has no 304
		return s3err.New(s3err.PreconditionFailed).Wrap(err)
	}
	return err
}

// checksum writes an object's checksum, if it has one, as the elements of S3's results.
func (x *xmlBuf) checksum(sum checksum.Sum, kind string) {
	if sum.IsZero() {
		return
	}
	x.text("Checksum"+string(sum.Algorithm), sum.String())
	x.optional("ChecksumType", kind)
}

// renameObject is RenameObject of S3 Express One Zone, for any bucket. With a source and a destination that both end
// in "/", all keys below the source move, in one step: an extension.
func renameObject(r *request) error {
	src, err := r.renameSource()
	if err != nil {
		return err
	}
	h := r.http.Header
	in := store.RenameInput{Bucket: r.bucket, Src: src, Dst: r.key,
		SrcCond: r.sourceConditions("X-Amz-Rename-Source-"), DstCond: conditionsOf(h, "")}
	if err := r.api.store.RenameObject(r.http.Context(), in); err != nil {
		return sourceError(err, r.bucket, src)
	}
	return r.empty(http.StatusOK)
}

// renameSource reads x-amz-rename-source: a %-encoded key, or "/key", or "/bucket/key" with this very bucket. A key
// that begins with "/" has that slash encoded.
func (r *request) renameSource() (string, error) {
	v := r.header("X-Amz-Rename-Source")
	raw, slash := strings.CutPrefix(v, "/")
	if slash {
		if rest, ok := strings.CutPrefix(raw, r.bucket+"/"); ok {
			raw = rest
		}
	}
	key, err := unescape(raw)
	if err != nil || key == "" {
		return "", invalidArgument("x-amz-rename-source", v, "x-amz-rename-source must be the URL-encoded key of the source")
	}
	return key, checkKey(key)
}
