package s3api

import (
	"net/http"
	"net/url"
	"testing"

	"pail/server/internal/s3err"
)

func TestRouting(t *testing.T) {
	rt := newRoutes(ops())
	for _, c := range []struct {
		method string
		scope  scope
		query  string
		header string
		want   string // an operation, or an error code
	}{
		{"GET", onService, "", "", "ListBuckets"},
		{"GET", onService, "x-id=ListBuckets", "", "ListBuckets"},
		{"GET", onService, "x-id=ListDirectoryBuckets", "", "ListDirectoryBuckets"},
		{"POST", onService, "", "", "MethodNotAllowed"},
		{"PUT", onBucket, "", "", "CreateBucket"},
		{"GET", onBucket, "", "", "ListObjects"},
		{"GET", onBucket, "list-type=2&prefix=a", "", "ListObjectsV2"},
		{"GET", onBucket, "list-type=1", "", "ListObjects"},
		{"GET", onBucket, "location", "", "GetBucketLocation"},
		{"GET", onBucket, "location=", "", "GetBucketLocation"},
		{"GET", onBucket, "analytics", "", "ListBucketAnalyticsConfigurations"},
		{"GET", onBucket, "analytics&id=a", "", "GetBucketAnalyticsConfiguration"},
		{"GET", onBucket, "acl&policy", "", "InvalidArgument"},
		{"GET", onBucket, "unheard-of", "", "ListObjects"},
		{"POST", onBucket, "delete", "", "DeleteObjects"},
		{"POST", onBucket, "", "", "PostObject"},
		{"POST", onBucket, "versioning", "", "MethodNotAllowed"},
		{"BREW", onBucket, "", "", "MethodNotAllowed"},
		{"PUT", onObject, "", "", "PutObject"},
		{"PUT", onObject, "x-id=PutObject", "", "PutObject"},
		{"PUT", onObject, "", "X-Amz-Copy-Source", "CopyObject"},
		{"PUT", onObject, "partNumber=1&uploadId=u", "", "UploadPart"},
		{"PUT", onObject, "partNumber=1&uploadId=u", "X-Amz-Copy-Source", "UploadPartCopy"},
		{"PUT", onObject, "renameObject", "", "RenameObject"},
		{"PUT", onObject, "policy", "", "MethodNotAllowed"},
		{"PUT", onObject, "uploads", "", "MethodNotAllowed"},
		{"PUT", onObject, "acl&tagging", "", "InvalidArgument"},
		{"GET", onObject, "partNumber=1", "", "GetObject"},
		{"GET", onObject, "response-content-type=a", "", "GetObject"},
		{"GET", onObject, "uploadId=u", "", "ListParts"},
		{"GET", onObject, "annotation&x-id=ListObjectAnnotations", "", "ListObjectAnnotations"},
		{"POST", onObject, "uploads", "", "CreateMultipartUpload"},
		{"POST", onObject, "patch", "", "PatchObject"},
		{"POST", onObject, "deleteDirectory", "", "DeleteDirectory"},
		{"POST", onObject, "unheard-of", "", "MethodNotAllowed"},
		{"POST", onObject, "uploadId=u", "", "CompleteMultipartUpload"},
		{"POST", onObject, "select&select-type=2", "", "SelectObjectContent"},
		{"DELETE", onObject, "uploadId=u", "", "AbortMultipartUpload"},
		{"DELETE", onObject, "versionId=v", "", "DeleteObject"},
		{"OPTIONS", onObject, "", "", "PreflightRequest"},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		if c.header != "" {
			header.Set(c.header, "x")
		}
		got, err := rt.find(c.scope, c.method, query, header)
		name := ""
		if err != nil {
			e, _ := From(err)
			name = string(e.Code)
		} else {
			name = got.name
		}
		if name != c.want {
			t.Errorf("%s %s ?%s %s: %s, want %s", c.method, c.scope, c.query, c.header, name, c.want)
		}
	}
}

func TestTableIsUnambiguous(t *testing.T) {
	type row struct {
		method string
		scope  scope
		query  string
		header string
	}
	seen := map[row]string{}
	for _, o := range ops() {
		key := row{o.method, o.scope, "", o.header}
		for _, q := range o.query {
			key.query += q + "&"
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same row", o.name, other)
		}
		seen[key] = o.name
		if o.header != "" && http.CanonicalHeaderKey(o.header) != o.header {
			t.Errorf("%s: header %s is not canonical", o.name, o.header)
		}
		if o.public && o.name != "PreflightRequest" {
			t.Errorf("%s is served without credentials", o.name)
		}
	}
}

func TestConfigCodesAreKnown(t *testing.T) {
	for _, s := range sentinels {
		if s3err.New(s.code).Status == 500 {
			t.Errorf("%v becomes %s, which has no status of its own", s.err, s.code)
		}
	}
}
