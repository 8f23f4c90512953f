package s3api

import (
	"encoding/xml"
	"net/http"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// restored is x-amz-restore of every archived object: all objects are stored alike, so what AWS would have to fetch from an
// archive can always be read. Clients that look for it, as awscli and duplicity do, neither wait nor refuse.
const restored = `ongoing-request="false", expiry-date="Fri, 31 Dec 9999 00:00:00 GMT"`

// archived reports whether the object would be in an archive at AWS, where it had to be restored to be read.
func archived(o *store.Object) bool {
	return o.Attrs.StorageClass == "GLACIER" || o.Attrs.StorageClass == "DEEP_ARCHIVE"
}

// restoreDoc is the body of RestoreObject, as far as it means something here.
type restoreDoc struct {
	XMLName xml.Name `xml:"RestoreRequest"`
	Days    *int
	Type    string
}

// restoreObject answers as AWS does for an object that is restored already.
func restoreObject(r *request) error {
	var doc restoreDoc
	if err := r.readXML(&doc); err != nil {
		return err
	}
	if doc.Type != "" {
		return s3err.Newf(s3err.NotImplemented, "RestoreObject with a SELECT request is not implemented.")
	}
	o, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, readInput(r))
	if err != nil {
		return err
	}
	if !archived(&o) {
		return s3err.Newf(s3err.InvalidObjectState, "Restore is not allowed for the object's current storage class").
			With("StorageClass", storageClass(o.Attrs.StorageClass))
	}
	if doc.Days == nil || *doc.Days < 1 {
		return s3err.New(s3err.MalformedXML)
	}
	return r.empty(http.StatusOK)
}
