package s3api

import (
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"strings"

	"pail/server/internal/acl"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/internal/tags"
	"pail/server/internal/xmltext"
)

// Extensions are what this server does beyond S3, as the answer to HeadBucket announces them in X-Pail-Extensions.
const Extensions = "rename-object, rename-prefix, list-metadata, conditional-put, complete-metadata, append, patch, delete-directory, opaque-etags, notify, usage"

// leaseExtensions are more, where there can be leases.
const leaseExtensions = "lease, lease-reads"

// createConfiguration is the body of CreateBucket.
type createConfiguration struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Location           struct{ Name, Type string }
	Bucket             struct{ DataRedundancy, Type string }
	Tags               tagSetDoc
}

func createBucket(r *request) error {
	if !validBucketName(r.bucket) {
		return s3err.New(s3err.InvalidBucketName).With("BucketName", r.bucket)
	}
	list, err := r.newBucketACL()
	if err != nil {
		return err
	}
	documents, err := r.newBucketAccess(list)
	if err != nil {
		return err
	}
	body, err := r.readBody(maxXMLBody)
	if err != nil {
		return err
	}
	more, err := r.createConfiguration(body)
	if err != nil {
		return err
	}
	err = r.api.store.CreateBucket(r.http.Context(), store.Bucket{
		Name: r.bucket, Created: r.api.now().UTC(), Region: r.api.region, Owner: r.owner().id,
		ObjectLock: strings.EqualFold(r.header("X-Amz-Bucket-Object-Lock-Enabled"), "true"), Configs: append(documents, more...)})
	if errors.Is(err, store.ErrBucketAlreadyOwned) && r.api.region == defaultRegion {
		err = r.resetACL(list)
	}
	if err != nil {
		return err
	}
	r.w.Header().Set("Location", "/"+r.bucket)
	return r.empty(http.StatusOK)
}

// createConfiguration reads the body of CreateBucket, which may be empty, and gives the documents it makes. It takes the
// server's own region, named or not, and no other.
func (r *request) createConfiguration(body []byte) ([]store.Config, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var c createConfiguration
	if err := parseXML(body, &c); err != nil {
		return nil, err
	}
	if c.Location.Name != "" || c.Bucket.Type != "" {
		return nil, s3err.Newf(s3err.NotImplemented, "Directory buckets are not implemented.")
	}
	if l := c.LocationConstraint; l != "" && l != r.api.region {
		return nil, r.wrongLocation(l)
	}
	set, err := c.Tags.set()
	if err == nil {
		err = set.Check(tags.MaxBucketTags)
	}
	if err != nil || len(set) == 0 {
		return nil, err
	}
	return []store.Config{{Kind: store.ConfigTagging, Document: taggingDocument(set)}}, nil
}

// wrongLocation refuses a bucket of another region, which AWS words in its own way wherever that is not us-east-1.
func (r *request) wrongLocation(l string) error {
	if r.api.region == defaultRegion {
		return s3err.New(s3err.InvalidLocationConstraint).With("LocationConstraint", l)
	}
	return s3err.Newf(s3err.IllegalLocationConstraintException,
		"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", l)
}

// resetACL is what us-east-1 makes of the owner's second creation: a success that sets the list of grants anew, and
// nothing else (S3 API reference, CreateBucket). Whoever may not set the list and asks for none keeps the one there is.
func (r *request) resetACL(list acl.List) (err error) {
	ctx := r.http.Context()
	if r.access, err = r.api.accesses.get(ctx, r.bucket); err != nil {
		return err
	}
	if r.access.enforced() && !list.OwnerOnly(r.access.bucket.Owner) {
		return s3err.New(s3err.InvalidBucketAclWithObjectOwnership)
	}
	if equalACL(list, r.access.fullACL) {
		return nil
	}
	ok, err := r.allowed(r.access, question{action: "s3:PutBucketAcl", bucket: r.bucket})
	switch {
	case err != nil:
		return err
	case !ok && !hasACLHeaders(r.http.Header):
		return nil
	case !ok:
		return s3err.New(s3err.AccessDenied)
	}
	if err := r.checkACL(list); err != nil {
		return err
	}
	return r.api.store.SetBucketConfig(ctx, r.bucket, configACL, list.Encode())
}

func headBucket(r *request) error {
	b, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("X-Amz-Bucket-Region", r.regionOf(b))
	h.Set("X-Amz-Access-Point-Alias", "false")
	h.Set("X-Pail-Extensions", r.api.extensions())
	h.Set("Content-Type", "application/xml")
	r.w.WriteHeader(http.StatusOK)
	return nil
}

func (a *API) extensions() string {
	if a.store.Leases() {
		return Extensions + ", " + leaseExtensions
	}
	return Extensions
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

// regionHeader tells the region of the request's bucket, as HeadBucket does even where it is refused, and listings do.
func (r *request) regionHeader() {
	if r.access != nil {
		r.w.Header().Set("X-Amz-Bucket-Region", r.regionOf(r.access.bucket))
	}
}

func (r *request) regionOf(b store.Bucket) string {
	if b.Region == "" {
		return r.api.region
	}
	return b.Region
}

// validBucketName applies S3's rules for general purpose buckets (user guide, "Bucket naming rules").
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || net.ParseIP(name) != nil {
		return false
	}
	for _, pair := range []string{"..", ".-", "-."} { // no label may be empty, or begin or end with a hyphen
		if strings.Contains(name, pair) {
			return false
		}
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

// possibleBucketName reports whether any bucket of S3 may have the name, also one of the time when names could hold
// capitals and "_" and be longer. To ask for another is InvalidBucketName and not NoSuchBucket.
func possibleBucketName(name string) bool {
	if len(name) < 3 || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}
