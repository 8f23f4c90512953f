package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/checksum"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

const maxParts = store.MaxParts

// maxCompleteBody bounds the body of CompleteMultipartUpload: 10,000 parts with ETags and the longest checksums.
const maxCompleteBody = 4 << 20

func createUpload(r *request) error {
	attrs, err := r.attrs()
	if err != nil {
		return err
	}
	in := store.UploadInput{Bucket: r.bucket, Key: r.key, Owner: r.newOwner().id, Attrs: attrs}
	if in.Extra, _, err = r.extra(); err != nil {
		return err
	}
	if in.Algorithm, err = r.algorithmHeader("X-Amz-Checksum-Algorithm"); err != nil {
		return err
	}
	if in.ChecksumType, err = r.checksumType(in.Algorithm); err != nil {
		return err
	}
	if in.OpaqueTags, err = r.opaqueTags(in.Algorithm); err != nil {
		return err
	}
	id, err := r.api.store.CreateUpload(r.http.Context(), in)
	if err != nil {
		return err
	}
	if in.OpaqueTags {
		r.w.Header().Set(etagKind, opaqueTags)
	}
	if in.Algorithm != "" {
		r.w.Header().Set("X-Amz-Checksum-Algorithm", string(in.Algorithm))
		r.w.Header().Set("X-Amz-Checksum-Type", in.ChecksumType)
	}
	r.setNewEncryption(in.Extra.Encryption)
	r.abortion(r.api.now())
	x := r.doc()
	x.root("InitiateMultipartUploadResult")
	x.text("Bucket", r.bucket)
	x.text("Key", r.key)
	x.text("UploadId", id)
	x.close("InitiateMultipartUploadResult")
	return r.send(http.StatusOK, x)
}

// With this header and value, CreateMultipartUpload asks for ETags that are no MD5s; the answer has it too then.
const (
	etagKind   = "X-Pail-Etags"
	opaqueTags = "opaque"
)

// opaqueTags reports whether the upload is to have such ETags. They are for clients that prove with the cheapest checksum
// what they send: with another one, it is not the MD5 that costs most.
func (r *request) opaqueTags(a checksum.Algorithm) (bool, error) {
	switch v := r.header(etagKind); {
	case v == "":
		return false, nil
	case v != opaqueTags:
		return false, invalidArgument("x-pail-etags", v, "x-pail-etags must be opaque")
	case a != checksum.CRC64NVME:
		return false, s3err.Newf(s3err.InvalidRequest, "The x-pail-etags header can only be used with the CRC64NVME checksum algorithm.")
	}
	return true, nil
}

