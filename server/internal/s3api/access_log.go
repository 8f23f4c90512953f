package s3api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"net"
	"strings"
	"time"

	"pail/server/internal/accesslog"
	"pail/server/internal/acl"
	"pail/server/internal/bucketdoc"
	"pail/server/internal/sigauth"
	"pail/server/internal/store"
)

// logTarget reads where a bucket's requests are logged, from its logging configuration; nil for nowhere.
func (a *API) logTarget(document []byte, b store.Bucket) *accesslog.Target {
	n := new(bucketdoc.Node)
	if xml.Unmarshal(document, n) != nil {
		return nil
	}
	enabled := n.Child("LoggingEnabled")
	if enabled == nil {
		return nil
	}
	t := &accesslog.Target{Bucket: enabled.Value("TargetBucket"), Prefix: enabled.Value("TargetPrefix"), Owner: b.Owner,
		Account: a.accountOf(b.Owner).ID, Region: cmp.Or(b.Region, a.region), Source: b.Name}
	if f := enabled.Child("TargetObjectKeyFormat"); f != nil && f.Child("PartitionedPrefix") != nil {
		t.Partitioned, t.EventTime = true, f.Value("PartitionedPrefix", "PartitionDateSource") == "EventTime"
	}
	if grants := enabled.Child("TargetGrants"); grants != nil {
		list := acl.Private(b.Owner)
		for i := range grants.Nodes {
			g, err := a.grantee(grants.Nodes[i].Child("Grantee"))
			if err != nil {
				continue // who is not known any more
			}
			g.Permission = acl.Permission(grants.Nodes[i].Value("Permission"))
			list = append(list, g)
		}
		t.Grants = string(list.Encode())
	}
	return t
}

// DeliverLogs delivers what buckets want logged until ctx ends, and then what is left.
func (a *API) DeliverLogs(ctx context.Context) { a.accessLog.Run(ctx) }

// putLog stores an access log in the bucket that is to have it, if that is still the same account's, as its objects are
// encrypted and may be shared.
func (a *API) putLog(ctx context.Context, t accesslog.Target, key string, body []byte) error {
	target, err := a.accesses.get(ctx, t.Bucket)
	if err != nil {
		return err
	}
	if target.bucket.Owner != t.Owner {
		return errors.New("the bucket is another account's now")
	}
	list, err := target.logACL(t.Grants)
	if err != nil {
		return err
	}
	info := a.defaultEncryption(target)
	_, err = a.store.PutObject(ctx, store.PutInput{Bucket: t.Bucket, Key: key, Owner: t.Owner, Body: bytes.NewReader(body), Size: int64(len(body)),
		Attrs: store.Attrs{ContentType: "text/plain"}, Algorithm: store.DefaultAlgorithm,
		Extra: store.Extra{ACL: list, Encryption: info.Encode()}})
	return err
}

// logACL gives the stored list of a log that is delivered into the bucket: of what was to be granted, what its objects may be
// now, which can have changed since.
func (a *access) logACL(grants string) ([]byte, error) {
	if grants == "" || a.enforced() {
		return nil, nil
	}
	list, err := acl.Decode([]byte(grants), a.bucket.Owner)
	if err != nil {
		return nil, err
	}
	if a.blockPublicACLs() {
		list = list.WithoutPublic()
	}
	return list.Encode(), nil
}

// noteAccess finds out where a request is logged that may end before authorize.
func (r *request) noteAccess() {
	if r.bucket == "" {
		return
	}
	if a, err := r.api.accesses.get(r.http.Context(), r.bucket); err == nil { // the operation meets the error itself
		r.access = a
	}
}

