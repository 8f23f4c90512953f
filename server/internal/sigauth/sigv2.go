package sigauth

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
)

const (
	paramV2Key       = "AWSAccessKeyId"
	paramV2Expires   = "Expires"
	paramV2Signature = "Signature"
	paramV2Token     = "x-amz-security-token"
)

// headerV2 authenticates "Authorization: AWS KEY:SIGNATURE".
func (v *Verifier) headerV2(in *input) (Identity, *Payload, error) {
	text := strings.TrimSpace(strings.TrimPrefix(in.http.Header.Get("Authorization"), "AWS"))
	i := strings.LastIndexByte(text, ':')
	if i <= 0 || i == len(text)-1 {
		return Identity{}, nil, invalidArgument("Authorization", "AWS", `AWS authorization header is invalid.  Expected AwsAccessKeyId:signature`)
	}
	t, sent, err := in.date()
	if err != nil {
		return Identity{}, nil, err
	}
	if err := in.checkSkew(t, sent); err != nil {
		return Identity{}, nil, err
	}
	date := in.http.Header.Get("Date")
	if in.http.Header.Get("X-Amz-Date") != "" {
		date = ""
	}
	return v.verifyV2(in, claimV2{text[:i], text[i+1:], date, in.http.Header.Get("X-Amz-Security-Token"), V2})
}

// presignedV2 authenticates "?AWSAccessKeyId=...&Expires=...&Signature=...".
func (v *Verifier) presignedV2(in *input) (Identity, *Payload, error) {
	key, ok1 := in.query.get(paramV2Key)
	expires, ok2 := in.query.get(paramV2Expires)
	signature, ok3 := in.query.get(paramV2Signature)
	if !ok1 || !ok2 || !ok3 {
		return Identity{}, nil, s3err.Newf(s3err.AccessDenied,
			"Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
	}
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return Identity{}, nil, s3err.Newf(s3err.AccessDenied, "Invalid date (should be seconds since epoch): %s", expires)
	}
	if in.now.Unix() > seconds {
		return Identity{}, nil, in.expired(time.Unix(seconds, 0), "")
	}
	token, ok := in.query.get(paramV2Token)
	if !ok {
		token = in.http.Header.Get("X-Amz-Security-Token")
	}
	signature = strings.ReplaceAll(signature, " ", "+") // base64's "+", sent without escaping it
	return v.verifyV2(in, claimV2{key, signature, expires, token, V2Presigned})
}

// claimV2 is what a request says of its V2 signature.
type claimV2 struct {
	accessKey, signature string
	date                 string // line of the string to sign
	token                string
	kind                 Kind
}

func (v *Verifier) verifyV2(in *input, c claimV2) (Identity, *Payload, error) {
	cred, err := v.credential(c.accessKey, c.token)
	if err != nil {
		return Identity{}, nil, err
	}
	paths, err := in.paths()
	if err != nil {
		return Identity{}, nil, err
	}
	slices.Reverse(paths) // V2 signs the path as sent
	if v.virtualBucket(in.http.Host) == "" && strings.Count(paths[0], "/") == 1 && len(paths[0]) > 1 {
		paths = append(paths, paths[0]+"/") // botocore sends "/bucket" and signs "/bucket/"
	}
	var failed *s3err.Error
	for _, path := range paths {
		toSign := v.stringToSignV2(in, c, path)
		if equal(c.signature, signV2(cred.SecretKey, toSign)) {
			p, err := v.payload(in, in.http.Header.Get(headerContentSHA256), nil)
			if err != nil {
				return Identity{}, nil, err
			}
			return identity(cred, c.kind), p, nil
		}
		if failed == nil {
			failed = mismatch(c.accessKey, c.signature, toSign, nil)
		}
	}
	return Identity{}, nil, failed
}

func (v *Verifier) stringToSignV2(in *input, c claimV2, path string) []byte {
	r := in.http
	dst := make([]byte, 0, 512)
	for _, line := range []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), c.date} {
		dst = append(append(dst, line...), '\n')
	}
	dst = appendAmzHeaders(dst, r.Header, in.query)
	// The bucket comes from the Host header or from the path, never from either at will: V2 does not sign the host.
	if bucket := v.virtualBucket(r.Host); bucket != "" {
		dst = append(append(dst, '/'), bucket...)
	}
	dst = append(dst, path...)
	return in.query.appendSubresources(dst)
}

// appendAmzHeaders appends the x-amz-* headers in order. A presigned URL carries the token in the query.
func appendAmzHeaders(dst []byte, h http.Header, q params) []byte {
	lines := map[string]string{}
	for name, values := range h {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			lines[lower] = joinV2(values)
		}
	}
	if token, ok := q.get(paramV2Token); ok && lines[paramV2Token] == "" {
		lines[paramV2Token] = token
	}
	names := make([]string, 0, len(lines))
	for name := range lines {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		dst = append(append(dst, name...), ':')
		dst = append(append(dst, lines[name]...), '\n')
	}
	return dst
}

func joinV2(values []string) string {
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.TrimSpace(v)
	}
	return strings.Join(trimmed, ",")
}

// appendSubresources appends the part of the query that V2 signs, decoded.
func (p params) appendSubresources(dst []byte) []byte {
	var signed params
	for _, q := range p {
		if isSubresource(q.name) {
			signed = append(signed, q)
		}
	}
	slices.SortStableFunc(signed, func(a, b param) int { return strings.Compare(a.name, b.name) })
	for i, q := range signed {
		sep := byte('&')
		if i == 0 {
			sep = '?'
		}
		dst = append(append(dst, sep), q.name...)
		if !q.bare {
			dst = append(append(dst, '='), q.value...)
		}
	}
	return dst
}

// isSubresource holds the list of the V2 page and what the service and its SDKs have added since.
func isSubresource(name string) bool {
	switch name {
	case "acl", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment", "torrent",
		"uploadId", "uploads", "versionId", "versioning", "versions", "website",
		"accelerate", "analytics", "cors", "defaultObjectAcl", "delete", "encryption", "intelligent-tiering", "inventory",
		"legal-hold", "metrics", "object-lock", "ownershipControls", "policyStatus", "publicAccessBlock", "replication",
		"restore", "retention", "select", "select-type", "storageClass", "tagging",
		"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
		"response-content-type", "response-expires":
		return true
	}
	return false
}

func signV2(secret string, toSign []byte) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write(toSign)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
