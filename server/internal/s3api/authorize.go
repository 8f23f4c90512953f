package s3api

import (
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/acl"
	"pail/server/internal/policy"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/internal/tags"
)

// question is what the one decision function, allowed, decides: may the request's identity do this?
type question struct {
	action  string // IAM's, of the version when one is named
	bucket  string
	key     string // "" for the bucket itself
	version string
	upload  string // of actions on an upload
	created bool   // the object is about to be made: its own list does not matter yet
	read    bool   // the operation reads the object, and asks its list then (request.permit)
}

// authorize refuses what the request's identity may not do, as far as URL and headers tell. Without credentials, only a
// policy or an ACL can allow anything.
func authorize(r *request) error {
	if r.bucket == "" || r.op.name == "CreateBucket" { // nobody's resource yet
		if r.identity.Anonymous {
			return s3err.New(s3err.AccessDenied)
		}
		return nil
	}
	var err error
	if r.access, err = r.api.accesses.get(r.http.Context(), r.bucket); err != nil {
		return err
	}
	if err := r.checkExpectedOwner("X-Amz-Expected-Bucket-Owner", r.access); err != nil {
		return err
	}
	if err := r.checkPayer(r.access); err != nil {
		return err
	}
	if r.op.name == "DeleteObjects" {
		return nil // authorizeDelete decides for each key
	}
	if r.decidedByBody() {
		r.hide = func() bool { return !r.mayList(r.access) }
		return nil // authorizeBody decides
	}
	return r.authorizeOperation()
}

// authorizeOperation decides about the operation itself.
func (r *request) authorizeOperation() error {
	version := r.arg("versionId")
	q := question{action: versioned(r.op.action, version), bucket: r.bucket, key: r.key, version: version, upload: r.arg("uploadId")}
	if r.op.scope == onBucket && r.op.name != "PostObject" {
		q.key = ""
	}
	q.read = r.site == nil && (r.op.name == "GetObject" || r.op.name == "HeadObject")
	if err := r.require(q); err != nil {
		return err
	}
	if strings.HasSuffix(r.op.name, "BucketPolicy") && !r.isOwner(r.access) { // AWS says so of these three operations
		return s3err.New(s3err.MethodNotAllowed).With("Method", r.http.Method).With("ResourceType", resourceType(onBucket, "policy"))
	}
	ordinary := r.access.ordinary(r)
	if ordinary && r.http.Header["X-Amz-Copy-Source"] == nil {
		return nil
	}
	if !ordinary {
		r.hide = func() bool { return !r.mayList(r.access) }
	}
	return r.authorizeMore(q)
}

// decidedByBody reports whether the bucket's policy asks for what only the body of this request tells. The operation
// then calls authorizeBody when it has read that.
func (r *request) decidedByBody() bool {
	switch r.op.name {
	case "PutObjectTagging":
		return r.access.policy.UsesKey("s3:requestobjecttag")
	case "PutObjectRetention", "PutObjectLegalHold":
		return r.access.policy.UsesKey("s3:object-lock-")
	}
	return false
}

// authorizeBody is authorize for what decidedByBody left open, with what the body gives an object.
func (r *request) authorizeBody(given bodyValues) error {
	if !r.decidedByBody() {
		return nil
	}
	r.given = given
	return r.authorizeOperation()
}

// bodyValues are what the body of a request gives an object, for conditions of policies.
type bodyValues struct {
	tags tags.Set
	lock http.Header // as the headers of a PutObject would say it
}

// ordinary reports whether the identity is the bucket's owner and nothing else decides: then it may do everything here.
func (a *access) ordinary(r *request) bool {
	return a.enforced() && a.policy == nil && !a.broken && r.isOwner(a)
}

func (r *request) isOwner(a *access) bool {
	return !r.identity.Anonymous && r.identity.CanonicalID == a.bucket.Owner
}

