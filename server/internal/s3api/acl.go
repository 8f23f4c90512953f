package s3api

import (
	"net/http"

	"pail/server/internal/acl"
	"pail/server/internal/s3err"
)

func getBucketACL(r *request) error {
	list := r.access.fullACL
	if r.access.enforced() {
		list = acl.Private(r.access.bucket.Owner)
	}
	return r.sendACL(r.ownerOf(r.access.bucket.Owner), list)
}

func putBucketACL(r *request) error {
	owner := r.access.bucket.Owner
	s := subject{owner: owner, bucketOwner: owner}
	if r.access.enforced() {
		return r.keepACL(s)
	}
	list, err := r.readACL(s)
	if err != nil {
		return err
	}
	if err := r.checkACL(list); err != nil {
		return err
	}
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, configACL, list.Encode()); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

// keepACL answers a request for an ACL where ownership is enforced: what is so anyway may be asked for, as s3cmd does
// after each copy, and nothing else.
func (r *request) keepACL(s subject) error {
	list, err := r.readACL(s)
	if err != nil || len(list) == 0 || !list.OwnerOnly(s.bucketOwner) {
		return s3err.New(s3err.AccessControlListNotSupported)
	}
	return r.empty(http.StatusOK)
}

// checkACL refuses what the bucket's public access block does not allow.
func (r *request) checkACL(list acl.List) error {
	a := r.access
	if a.blockPublicACLs() && list.Public() {
		return s3err.New(s3err.AccessDenied)
	}
	return nil
}

func getObjectACL(r *request) error {
	o, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, readInput(r))
	if err != nil {
		return err
	}
	set(r.w.Header(), "X-Amz-Version-Id", o.VersionID)
	if r.access.enforced() {
		return r.sendACL(r.ownerOf(o.Owner), acl.Private(r.access.bucket.Owner))
	}
	list, err := acl.Decode(o.ACL, o.Owner)
	if err != nil {
		return err
	}
	return r.sendACL(r.ownerOf(o.Owner), list)
}

func putObjectACL(r *request) error {
	ctx := r.http.Context()
	o, err := r.api.store.HeadObject(ctx, r.bucket, r.key, readInput(r))
	if err != nil {
		return err
	}
	s := subject{object: true, owner: o.Owner, bucketOwner: r.access.bucket.Owner}
	if r.access.enforced() {
		return r.keepACL(s)
	}
	list, err := r.readACL(s)
	if err != nil {
		return err
	}
	if err := r.checkACL(list); err != nil {
		return err
	}
	if o, err = r.api.store.SetACL(ctx, r.bucket, r.key, r.arg("versionId"), list.Encode()); err != nil {
		return err
	}
	set(r.w.Header(), "X-Amz-Version-Id", o.VersionID)
	return r.empty(http.StatusOK)
}
