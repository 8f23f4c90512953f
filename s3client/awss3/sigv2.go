package awss3

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"pail/s3client"
)

// subresources are the query parameters that a version 2 signature covers
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html).
var subresources = []string{
	"acl", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
	"tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// resource is what a version 2 signature names: the path that is sent, behind the bucket if that is in the host name.
func (c *Client) resource(req *http.Request, t *target) string {
	path := req.URL.EscapedPath()
	if t.bucketInHost {
		return "/" + c.opt.Bucket + path
	}
	return path
}

// signV2 signs req by signature version 2.
func signV2(req *http.Request, resource string, creds s3client.Credentials, now time.Time) {
	h := req.Header
	set(h, "Date", now.UTC().Format(http.TimeFormat))
	if creds.SessionToken != "" {
		set(h, "X-Amz-Security-Token", creds.SessionToken)
	}
	set(h, "Authorization", "AWS "+creds.AccessKey+":"+signatureV2(creds.SecretKey, stringToSignV2(req, resource)))
}

func signatureV2(secret, toSign string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(toSign))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func stringToSignV2(req *http.Request, resource string) string {
	h := req.Header
	var b strings.Builder
	for _, s := range []string{req.Method, h.Get("Content-Md5"), h.Get("Content-Type"), h.Get("Date")} {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	var names []string
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	for _, name := range names {
		values := h[http.CanonicalHeaderKey(name)]
		b.WriteString(name + ":" + strings.TrimSpace(strings.Join(values, ",")) + "\n")
	}
	b.WriteString(resource)
	b.WriteString(canonicalQueryV2(req))
	return b.String()
}

func canonicalQueryV2(req *http.Request) string {
	query := req.URL.Query()
	var b strings.Builder
	for _, name := range subresources {
		if !query.Has(name) {
			continue
		}
		if b.Len() == 0 {
			b.WriteByte('?')
		} else {
			b.WriteByte('&')
		}
		b.WriteString(name)
		if v := query.Get(name); v != "" {
			b.WriteString("=" + v)
		}
	}
	return b.String()
}