// authorizeMore asks for what headers and other parameters need beside the operation's own action.
func (r *request) authorizeMore(q question) error {
	h := r.http.Header
	also := func(action string) error {
		extra := q
		extra.action = versioned(action, q.version)
		return r.require(extra)
	}
	switch r.op.name {
	case "GetObjectAttributes":
		return also("s3:GetObjectAttributes")
	case "RenameObject":
		return r.authorizeRename(q)
	case "DeleteDirectory":
		return r.require(question{action: "s3:ListBucket", bucket: q.bucket})
	case "PutObject", "PostObject", "PatchObject", "CopyObject", "CreateMultipartUpload":
		if r.op.name == "PatchObject" { // the new version, which may be another's, holds what the old one does
			if err := also("s3:GetObject"); err != nil {
				return err
			}
		}
		q.created = true
		if err := r.authorizeSettings(also); err != nil {
			return err
		}
	case "DeleteObject", "PutObjectRetention":
		if strings.EqualFold(h.Get("X-Amz-Bypass-Governance-Retention"), "true") {
			return also("s3:BypassGovernanceRetention")
		}
	}
	if v := h.Get("X-Amz-Copy-Source"); v != "" && (r.op.name == "CopyObject" || r.op.name == "UploadPartCopy") {
		return r.authorizeSource(v)
	}
	return nil
}

// authorizeSettings asks for what a new object is given beside its bytes.
func (r *request) authorizeSettings(also func(action string) error) error {
	h := r.http.Header
	for _, s := range []struct{ header, action string }{
		{"X-Amz-Acl", "s3:PutObjectAcl"}, {"X-Amz-Grant-Read", "s3:PutObjectAcl"}, {"X-Amz-Grant-Read-Acp", "s3:PutObjectAcl"},
		{"X-Amz-Grant-Write-Acp", "s3:PutObjectAcl"}, {"X-Amz-Grant-Full-Control", "s3:PutObjectAcl"},
		{"X-Amz-Tagging", "s3:PutObjectTagging"}, {"X-Amz-Object-Lock-Mode", "s3:PutObjectRetention"},
		{"X-Amz-Object-Lock-Legal-Hold", "s3:PutObjectLegalHold"},
	} {
		if h.Get(s.header) == "" {
			continue
		}
		if err := also(s.action); err != nil {
			return err
		}
	}
	return nil
}

// authorizeSource decides about the source of a copy.
func (r *request) authorizeSource(header string) error {
	src, err := parseCopySource(header)
	if err != nil {
		return err
	}
	a, err := r.api.accesses.get(r.http.Context(), src.bucket)
	if err != nil {
		return namedBucket(err, src.bucket)
	}
	if err := r.checkExpectedOwner("X-Amz-Source-Expected-Bucket-Owner", a); err != nil {
		return err
	}
	if err := r.checkPayer(a); err != nil {
		return err
	}
	q := question{action: versioned("s3:GetObject", src.version), bucket: src.bucket, key: src.key, version: src.version}
	r.hide = func() bool { return !a.ordinary(r) && !r.mayList(a) } // a missing key of a copy is the source's
	if err := r.requireIn(a, q); err != nil || r.op.name != "CopyObject" || a.ordinary(r) && r.access.ordinary(r) {
		return err
	}
	return r.authorizeTags(a, q)
}

// authorizeTags decides about the tags that a copy takes along, if there are any: they must be readable there, and settable
// here.
func (r *request) authorizeTags(a *access, q question) error {
	if r.header("X-Amz-Tagging-Directive") == "REPLACE" {
		return nil // authorizeSettings looked at those that are given
	}
	o, err := r.api.store.HeadObject(r.http.Context(), q.bucket, q.key, store.ReadInput{VersionID: q.version})
	if err != nil || len(o.Attrs.Tags) == 0 {
		return nil // the copy meets the error itself
	}
	q.action = versioned("s3:GetObjectTagging", q.version)
	if err := r.requireIn(a, q); err != nil {
		return err
	}
	return r.require(question{action: "s3:PutObjectTagging", bucket: r.bucket, key: r.key, created: true})
}

func namedBucket(err error, bucket string) error {
	if errors.Is(err, store.ErrNoSuchBucket) {
		return s3err.New(s3err.NoSuchBucket).Wrap(err).With("BucketName", bucket)
	}
	return err
}

