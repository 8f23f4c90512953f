package s3api_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

func TestDeleteDirectory(t *testing.T) {
	s := newScene(t, servertest.Options{})
	remove := func(key string) answer { return s.do("POST", path(key)+"?deleteDirectory", "") }
	s.put("d ü/", "")
	s.put("d ü/x", "1")
	s.want("with an entry", remove("d ü/"), 409, "DirectoryNotEmpty")
	s.want("of the entry", s.do("DELETE", path("d ü/x"), ""), 204, "")
	s.want("empty", remove("d ü/"), 204, "")
	s.want("gone", remove("d ü/"), 404, "NoSuchKey")
	s.want("a file", remove("d"), 400, "InvalidRequest")
	s.want("a GET", s.do("GET", path("d/")+"?deleteDirectory", ""), 405, "MethodNotAllowed")
	s.want("no bucket", s.do("POST", "/none/d/?deleteDirectory", ""), 404, "NoSuchBucket")

	s.put("v/", "")
	_, err := s.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		t.Fatal(err)
	}
	a := remove("v/")
	s.want("with versions", a, 204, "")
	if a.header.Get("X-Amz-Delete-Marker") != "true" || a.header.Get("X-Amz-Version-Id") == "" {
		t.Errorf("%v", a.header)
	}
}

// Who may not delete the marker, or may not know what is below it, is refused.
func TestDeleteDirectoryNeedsBothRights(t *testing.T) {
	c := newCast(t)
	c.put("home/", "")
	remove := func() answer {
		req := c.request("POST", path("home/")+"?deleteDirectory", "")
		sum := fmt.Sprintf("%x", sha256.Sum256(nil))
		req.Header.Set("X-Amz-Content-Sha256", sum)
		keys := aws.Credentials{AccessKeyID: "OTHER", SecretAccessKey: "other-secret"}
		if err := v4.NewSigner().SignHTTP(ctx, keys, req, sum, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		return c.send(req)
	}
	mayDelete := statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:DeleteObject", bucket+"/*")
	mayList := func(prefix string) string {
		return statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:ListBucket", bucket, `,"Condition":{"StringLike":{"s3:prefix":"`+prefix+`"}}`)
	}
	c.policy(mayDelete)
	c.want("who may not list", remove(), 403, "AccessDenied")
	c.policy(mayDelete, mayList("elsewhere/*"))
	c.want("who may list elsewhere", remove(), 403, "AccessDenied")
	c.policy(mayList("home/*"))
	c.want("who may not delete", remove(), 403, "AccessDenied")
	c.put("home/x", "")
	c.policy(mayDelete, mayList("home/*"))
	c.want("who may do both", remove(), 409, "DirectoryNotEmpty")
	c.policy(mayDelete, mayList("home/*"), statement("Deny", `"*"`, "s3:DeleteObject", bucket+"/home/"))
	c.want("who is denied it", remove(), 403, "AccessDenied")
}
