package s3api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/server/servertest"
)

func TestAppend(t *testing.T) {
	s := newScene(t, servertest.Options{})
	want := ""
	for i, piece := range []string{"first ", "second ", strings.Repeat("x", 200<<10), "end"} {
		out, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader(piece),
			WriteOffsetBytes: aws.Int64(int64(len(want))), ContentType: aws.String("text/plain")})
		if err != nil {
			t.Fatal(err)
		}
		want += piece
		if i > 0 && aws.ToInt64(out.Size) != int64(len(want)) {
			t.Errorf("size %v of %d", out.Size, len(want))
		}
		if got := s.get("k"); got != want {
			t.Errorf("%d bytes, not %d", len(got), len(want))
		}
	}
	if a := s.do("HEAD", path("k"), ""); a.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%v", a.header)
	}
	s.want("wrong offset", s.do("PUT", path("k"), "x", "X-Amz-Write-Offset-Bytes: 3"), 400, "InvalidWriteOffset")
	s.want("no object", s.do("PUT", path("none"), "x", "X-Amz-Write-Offset-Bytes: 3"), 400, "InvalidWriteOffset")
	s.want("no number", s.do("PUT", path("k"), "x", "X-Amz-Write-Offset-Bytes: -3"), 400, "InvalidArgument")
	s.want("condition", s.do("PUT", path("k"), "x", "X-Amz-Write-Offset-Bytes: "+fmt.Sprint(len(want)), `If-Match: "0123"`), 412, "PreconditionFailed")
	s.want("no bucket", s.do("PUT", "/nobucket/k", "x", "X-Amz-Write-Offset-Bytes: 0"), 404, "NoSuchBucket")
	s.want("elsewhere", s.do("POST", path("k")+"?uploads", "", "X-Amz-Write-Offset-Bytes: 0"), 501, "NotImplemented")
	if got := s.get("k"); got != want {
		t.Error("a refused append has changed the object")
	}
}