// authorizeRename: a rename reads and deletes the source. The keys below a prefix cannot be asked for one by one, so a
// whole prefix is for the bucket's owner, and only where no policy could deny any of them.
func (r *request) authorizeRename(q question) error {
	src, err := r.renameSource()
	if err != nil {
		return err
	}
	if strings.HasSuffix(src, "/") && (!r.isOwner(r.access) || r.access.policy.HasDeny()) {
		return s3err.New(s3err.AccessDenied)
	}
	q.key = src
	for _, action := range []string{"s3:GetObject", "s3:DeleteObject"} {
		q.action = action
		if err := r.require(q); err != nil {
			return err
		}
	}
	return nil
}

// authorizeDelete decides about one key of DeleteObjects.
func (r *request) authorizeDelete(key, version string) error {
	if r.access.ordinary(r) {
		return nil
	}
	q := question{action: versioned("s3:DeleteObject", version), bucket: r.bucket, key: key, version: version}
	if err := r.require(q); err != nil {
		return err
	}
	if strings.EqualFold(r.header("X-Amz-Bypass-Governance-Retention"), "true") {
		q.action = "s3:BypassGovernanceRetention"
		return r.require(q)
	}
	return nil
}

// require is AccessDenied unless the identity may do what q says, in the request's bucket.
func (r *request) require(q question) error { return r.requireIn(r.access, q) }

func (r *request) requireIn(a *access, q question) error {
	ok, err := r.allowed(a, q)
	if err != nil {
		return err
	}
	if !ok {
		return s3err.New(s3err.AccessDenied)
	}
	return nil
}

// mayList reports whether the identity may know which keys there are.
func (r *request) mayList(a *access) bool {
	ok, err := r.allowed(a, question{action: "s3:ListBucket", bucket: a.bucket.Name})
	return ok && err == nil
}

// allowed decides one question, by the rules of AWS:
//
//  1. A Deny of the policy is final. Only the account that owns the bucket can still see and change the policy, lest a
//     mistake in it lock everybody out.
//  2. With enforced ownership, the bucket's owner may do everything, others what the policy allows, and lists of grants
//     mean nothing.
//  3. Otherwise an object that another account owns is that account's: its reader needs a grant of the object's list, be
//     it the bucket's owner, and the bucket's policy cannot allow it.
//  4. Who may make an object may say who else has access to it, unless the policy denies that: its owner could do so at
//     once after.
//  5. A public policy allows nothing to other accounts while RestrictPublicBuckets holds.
func (r *request) allowed(a *access, q question) (bool, error) {
	owner := r.isOwner(a)
	said := policy.Neutral
	if a.policy != nil || a.broken {
		said = r.ask(a, q)
	}
	if said == policy.Deny {
		return owner && r.identity.User == "" && aboutPolicy(q.action), nil
	}
	byPolicy := said == policy.Allow && (owner || !a.restricted())
	if a.enforced() && q.created && q.action == "s3:PutObjectAcl" {
		return true, nil // objectACL takes only what is so anyway
	}
	if a.enforced() || q.action == "" {
		return owner || byPolicy && q.action != "", nil
	}
	if p, ok := objectPermission(q.action); ok && !q.created {
		o := objectQuestion{question: q, permission: p, owner: owner, byPolicy: byPolicy}
		if q.read {
			r.pending = &o
			return true, nil
		}
		return r.objectAllows(a, o)
	}
	if owner || byPolicy {
		return true, nil
	}
	if q.created && q.action == "s3:PutObjectAcl" && !r.identity.Anonymous {
		return true, nil // who may make the object will own it
	}
	if p, ok := bucketPermission(q); ok {
		return a.grants.Allows(r.accountID(), p), nil
	}
	return r.ownsTarget(q)
}

func aboutPolicy(action string) bool {
	return action == "s3:GetBucketPolicy" || action == "s3:PutBucketPolicy" || action == "s3:DeleteBucketPolicy"
}

// ask asks the bucket's policy. One that cannot be read denies.
func (r *request) ask(a *access, q question) policy.Decision {
	if a.broken {
		return policy.Deny
	}
	return a.policy.Evaluate(&policy.Request{Principal: r.principal(), Action: q.action, Bucket: q.bucket, Key: q.key,
		Values: func(key string) []string { return r.conditionValues(a, q, key) }})
}

