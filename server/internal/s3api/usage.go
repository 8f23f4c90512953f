package s3api

import (
	"encoding/xml"
	"net/http"
)

// getBucketUsage is an extension: what a bucket holds, and its quota.
func getBucketUsage(r *request) error {
	u, err := r.api.store.Usage(r.http.Context(), r.bucket)
	if err != nil {
		return err
	}
	x := r.doc()
	x.root("BucketUsage")
	x.int("Objects", u.Objects)
	x.int("Bytes", u.Bytes)
	if u.Quota > 0 {
		x.int("Quota", u.Quota)
	}
	x.close("BucketUsage")
	return r.send(http.StatusOK, x)
}

// quotaDoc is the body of PutBucketQuota.
type quotaDoc struct {
	XMLName xml.Name `xml:"BucketQuota"`
	Bytes   string
}

// putBucketQuota is an extension: it bounds what a bucket may hold.
func putBucketQuota(r *request) error {
	if err := r.requireBucket(); err != nil {
		return err
	}
	var doc quotaDoc
	if err := r.readXML(&doc); err != nil {
		return err
	}
	n, ok := parseSize(doc.Bytes)
	if !ok || n == 0 {
		return invalidArgument("Bytes", doc.Bytes, "A quota is a positive number of bytes")
	}
	if err := r.api.store.SetQuota(r.http.Context(), r.bucket, n); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

// deleteBucketQuota lets a bucket grow as long as there is room.
func deleteBucketQuota(r *request) error {
	if err := r.api.store.SetQuota(r.http.Context(), r.bucket, 0); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}
