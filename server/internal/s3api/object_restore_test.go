package s3api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

// TestArchivedObjectsAreRestored: what a client calls archived can be read at any time, and says so.
func TestArchivedObjectsAreRestored(t *testing.T) {
	s := newScene(t, servertest.Options{})
	const days = "<RestoreRequest><Days>2</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>"
	for class, status := range map[types.StorageClass]int{"GLACIER": 200, "DEEP_ARCHIVE": 200, "GLACIER_IR": 403, "STANDARD": 403} {
		s.put("k", "x", func(in *s3.PutObjectInput) { in.StorageClass = class })
		code := map[int]string{403: "InvalidObjectState"}[status]
		s.want(string(class), s.do("POST", path("k")+"?restore", days), status, code)
		out, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		if err != nil || (aws.ToString(out.Restore) != "") != (status == 200) || s.get("k") != "x" {
			t.Errorf("%s: %q %v", class, aws.ToString(out.Restore), err)
		}
	}
	s.put("k", "x", func(in *s3.PutObjectInput) { in.StorageClass = "GLACIER" })
	for body, code := range map[string]string{"": "MissingRequestBodyError", "<Other/>": "MalformedXML", "<RestoreRequest/>": "MalformedXML",
		"<RestoreRequest><Days>0</Days></RestoreRequest>": "MalformedXML"} {
		s.want(body, s.do("POST", path("k")+"?restore", body), 400, code)
	}
	s.want("select", s.do("POST", path("k")+"?restore", "<RestoreRequest><Type>SELECT</Type></RestoreRequest>"), 501, "NotImplemented")
	s.want("no object", s.do("POST", path("none")+"?restore", days), 404, "NoSuchKey")
}