// objectQuestion is a question that only the object itself can answer, since it may be another account's.
type objectQuestion struct {
	question
	permission acl.Permission // that the object's list must grant
	owner      bool           // the identity owns the bucket
	byPolicy   bool           // the bucket's policy allows it
}

// objectAllows looks the object up and decides. Of one that is not there, whoever may list learns that.
func (r *request) objectAllows(a *access, q objectQuestion) (bool, error) {
	o, err := r.api.store.HeadObject(r.http.Context(), q.bucket, q.key, store.ReadInput{VersionID: q.version})
	if err != nil {
		e, _ := From(err)
		if e.Status >= 500 {
			return false, err
		}
		return q.owner || r.mayList(a), nil
	}
	return r.listAllows(a, q, o.Owner, o.ACL)
}

// listAllows decides by the object's owner and list.
func (r *request) listAllows(a *access, q objectQuestion, owner string, encoded []byte) (bool, error) {
	if !r.identity.Anonymous && owner == r.identity.CanonicalID || owner == a.bucket.Owner && (q.owner || q.byPolicy) {
		return true, nil
	}
	list, err := acl.Decode(encoded, owner)
	if err != nil {
		return false, err
	}
	if a.ignorePublic() {
		list = list.WithoutPublic()
	}
	return list.Allows(r.accountID(), q.permission), nil
}

// permit answers the pending question by the object that is about to be read; it is the Permit of a read. A look-up
// before the read would cost as much again, and could be of another object than the one that is then read.
func (r *request) permit(owner string, encoded []byte) error {
	if r.pending == nil {
		return nil
	}
	ok, err := r.listAllows(r.access, *r.pending, owner, encoded)
	if err == nil && !ok {
		err = s3err.New(s3err.AccessDenied)
	}
	r.pending = nil
	return err
}

// refused is the error of a read. One that failed before the pending question came up is told only to whoever may know.
func (r *request) refused(err error) error {
	if r.pending == nil {
		return err
	}
	q := *r.pending
	r.pending = nil
	ok, failed := r.objectAllows(r.access, q)
	switch {
	case failed != nil:
		return failed
	case !ok:
		return s3err.New(s3err.AccessDenied)
	}
	return err
}

// ownsTarget lets the owner of an object set what no list of grants covers, and whoever began an upload end it.
func (r *request) ownsTarget(q question) (bool, error) {
	if r.identity.Anonymous || q.key == "" {
		return false, nil
	}
	var owner string
	var err error
	switch q.action {
	case "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts":
		var u store.Upload
		u, err = r.api.store.HeadUpload(r.http.Context(), q.bucket, q.key, q.upload)
		owner = u.Owner
	case "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
		"s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging":
		var o store.Object
		o, err = r.api.store.HeadObject(r.http.Context(), q.bucket, q.key, store.ReadInput{VersionID: q.version})
		owner = o.Owner
	}
	if e, _ := From(err); err != nil && e.Status >= 500 {
		return false, err
	}
	return err == nil && owner == r.identity.CanonicalID, nil
}

// bucketPermission is what a bucket's list must grant for an action, where lists can.
func bucketPermission(q question) (acl.Permission, bool) {
	switch q.action {
	case "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads":
		return acl.Read, true
	case "s3:PutObject", "s3:DeleteObject":
		return acl.Write, true
	case "s3:PutObjectAcl", "s3:PutObjectTagging": // with a new object
		return acl.Write, q.created
	case "s3:GetBucketAcl":
		return acl.ReadACP, true
	case "s3:PutBucketAcl":
		return acl.WriteACP, true
	}
	return "", false
}

// objectPermission is what an object's list must grant for an action, where lists can.
func objectPermission(action string) (acl.Permission, bool) {
	switch action {
	case "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes", "s3:GetObjectTorrent":
		return acl.Read, true
	case "s3:GetObjectAcl", "s3:GetObjectVersionAcl":
		return acl.ReadACP, true
	case "s3:PutObjectAcl", "s3:PutObjectVersionAcl":
		return acl.WriteACP, true
	}
	return "", false
}
