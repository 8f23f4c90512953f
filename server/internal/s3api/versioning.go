package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// versioningDoc is VersioningConfiguration.
type versioningDoc struct {
	XMLName   xml.Name `xml:"VersioningConfiguration"`
	Status    string
	MFADelete string `xml:"MfaDelete"`
}

// Check knows no MFA devices: what needs one is refused as AWS does it to who has none.
func (d *versioningDoc) Check() error {
	switch d.MFADelete {
	case "", "Disabled":
	case "Enabled":
		return s3err.Newf(s3err.AccessDenied, "Mfa Authentication must be used for this request")
	default:
		return s3err.New(s3err.MalformedXML)
	}
	switch d.Status {
	case "Enabled", "Suspended":
		return nil
	case "":
		return s3err.Newf(s3err.IllegalVersioningConfigurationException, "The Versioning element must be specified")
	}
	return s3err.New(s3err.MalformedXML)
}

func putBucketVersioning(r *request) error {
	var doc versioningDoc
	if err := r.readConfig(&doc); err != nil {
		return err
	}
	err := r.api.store.SetVersioning(r.http.Context(), r.bucket, store.Versioning(doc.Status))
	if errors.Is(err, store.ErrBucketState) {
		return s3err.Newf(s3err.InvalidBucketState, "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
	}
	if err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

func getBucketVersioning(r *request) error {
	b, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	if err != nil {
		return err
	}
	x := r.doc()
	x.root("VersioningConfiguration")
	x.optional("Status", string(b.Versioning))
	x.close("VersioningConfiguration")
	return r.send(http.StatusOK, x)
}

func listObjectVersions(r *request) error {
	l, err := r.listing()
	if err != nil {
		return err
	}
	q := store.VersionsQuery{Prefix: l.prefix, Delimiter: l.delimiter, KeyMarker: r.arg("key-marker"),
		VersionIDMarker: r.arg("version-id-marker"), Max: l.max}
	if values, given := r.query["version-id-marker"]; given {
		if q.KeyMarker == "" {
			return invalidArgument("version-id-marker", values[0], "A version-id marker cannot be specified without a key marker.")
		}
		if values[0] == "" {
			return invalidArgument("version-id-marker", "", "A version-id marker cannot be empty.")
		}
	}
	res, err := r.api.store.ListVersions(r.http.Context(), r.bucket, q)
	if err != nil {
		return err
	}
	r.regionHeader()
	x := r.doc()
	x.root("ListVersionsResult")
	x.text("Name", r.bucket)
	x.key("Prefix", q.Prefix, l.encode)
	x.key("KeyMarker", q.KeyMarker, l.encode)
	x.text("VersionIdMarker", q.VersionIDMarker)
	if res.Truncated {
		x.key("NextKeyMarker", res.NextKeyMarker, l.encode)
		x.optional("NextVersionIdMarker", res.NextVersionIDMarker)
	}
	x.int("MaxKeys", int64(l.max))
	x.optionalKey("Delimiter", q.Delimiter, l.encode)
	if l.encode {
		x.text("EncodingType", "url")
	}
	x.bool("IsTruncated", res.Truncated)
	for i := range res.Versions {
		r.versionEntry(x, l, &res.Versions[i])
	}
	x.prefixes(res.Prefixes, l.encode)
	x.close("ListVersionsResult")
	return r.send(http.StatusOK, x)
}

func (r *request) versionEntry(x *xmlBuf, l listing, o *store.Object) {
	element := "Version"
	if o.DeleteMarker {
		element = "DeleteMarker"
	}
	x.open(element)
	x.key("Key", o.Key, l.encode)
	x.text("VersionId", o.VersionID)
	x.bool("IsLatest", o.Latest)
	x.time("LastModified", o.LastModified)
	if !o.DeleteMarker {
		x.etag(o.ETag)
		if !o.Checksum.IsZero() {
			x.text("ChecksumAlgorithm", string(o.Checksum.Algorithm))
			x.text("ChecksumType", o.ChecksumType)
		}
		x.int("Size", o.Size)
	}
	x.owner("Owner", r.ownerOf(o.Owner))
	if !o.DeleteMarker {
		x.text("StorageClass", storageClass(o.Attrs.StorageClass))
	}
	x.close(element)
}

// markerHeaders tells about a delete marker that a request came upon. AWS gives the time of one that was asked for.
func (r *request) markerHeaders(err error) {
	var m *store.MarkerError
	if !errors.As(err, &m) {
		return
	}
	h := r.w.Header()
	h.Set("X-Amz-Delete-Marker", "true")
	set(h, "X-Amz-Version-Id", m.VersionID)
	if m.Named {
		h.Set("Allow", http.MethodDelete)
		h.Set("Last-Modified", m.LastModified.UTC().Format(http.TimeFormat))
	}
}