// checksumType reads x-amz-checksum-type, or gives the algorithm's default.
func (r *request) checksumType(a checksum.Algorithm) (string, error) {
	v := strings.ToUpper(r.header("X-Amz-Checksum-Type"))
	switch {
	case v == "" && a == "":
		return "", nil
	case v == "":
		return a.DefaultType(), nil
	case a == "":
		return "", s3err.Newf(s3err.InvalidRequest, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case v != checksum.Composite && v != checksum.FullObject:
		return "", s3err.Newf(s3err.InvalidRequest, "Value for x-amz-checksum-type header is invalid.")
	case !a.Supports(v):
		return "", s3err.Newf(s3err.InvalidRequest, "The %s checksum type cannot be used with the %s checksum algorithm.", v, strings.ToLower(string(a)))
	}
	return v, nil
}

func abortUpload(r *request) error {
	if err := r.api.store.AbortUpload(r.http.Context(), r.bucket, r.key, r.arg("uploadId")); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// completeRequest is the body of CompleteMultipartUpload.
type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Part    []struct {
		PartNumber *int
		ETag       *string
		Other      []struct { // ChecksumCRC32 and the like
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
}

func completeUpload(r *request) error {
	in, err := r.completeInput()
	if err != nil {
		return err
	}
	if err := r.completeKey(in.UploadID); err != nil {
		return err
	}
	o, err := r.api.store.CompleteUpload(r.http.Context(), in)
	if err != nil {
		var part *store.PartError
		if errors.As(err, &part) {
			e, _ := From(err)
			return e.With("UploadId", in.UploadID)
		}
		return err
	}
	set(r.w.Header(), "X-Amz-Version-Id", o.VersionID)
	if in.Attrs != nil {
		set(r.w.Header(), "X-Amz-Metadata-Directive", "REPLACE") // so that clients know that it was done
	}
	r.setEncryption(o.Encryption)
	r.expiration(&o)
	x := r.doc()
	x.root("CompleteMultipartUploadResult")
	x.text("Location", r.location())
	x.text("Bucket", r.bucket)
	x.text("Key", r.key)
	x.etag(o.ETag)
	x.checksum(o.Checksum, o.ChecksumType)
	x.close("CompleteMultipartUploadResult")
	return r.send(http.StatusOK, x)
}

// completeKey holds a customer's key, which need not be there, against the upload's.
func (r *request) completeKey(id string) error {
	key, err := r.customerKey(customerPrefix)
	if err != nil || key == nil {
		return err
	}
	u, err := r.api.store.HeadUpload(r.http.Context(), r.bucket, r.key, id)
	if err != nil {
		return nil // completed before, or not there: the store knows
	}
	return r.partKey(&u, key)
}

// location is the object's URL as the client reached it.
func (r *request) location() string {
	scheme := "http"
	if r.http.TLS != nil {
		scheme = "https"
	}
	path, _ := splitURI(r.http.RequestURI)
	return scheme + "://" + r.http.Host + path
}

func (r *request) completeInput() (store.CompleteInput, error) {
	in := store.CompleteInput{Bucket: r.bucket, Key: r.key, UploadID: r.arg("uploadId")}
	var err error
	if in.Cond, err = r.writeConditions(); err != nil {
		return in, err
	}
	if in.Attrs, err = r.replacedAttrs(); err != nil {
		return in, err
	}
	if v := r.header("X-Amz-Mp-Object-Size"); v != "" {
		n, ok := parseSize(v)
		if !ok {
			return in, invalidArgument("x-amz-mp-object-size", v, "x-amz-mp-object-size must be a number of bytes")
		}
		in.Size = &n
	}
	if in.Checksum, err = r.objectChecksum(); err != nil {
		return in, err
	}
	in.ChecksumType = strings.ToUpper(r.header("X-Amz-Checksum-Type"))
	body, err := r.readControl(maxCompleteBody)
	if err != nil {
		return in, err
	}
	var c completeRequest
	if err := parseXML(body, &c); err != nil {
		return in, err
	}
	in.Parts, err = c.parts()
	return in, err
}

// replacedAttrs reads what x-amz-metadata-directive has replaced of what was said at the beginning of an upload; nil is
// nothing.
func (r *request) replacedAttrs() (*store.Attrs, error) {
	replace, err := r.replacesMetadata()
	if err != nil || !replace {
		return nil, err
	}
	a, err := r.description()
	return &a, err
}

// replacesMetadata reads x-amz-metadata-directive.
func (r *request) replacesMetadata() (bool, error) {
	switch d := r.header("X-Amz-Metadata-Directive"); d {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, invalidArgument("x-amz-metadata-directive", d, "Unknown metadata directive.")
	}
}

// objectChecksum reads the checksum that the finished object must have. Here x-amz-checksum-* is about the object and
// not about the body of the request.
func (r *request) objectChecksum() (*checksum.Sum, error) {
	for _, a := range checksum.Algorithms() {
		v := r.header(a.Header())
		if v == "" {
			continue
		}
		sum, err := a.DecodeObject(v)
		if err != nil {
			return nil, s3err.Newf(s3err.InvalidRequest, "Value for %s header is invalid.", a.Header())
		}
		return &sum, nil
	}
	return nil, nil
}

func (c *completeRequest) parts() ([]store.CompletedPart, error) {
	if len(c.Part) == 0 {
		return nil, s3err.New(s3err.MalformedXML)
	}
	if len(c.Part) > maxParts {
		return nil, s3err.New(s3err.MalformedXML)
	}
	parts := make([]store.CompletedPart, len(c.Part))
	for i, p := range c.Part {
		if p.PartNumber == nil || p.ETag == nil {
			return nil, s3err.New(s3err.MalformedXML)
		}
		n := *p.PartNumber
		if n < 1 || n > maxParts {
			return nil, invalidArgument("PartNumber", itoa(n), "Part number must be an integer between 1 and 10000, inclusive")
		}
		parts[i] = store.CompletedPart{N: n, ETag: unquoteETag(*p.ETag)}
		for _, o := range p.Other {
			name, isSum := strings.CutPrefix(o.XMLName.Local, "Checksum")
			algorithm, known := checksum.Parse(name)
			if !isSum || !known {
				continue
			}
			sum, err := algorithm.Decode(o.Value)
			if err != nil {
				return nil, s3err.New(s3err.InvalidPart).With("PartNumber", itoa(n))
			}
			parts[i].Sum = sum
		}
	}
	return parts, nil
}
