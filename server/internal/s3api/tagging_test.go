package s3api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

// tagText writes tags as "a=1 b=".
func tagText(list []types.Tag) string {
	var out []string
	for _, t := range list {
		out = append(out, *t.Key+"="+*t.Value)
	}
	return strings.Join(out, " ")
}

func (s *scene) objectTags(key string) string {
	s.Helper()
	out, err := s.s3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		s.Fatal(err)
	}
	return tagText(out.TagSet)
}

func tagging(pairs ...string) *types.Tagging {
	t := &types.Tagging{TagSet: []types.Tag{}}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		t.TagSet = append(t.TagSet, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	return t
}

func TestObjectTagging(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "x", func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=1&b=%C3%A4") })
	if got := s.objectTags("k"); got != "a=1 b=ä" {
		t.Errorf("put with tags: %s", got)
	}
	head := s.do("HEAD", path("k"), "")
	if n := head.header.Get("X-Amz-Tagging-Count"); n != "2" {
		t.Errorf("tagging count %q", n)
	}
	if _, err := s.s3.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("k"), Tagging: tagging("c=3")}); err != nil {
		t.Fatal(err)
	}
	after := s.do("GET", path("k"), "")
	if after.header.Get("Etag") != head.header.Get("Etag") || after.header.Get("Last-Modified") != head.header.Get("Last-Modified") ||
		after.header.Get("X-Amz-Tagging-Count") != "1" || after.body != "x" {
		t.Errorf("%v %q", after.header, after.body)
	}
	for _, c := range []struct{ directive, header, want string }{{"", "", "c=3"}, {"COPY", "d=4", "c=3"}, {"REPLACE", "d=4", "d=4"}, {"REPLACE", "", ""}} {
		_, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/k"),
			TaggingDirective: types.TaggingDirective(c.directive), Tagging: aws.String(c.header), MetadataDirective: "REPLACE"})
		if got := s.objectTags("copy"); err != nil || got != c.want {
			t.Errorf("%v: copy has %q, %v", c, got, err)
		}
	}
	up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("mp"), Tagging: aws.String("m=p")})
	if err != nil {
		t.Fatal(err)
	}
	part := s.do("PUT", path("mp")+"?partNumber=1&uploadId="+*up.UploadId, "data")
	done := s.do("POST", path("mp")+"?uploadId="+*up.UploadId, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+part.header.Get("Etag")+"</ETag></Part></CompleteMultipartUpload>")
	s.want("complete", done, 200, "")
	if got := s.objectTags("mp"); got != "m=p" {
		t.Errorf("multipart object has %q", got)
	}
	s.want("delete tags", s.do("DELETE", path("k")+"?tagging", ""), 204, "")
	if got := s.objectTags("k"); got != "" {
		t.Errorf("after DELETE: %q", got)
	}
}

func TestTaggingErrors(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "x")
	body := func(tags ...string) string {
		var b strings.Builder
		for _, kv := range tags {
			k, v, _ := strings.Cut(kv, "=")
			fmt.Fprintf(&b, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", k, v)
		}
		return "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"
	}
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("k%d=v", i))
		}
		return list
	}
	for _, c := range []struct {
		target, body string
		status       int
		code         string
	}{
		{path("k"), body(many(10)...), 200, ""},
		{path("k"), body(many(11)...), 400, "BadRequest"},
		{path("k"), body(strings.Repeat("k", 129) + "=v"), 400, "InvalidTag"},
		{path("k"), body("k=" + strings.Repeat("v", 257)), 400, "InvalidTag"},
		{path("k"), body("a=1", "a=2"), 400, "InvalidTag"},
		{path("k"), "<Tagging></Tagging>", 400, "MalformedXML"},
		{path("k"), "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", 400, "MalformedXML"},
		{path("k"), "<Other/>", 400, "MalformedXML"},
		{path("k"), "", 400, "MissingRequestBodyError"},
		{path("none"), body("a=1"), 404, "NoSuchKey"},
		{path("k") + "?versionId=0123456789abcdef0123456789abcdef", body("a=1"), 0, ""},
		{"/bucket", body(many(50)...), 204, ""},
		{"/bucket", body(many(51)...), 400, "BadRequest"},
		{"/nobucket", body("a=1"), 404, "NoSuchBucket"},
	} {
		target := c.target + "?tagging"
		if strings.Contains(c.target, "?") {
			target = c.target + "&tagging"
		}
		a := s.do("PUT", target, c.body)
		if c.status == 0 {
			if a.status < 400 {
				t.Errorf("%s: %d", target, a.status)
			}
			continue
		}
		s.want(target+" "+c.body, a, c.status, c.code)
	}
	s.want("too many in a header", s.do("PUT", path("h"), "x", "X-Amz-Tagging: "+strings.Join(many(11), "&")), 400, "BadRequest")
	s.want("unknown directive", s.do("PUT", path("h"), "", "X-Amz-Copy-Source: bucket/k", "X-Amz-Tagging-Directive: MOVE"), 400, "InvalidArgument")
}

func TestBucketTagging(t *testing.T) {
	s := newScene(t, servertest.Options{})
	in := &s3.GetBucketTaggingInput{Bucket: aws.String(bucket)}
	if _, err := s.s3.GetBucketTagging(ctx, in); apiCode(err) != "NoSuchTagSet" {
		t.Errorf("%v", err)
	}
	if _, err := s.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String(bucket), Tagging: tagging("a=<1>", "b=")}); apiCode(err) != "InvalidTag" {
		t.Errorf("%v", err)
	}
	if _, err := s.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String(bucket), Tagging: tagging("a=1", "b=")}); err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.GetBucketTagging(ctx, in)
	if err != nil || tagText(out.TagSet) != "a=1 b=" {
		t.Errorf("%v, %v", out, err)
	}
	for range 2 {
		if _, err := s.s3.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: aws.String(bucket)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.s3.GetBucketTagging(ctx, in); apiCode(err) != "NoSuchTagSet" {
		t.Errorf("%v", err)
	}
}
