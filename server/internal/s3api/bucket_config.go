package s3api

import (
	"net/http"

	"pail/server/internal/s3err"
)

// Answers about a bucket's configuration, true while none can be set: see bucketConfigOps.

// requireBucket answers NoSuchBucket where there is none.
func (r *request) requireBucket() error {
	_, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	return err
}

// noConfig answers AWS's error for a configuration that was never set.
func noConfig(code s3err.Code) func(*request) error {
	return func(r *request) error {
		if err := r.requireBucket(); err != nil {
			return err
		}
		return s3err.New(code).With("BucketName", r.bucket)
	}
}

// emptyConfig answers an empty document, where AWS does that for a configuration that was never set.
func emptyConfig(root string) func(*request) error {
	return func(r *request) error { return r.sendConfig(root, func(*xmlBuf) {}) }
}

// emptyList answers a complete list of no configurations.
func emptyList(root string) func(*request) error {
	return func(r *request) error {
		return r.sendConfig(root, func(x *xmlBuf) { x.bool("IsTruncated", false) })
	}
}

func (r *request) sendConfig(root string, fill func(*xmlBuf)) error {
	if err := r.requireBucket(); err != nil {
		return err
	}
	x := r.doc()
	x.root(root)
	fill(x)
	x.close(root)
	return r.send(http.StatusOK, x)
}

func getRequestPayment(r *request) error {
	return r.sendConfig("RequestPaymentConfiguration", func(x *xmlBuf) { x.text("Payer", "BucketOwner") })
}

// getOwnershipControls: ACLs grant nothing, the bucket's owner owns every object.
func getOwnershipControls(r *request) error {
	return r.sendConfig("OwnershipControls", func(x *xmlBuf) {
		x.open("Rule")
		x.text("ObjectOwnership", "BucketOwnerEnforced")
		x.close("Rule")
	})
}

// getPublicAccessBlock: nothing is public, and nothing can make it so.
func getPublicAccessBlock(r *request) error {
	return r.sendConfig("PublicAccessBlockConfiguration", func(x *xmlBuf) {
		for _, name := range []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"} {
			x.bool(name, true)
		}
	})
}

func getBucketACL(r *request) error { return r.sendConfig("AccessControlPolicy", r.ownerACL) }

func getObjectACL(r *request) error {
	if err := r.requireObject(); err != nil {
		return err
	}
	return r.sendConfig("AccessControlPolicy", r.ownerACL)
}

// ownerACL is the one access control list there is: the owner may do everything.
func (r *request) ownerACL(x *xmlBuf) {
	o := r.owner()
	x.owner("Owner", o)
	x.open("AccessControlList")
	x.open("Grant")
	x.b = append(x.b, `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">`...)
	x.text("ID", o.id)
	x.text("DisplayName", o.name)
	x.close("Grantee")
	x.text("Permission", "FULL_CONTROL")
	x.close("Grant")
	x.close("AccessControlList")
}

// noObjectLock answers for retention and legal hold of an object in a bucket without object lock.
func noObjectLock(r *request) error {
	if err := r.requireObject(); err != nil {
		return err
	}
	return s3err.Newf(s3err.InvalidRequest, "Bucket is missing Object Lock Configuration")
}

// requireObject answers NoSuchKey where there is none.
func (r *request) requireObject() error {
	_, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, readInput(r))
	return err
}
