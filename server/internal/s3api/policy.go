package s3api

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"

	"pail/server/internal/acl"
	"pail/server/internal/policy"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

func putBucketPolicy(r *request) error {
	body, err := r.readBody(policy.MaxSize)
	if err != nil {
		if s3err.Is(err, s3err.MaxMessageLengthExceeded) {
			return s3err.Newf(s3err.MalformedPolicy, "Policy exceeds the maximum allowed document size.")
		}
		return err
	}
	p, err := policy.Parse(body, policy.Options{Bucket: r.bucket, Known: r.api.knownAccounts()})
	if err != nil {
		var bad *policy.Error
		if errors.As(err, &bad) {
			return s3err.New(s3err.MalformedPolicy).WithMessage(bad.Message)
		}
		return err
	}
	if b := r.access.block; b != nil && b.BlockPublicPolicy && p.IsPublic() {
		return s3err.New(s3err.AccessDenied)
	}
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, configPolicy, body); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// knownAccounts lets policies name the accounts and users that there are. A server with one account takes any: it has no
// others to compare with.
func (a *API) knownAccounts() func(string) bool {
	if !a.several {
		return nil
	}
	return func(name string) bool {
		_, ok := a.accounts.ByID(name)
		return ok || a.accounts.HasUser(name)
	}
}

func getBucketPolicy(r *request) error {
	document, err := r.policyDocument()
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", itoa(len(document)))
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(document) // a client that is gone needs no answer
	return nil
}

func (r *request) policyDocument() ([]byte, error) {
	document, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, configPolicy)
	if errors.Is(err, store.ErrNoSuchConfig) {
		return nil, s3err.New(s3err.NoSuchBucketPolicy)
	}
	return document, err
}

func deleteBucketPolicy(r *request) error {
	if err := r.api.store.DeleteBucketConfig(r.http.Context(), r.bucket, configPolicy); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// getPolicyStatus tells whether policy makes the bucket public.
func getPolicyStatus(r *request) error {
	if _, err := r.policyDocument(); err != nil {
		return err
	}
	return r.sendConfig("PolicyStatus", func(x *xmlBuf) { x.bool("IsPublic", r.access.public) })
}

// blockDocument is the body of PutPublicAccessBlock.
type blockDocument struct {
	XMLName xml.Name `xml:"PublicAccessBlockConfiguration"`
	publicBlock
}

func putPublicAccessBlock(r *request) error {
	var d blockDocument
	if err := r.readXML(&d); err != nil {
		return err
	}
	row, err := json.Marshal(d.publicBlock)
	if err != nil {
		return err
	}
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, configBlock, row); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

func getPublicAccessBlock(r *request) error {
	b := r.access.block
	if b == nil {
		return s3err.New(s3err.NoSuchPublicAccessBlockConfiguration).With("BucketName", r.bucket)
	}
	return r.sendConfig("PublicAccessBlockConfiguration", func(x *xmlBuf) {
		x.bool("BlockPublicAcls", b.BlockPublicAcls)
		x.bool("IgnorePublicAcls", b.IgnorePublicAcls)
		x.bool("BlockPublicPolicy", b.BlockPublicPolicy)
		x.bool("RestrictPublicBuckets", b.RestrictPublicBuckets)
	})
}

func deletePublicAccessBlock(r *request) error {
	if err := r.api.store.DeleteBucketConfig(r.http.Context(), r.bucket, configBlock); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// ownershipDocument is the body of PutBucketOwnershipControls.
type ownershipDocument struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Rule    []struct{ ObjectOwnership string }
}

func validOwnership(o string) bool {
	return o == ownershipEnforced || o == ownershipPreferred || o == ownershipWriter
}

func putOwnershipControls(r *request) error {
	var d ownershipDocument
	if err := r.readXML(&d); err != nil {
		return err
	}
	if len(d.Rule) != 1 || !validOwnership(d.Rule[0].ObjectOwnership) {
		return s3err.New(s3err.MalformedXML)
	}
	o := d.Rule[0].ObjectOwnership
	if o == ownershipEnforced && !r.access.enforced() && !r.access.fullACL.OwnerOnly(r.access.bucket.Owner) {
		return s3err.New(s3err.InvalidBucketAclWithObjectOwnership)
	}
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, configOwnership, []byte(o)); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

func getOwnershipControls(r *request) error {
	if !validOwnership(r.access.ownership) {
		return s3err.New(s3err.OwnershipControlsNotFoundError).With("BucketName", r.bucket)
	}
	return r.sendConfig("OwnershipControls", func(x *xmlBuf) {
		x.open("Rule")
		x.text("ObjectOwnership", r.access.ownership)
		x.close("Rule")
	})
}

func deleteOwnershipControls(r *request) error {
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, configOwnership, []byte(ownershipNone)); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// newBucketACL gives the list of grants that CreateBucket's headers ask for.
func (r *request) newBucketACL() (acl.List, error) {
	owner := r.owner().id
	list, given, err := r.headerACL(subject{owner: owner, bucketOwner: owner})
	if err == nil && !given {
		list = acl.Private(owner)
	}
	return list, err
}

// newBucketAccess gives the documents that a new bucket with that list of grants begins with.
func (r *request) newBucketAccess(list acl.List) ([]store.Config, error) {
	o := r.header("X-Amz-Object-Ownership")
	switch {
	case o == "":
		o = r.api.ownership
	case !validOwnership(o):
		return nil, invalidArgument("x-amz-object-ownership", o, "Invalid x-amz-object-ownership header: "+o)
	}
	documents := []store.Config{{Kind: configOwnership, Document: []byte(o)}}
	if !list.OwnerOnly(r.owner().id) {
		if o == ownershipEnforced {
			return nil, s3err.New(s3err.InvalidBucketAclWithObjectOwnership)
		}
		if r.api.blockPublic && list.Public() {
			return nil, s3err.New(s3err.AccessDenied)
		}
	}
	if !equalACL(list, acl.Private(r.owner().id)) {
		documents = append(documents, store.Config{Kind: configACL, Document: list.Encode()})
	}
	if r.api.blockPublic {
		row, err := json.Marshal(publicBlock{true, true, true, true})
		if err != nil {
			return nil, err
		}
		documents = append(documents, store.Config{Kind: configBlock, Document: row})
	}
	return documents, nil
}

func equalACL(a, b acl.List) bool { return string(a.Encode()) == string(b.Encode()) }
