package s3api_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

const expireRule = `<LifecycleConfiguration><Rule><ID>a rule</ID><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>` +
	`<Expiration><Days>2</Days></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`

func TestLifecycleConfiguration(t *testing.T) {
	s := newScene(t, servertest.Options{})
	rules := []types.LifecycleRule{
		{ID: aws.String("a"), Status: "Enabled", Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("p"),
			Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, ObjectSizeLessThan: aws.Int64(9)}},
			Expiration: &types.LifecycleExpiration{Date: aws.Time(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}},
		{ID: aws.String("b"), Status: "Disabled", Filter: &types.LifecycleRuleFilter{}, Transitions: []types.Transition{{Days: aws.Int32(0), StorageClass: "GLACIER"}},
			NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(3), NewerNoncurrentVersions: aws.Int32(2)}},
		{Status: "Enabled", Filter: &types.LifecycleRuleFilter{Prefix: aws.String("x/")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)}},
	}
	_, err := s.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: aws.String(bucket),
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(bucket)})
	if err != nil || len(out.Rules) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	if *out.Rules[0].Filter.And.Prefix != "p" || !out.Rules[0].Expiration.Date.Equal(*rules[0].Expiration.Date) || *out.Rules[1].Transitions[0].Days != 0 ||
		*out.Rules[1].NoncurrentVersionExpiration.NewerNoncurrentVersions != 2 || aws.ToString(out.Rules[2].ID) == "" || *out.Rules[2].Filter.Prefix != "x/" {
		t.Errorf("%+v", out.Rules)
	}
	old := strings.Replace(strings.Replace(expireRule, "<Filter>", "", 1), "</Filter>", "", 1)
	s.want("old form", s.do("PUT", "/bucket?lifecycle", old), 200, "")
	if a := s.do("GET", "/bucket?lifecycle", ""); !strings.Contains(a.body, "<ID>a rule</ID><Prefix>old/</Prefix><Status>Enabled</Status>") {
		t.Errorf("%s", a.body)
	}
	for _, c := range []struct{ body, code string }{
		{strings.Replace(expireRule, "Enabled", "enabled", 1), "MalformedXML"},
		{strings.Replace(expireRule, "<Days>2", "<Days>0", 1), "InvalidArgument"},
		{strings.Replace(expireRule, "<Days>2", "<Days>x", 1), "MalformedXML"},
		{strings.Replace(expireRule, "a rule", strings.Repeat("x", 256), 1), "InvalidArgument"},
		{"", "MissingRequestBodyError"},
	} {
		s.want(c.body, s.do("PUT", "/bucket?lifecycle", c.body), 400, c.code)
	}
	const header = "X-Amz-Transition-Default-Minimum-Object-Size"
	for _, c := range []struct{ given, want string }{{"varies_by_storage_class", "varies_by_storage_class"}, {"", "all_storage_classes_128K"}} {
		a := s.do("PUT", "/bucket?lifecycle", expireRule, header+": "+c.given)
		if b := s.do("GET", "/bucket?lifecycle", ""); a.status != 200 || a.header.Get(header) != c.want || b.header.Get(header) != c.want {
			t.Errorf("minimum size %q: %d %v, %v", c.given, a.status, a.header, b.header)
		}
	}
	s.want("another minimum size", s.do("PUT", "/bucket?lifecycle", expireRule, header+": 64K"), 400, "InvalidArgument")
	s.want("delete", s.do("DELETE", "/bucket?lifecycle", ""), 204, "")
	s.want("after delete", s.do("GET", "/bucket?lifecycle", ""), 404, "NoSuchLifecycleConfiguration")
}

// TestLifecycleIsDone sees the rules of a server with short days at work.
func TestLifecycleIsDone(t *testing.T) {
	s := newScene(t, servertest.Options{Day: 20 * time.Millisecond})
	s.put("old/k", "x")
	s.put("new/k", "y")
	s.want("put rules", s.do("PUT", "/bucket?lifecycle", expireRule), 200, "")
	s.do("POST", path("old/m")+"?uploads", "")
	for end := time.Now().Add(time.Minute); ; {
		gone := s.do("GET", path("old/k"), "").status == 404
		if gone && !strings.Contains(s.do("GET", "/bucket?uploads", "").body, "<Upload>") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing expires")
		}
	}
	if got := s.get("new/k"); got != "y" {
		t.Errorf("%q", got)
	}
}

func TestExpirationHeaders(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("put rules", s.do("PUT", "/bucket?lifecycle", expireRule), 200, "")
	want := regexp.MustCompile(`^expiry-date="[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} 00:00:00 GMT", rule-id="a\+rule"$`)
	for what, a := range map[string]answer{
		"put": s.do("PUT", path("old/k"), "x"), "get": s.do("GET", path("old/k"), ""), "head": s.do("HEAD", path("old/k"), ""),
		"copy": s.do("PUT", path("old/c"), "", "X-Amz-Copy-Source: bucket/old/k"),
	} {
		if got := a.header.Get("X-Amz-Expiration"); a.status != 200 || !want.MatchString(got) {
			t.Errorf("%s: %d %q", what, a.status, got)
		}
	}
	if a := s.do("PUT", path("new/k"), "x"); a.header.Get("X-Amz-Expiration") != "" {
		t.Errorf("%v", a.header)
	}
	if a := s.do("POST", path("old/m")+"?uploads", ""); a.header.Get("X-Amz-Abort-Rule-Id") != "a rule" || a.header.Get("X-Amz-Abort-Date") == "" {
		t.Errorf("%v", a.header)
	} else if l := s.do("GET", path("old/m")+"?uploadId="+a.element("UploadId"), ""); l.header.Get("X-Amz-Abort-Date") != a.header.Get("X-Amz-Abort-Date") {
		t.Errorf("%v", l.header)
	}
}
