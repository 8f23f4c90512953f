package s3api

import (
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/internal/xmltext"
)

// Extensions are what this server does beyond S3, as the answer to HeadBucket announces them in X-Pail-Extensions.
const Extensions = "rename-object, rename-prefix, list-metadata, conditional-put, append, notify, usage"

// createConfiguration is the body of CreateBucket.
type createConfiguration struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Location           struct{ Name, Type string }
	Bucket             struct{ DataRedundancy, Type string }
	Tags               struct{ Tag []struct{ Key, Value string } }
}

func createBucket(r *request) error {
	if !validBucketName(r.bucket) {
		return s3err.New(s3err.InvalidBucketName).With("BucketName", r.bucket)
	}
	documents, err := r.newBucketAccess()
	if err != nil {
		return err
	}
	body, err := r.readBody(maxXMLBody)
	if err != nil {
		return err
	}
	if err := r.checkLocation(body); err != nil {
		return err
	}
	err = r.api.store.CreateBucket(r.http.Context(), store.Bucket{
		Name: r.bucket, Created: r.api.now().UTC(), Region: r.api.region, Owner: r.owner().id,
		ObjectLock: strings.EqualFold(r.header("X-Amz-Bucket-Object-Lock-Enabled"), "true"), Configs: documents})
	// us-east-1 alone answers the owner's second creation with success (S3 API reference, CreateBucket).
	if err != nil && !(errors.Is(err, store.ErrBucketAlreadyOwned) && r.api.region == defaultRegion) {
		return err
	}
	r.w.Header().Set("Location", "/"+r.bucket)
	return r.empty(http.StatusOK)
}

// checkLocation takes the server's own region, named or not, and no other.
func (r *request) checkLocation(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	var c createConfiguration
	if err := parseXML(body, &c); err != nil {
		return err
	}
	if len(c.Tags.Tag) > 0 || c.Location.Name != "" || c.Bucket.Type != "" {
		return s3err.Newf(s3err.NotImplemented, "Tags and directory buckets are not implemented.")
	}
	if l := c.LocationConstraint; l != "" && l != r.api.region {
		return s3err.New(s3err.InvalidLocationConstraint).With("LocationConstraint", l)
	}
	return nil
}

func headBucket(r *request) error {
	b, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("X-Amz-Bucket-Region", r.regionOf(b))
	h.Set("X-Pail-Extensions", Extensions)
	h.Set("Content-Type", "application/xml")
	r.w.WriteHeader(http.StatusOK)
	return nil
}

func deleteBucket(r *request) error {
	if err := r.api.store.DeleteBucket(r.http.Context(), r.bucket); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

func getBucketLocation(r *request) error {
	b, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	if err != nil {
		return err
	}
	region := r.regionOf(b)
	if region == defaultRegion {
		region = "" // S3 says null for us-east-1
	}
	x := r.doc()
	x.root("LocationConstraint")
	x.b = xmltext.Append(x.b, region)
	x.close("LocationConstraint")
	return r.send(http.StatusOK, x)
}

func (r *request) regionOf(b store.Bucket) string {
	if b.Region == "" {
		return r.api.region
	}
	return b.Region
}

// validBucketName applies S3's rules for general purpose buckets (user guide, "Bucket naming rules").
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || net.ParseIP(name) != nil || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (c != '-' && c != '.' || i == 0 || i == len(name)-1) {
			return false
		}
	}
	for _, p := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, s) {
			return false
		}
	}
	return true
}