// logAccess writes the request into its bucket's access log, if it has one.
func (r *request) logAccess(start time.Time, e *Event) {
	a := r.access
	if a == nil || a.logTo == nil {
		return
	}
	hr := r.http
	rec := accesslog.Record{Owner: a.bucket.Owner, Bucket: r.bucket, Time: start, RequestID: r.id, Operation: r.logOperation(),
		Key: string(appendURLEncoded(nil, r.key)), URI: hr.Method + " " + redactURI(hr.RequestURI) + " " + hr.Proto,
		Status: e.Status, Code: e.Code, Sent: e.Out, Size: -1, Took: e.Duration, Referer: redactURI(r.header("Referer")), UserAgent: r.header("User-Agent"),
		VersionID: r.arg("versionId"), HostID: r.api.hostID, Host: hr.Host}
	if r.sized {
		rec.Size = r.size
	}
	rec.RemoteIP = hr.RemoteAddr
	if host, _, err := net.SplitHostPort(hr.RemoteAddr); err == nil {
		rec.RemoteIP = host
	}
	if hr.TLS != nil {
		rec.Cipher, rec.TLS = tls.CipherSuiteName(hr.TLS.CipherSuite), "TLSv1."+itoa(int(hr.TLS.Version)-tls.VersionTLS10)
	}
	r.logIdentity(&rec)
	r.api.accessLog.Add(*a.logTo, &rec)
}

// logIdentity says who made the request, and how it was signed.
func (r *request) logIdentity(rec *accesslog.Record) {
	switch id := &r.identity; {
	case id.Anonymous:
	case id.User != "":
		rec.Requester = id.ARN
	default:
		rec.Requester = id.CanonicalID
	}
	switch r.identity.Signature {
	case sigauth.V4:
		rec.Signature, rec.AuthType = "SigV4", "AuthHeader"
	case sigauth.V4Presigned:
		rec.Signature, rec.AuthType = "SigV4", "QueryString"
	case sigauth.V4Post:
		rec.Signature = "SigV4"
	case sigauth.V2:
		rec.Signature, rec.AuthType = "SigV2", "AuthHeader"
	case sigauth.V2Presigned:
		rec.Signature, rec.AuthType = "SigV2", "QueryString"
	case sigauth.V2Post:
		rec.Signature = "SigV2"
	}
}

// logNames are what AWS's logs call operations and sub-resources, where that is not the sub-resource in upper case.
var logNames = map[string]string{
	"CopyObject": "REST.COPY.OBJECT", "UploadPartCopy": "REST.COPY.PART", "UploadPart": "REST.PUT.PART",
	"DeleteObjects": "REST.POST.MULTI_OBJECT_DELETE", "PreflightRequest": "REST.OPTIONS.PREFLIGHT", "GetWebsiteObject": "WEBSITE.GET.OBJECT",
	"GetObjectTagging": "REST.GET.OBJECT_TAGGING", "PutObjectTagging": "REST.PUT.OBJECT_TAGGING", "DeleteObjectTagging": "REST.DELETE.OBJECT_TAGGING",

	"list-type": "BUCKET", "versions": "BUCKETVERSIONS", "policy": "BUCKETPOLICY", "logging": "LOGGING_STATUS", "uploadId": "UPLOAD",
	"publicAccessBlock": "PUBLIC_ACCESS_BLOCK", "requestPayment": "REQUEST_PAYMENT", "ownershipControls": "OWNERSHIP_CONTROLS",
	"policyStatus": "POLICY_STATUS", "object-lock": "OBJECT_LOCK_CONFIGURATION", "legal-hold": "OBJECT_LOCK_LEGALHOLD",
	"retention": "OBJECT_LOCK_RETENTION",
}

// logOperation names the operation as AWS's logs do.
func (r *request) logOperation() string {
	if name := logNames[r.opName]; name != "" {
		return name
	}
	kind := resourceType(r.scope(), "")
	if r.op != nil && len(r.op.query) > 0 {
		sub, _, _ := strings.Cut(r.op.query[0], "=")
		kind = cmp.Or(logNames[sub], strings.ToUpper(sub))
	}
	return "REST." + r.http.Method + "." + kind
}
