package s3api_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/internal/s3api"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/servertest"
)

// patch sends a PatchObject.
func (s *scene) patch(key, etag, ranges string, size int, body string, headers ...string) answer {
	s.Helper()
	return s.do("POST", path(key)+"?patch", body, append([]string{"If-Match: " + etag, "X-Amz-Patch-Ranges: " + ranges, fmt.Sprint("X-Amz-Patch-Size: ", size)}, headers...)...)
}

func TestPatch(t *testing.T) {
	s := newScene(t, servertest.Options{})
	want := []byte(longText(300_000))
	tag := aws.ToString(s.put("k", string(want), func(in *s3.PutObjectInput) {
		in.Tagging, in.Metadata = aws.String("a=b"), map[string]string{"old": "1"}
	}).ETag)
	a := s.patch("k", tag, "100+5,299999+4", 300_003, "12345ABCD", "X-Amz-Meta-New: 2", "Content-Type: text/x")
	s.want("patch", a, 200, "")
	copy(want[100:], "12345")
	want = append(want[:299_999], "ABCD"...)
	text := fmt.Sprintf("pail patch %s 300003 100+5,299999+4 %x", strings.Trim(tag, `"`), md5.Sum([]byte("12345ABCD")))
	if got := a.header.Get("Etag"); got != fmt.Sprintf(`"%x-1"`, md5.Sum([]byte(text))) || a.header.Get("X-Amz-Object-Size") != "300003" || a.header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
		t.Errorf("%v", a.header)
	}
	if got := s.get("k"); got != string(want) { // which verifies the checksum
		t.Errorf("%d bytes, not %d", len(got), len(want))
	}
	h := s.do("HEAD", path("k"), "").header
	if h.Get("X-Amz-Meta-New") != "2" || h.Get("X-Amz-Meta-Old") != "" || h.Get("Content-Type") != "text/x" || h.Get("X-Amz-Tagging-Count") != "" || h.Get("Etag") != a.header.Get("Etag") {
		t.Errorf("%v", h)
	}
	s.want("part", s.do("GET", path("k")+"?partNumber=1", ""), 206, "")
	s.want("no such part", s.do("GET", path("k")+"?partNumber=2", ""), 416, "InvalidPartNumber")
	a = s.patch("k", h.Get("Etag"), "", 1000, "")
	s.want("shorter", a, 200, "")
	if got := s.get("k"); got != string(want[:1000]) {
		t.Errorf("%d bytes after the cut", len(got))
	}
	tag = a.header.Get("Etag")
	for what, c := range map[string]struct {
		answer
		status int
		code   string
	}{
		"another version":      {s.patch("k", `"0123"`, "1+1", 1000, "x"), 412, "PreconditionFailed"},
		"no object":            {s.patch("none", tag, "1+1", 1000, "x"), 404, "NoSuchKey"},
		"any version":          {s.patch("k", "*", "1+1", 1000, "x"), 400, "InvalidRequest"},
		"two versions":         {s.patch("k", tag+`, "0123"`, "1+1", 1000, "x"), 400, "InvalidRequest"},
		"a second condition":   {s.patch("k", tag, "1+1", 1000, "x", "If-None-Match: *"), 400, "InvalidRequest"},
		"no range":             {s.patch("k", tag, "1-1", 1000, "x"), 400, "InvalidArgument"},
		"negative":             {s.patch("k", tag, "-1+1", 1000, "x"), 400, "InvalidArgument"},
		"too many ranges":      {s.patch("k", tag, strings.Repeat("1+1,", 256)+"1+1", 1000, "x"), 400, "InvalidArgument"},
		"no size":              {s.patch("k", tag, "1+1", -1, "x"), 400, "InvalidArgument"},
		"a gap":                {s.patch("k", tag, "1001+1", 1002, "x"), 416, "InvalidRange"},
		"fewer bytes":          {s.patch("k", tag, "1+2", 1000, "x"), 400, "InvalidArgument"},
		"a wrong checksum":     {s.patch("k", tag, "1+1", 1000, "x", "X-Amz-Checksum-Crc32: AAAAAA=="), 400, "BadDigest"},
		"a wrong MD5":          {s.patch("k", tag, "1+1", 1000, "x", "Content-Md5: "+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 16))), 400, "BadDigest"},
		"a version":            {s.do("POST", path("k")+"?patch&versionId=null", "x"), 400, "InvalidArgument"},
		"a directory's header": {s.patch("k", tag, "1+1", 1000, "x", "X-Amz-Write-Offset-Bytes: 1"), 501, "NotImplemented"},
		"a PUT":                {s.do("PUT", path("k")+"?patch", "x"), 405, "MethodNotAllowed"},
	} {
		s.want(what, c.answer, c.status, c.code)
	}
	if got := s.get("k"); got != string(want[:1000]) {
		t.Error("a refused patch has changed the object")
	}
	if got := s.do("HEAD", "/bucket", "").header.Get("X-Pail-Extensions"); !strings.Contains(got, ", patch,") {
		t.Errorf("not announced: %s", got)
	}
}

// Damage that a patch cannot do without is the request's fault, not the server's: the client need not repeat it, and may send
// the object otherwise.
func TestPatchOfDamageIsRefused(t *testing.T) {
	e, unknown := s3api.From(fmt.Errorf("%w: %w", store.ErrPatchDamaged, store.ErrDamaged))
	if e.Code != s3err.InvalidRequest || unknown {
		t.Errorf("%v, unknown %v", e, unknown)
	}
}

// What a patch makes is a version, an event, and protected, shared and tagged as a PutObject says it.
func TestPatchMakesAVersionLikeAnyOther(t *testing.T) {
	s := newScene(t, servertest.Options{})
	if _, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("locked"), ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	old, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("k"), Body: strings.NewReader("old bytes")})
	if err != nil {
		t.Fatal(err)
	}
	req := s.request("GET", "/locked?events=s3:*", "")
	s.sign(req, "", time.Now())
	events, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	patch := func(headers ...string) answer {
		return s.do("POST", "/locked/k?patch", "new", append([]string{"If-Match: " + *old.ETag, "X-Amz-Patch-Ranges: 0+3", "X-Amz-Patch-Size: 9"}, headers...)...)
	}
	lock := []string{"X-Amz-Object-Lock-Mode: GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date: " + until, "X-Amz-Tagging: c=d"}
	s.want("a lock without a digest", patch(lock...), 400, "InvalidRequest")
	sum := md5.Sum([]byte("new"))
	a := patch(append(lock, "Content-Md5: "+base64.StdEncoding.EncodeToString(sum[:]))...)
	s.want("patch", a, 200, "")
	version := a.header.Get("X-Amz-Version-Id")
	if version == "" || version == *old.VersionId {
		t.Errorf("version %q", version)
	}
	h := s.do("HEAD", "/locked/k", "").header
	if h.Get("X-Amz-Object-Lock-Mode") != "GOVERNANCE" || h.Get("X-Amz-Tagging-Count") != "1" || h.Get("X-Amz-Version-Id") != version {
		t.Errorf("%v", h)
	}
	s.want("the new version is protected", s.do("DELETE", "/locked/k?versionId="+version, ""), 403, "AccessDenied")
	if got := s.do("GET", "/locked/k?versionId="+*old.VersionId, "").body; got != "old bytes" {
		t.Errorf("the old version is %q", got)
	}
	if got := s.do("GET", "/locked/k", "").body; got != "new bytes" {
		t.Errorf("the new version is %q", got)
	}
	line := make([]byte, 4096)
	n, _ := events.Body.Read(line)
	if !strings.Contains(string(line[:n]), "s3:ObjectCreated:Patch") {
		t.Errorf("the event is %s", line[:n])
	}
}

// Whoever patches reads too: the new version may be another's than the old one.
func TestPatchNeedsBothRights(t *testing.T) {
	c := newCast(t)
	c.ownership(types.ObjectOwnershipObjectWriter)
	out := c.put("k", "the owner's bytes")
	patch := func() answer {
		req := c.request("POST", path("k")+"?patch", "x", "If-Match: "+*out.ETag, "X-Amz-Patch-Ranges: 0+1", fmt.Sprint("X-Amz-Patch-Size: ", len("the owner's bytes")))
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte("x")))
		req.Header.Set("X-Amz-Content-Sha256", sum)
		keys := aws.Credentials{AccessKeyID: "OTHER", SecretAccessKey: "other-secret"}
		if err := v4.NewSigner().SignHTTP(ctx, keys, req, sum, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		return c.send(req)
	}
	may := func(actions ...string) {
		var list []string
		for _, action := range actions {
			list = append(list, statement("Allow", `{"AWS":"`+otherNumber+`"}`, action, bucket+"/*"))
		}
		c.policy(list...)
	}
	c.want("nothing is allowed", patch(), 403, "AccessDenied")
	may("s3:PutObject")
	c.want("with the right to write", patch(), 403, "AccessDenied")
	may("s3:GetObject")
	c.want("with the right to read", patch(), 403, "AccessDenied")
	may("s3:GetObject", "s3:PutObject")
	c.want("with both", patch(), 200, "")
	_, err := c.other.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	c.expect("its owner", err, "")
}

func TestPatchesAreEncrypted(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, how := range [][]string{nil, {sseHeader + ": AES256"}, keyOf(1)} {
		key, want := fmt.Sprint("k", len(how)), []byte(longText(200_000))
		a := s.do("PUT", path(key), string(want), how...)
		s.want("put", a, 200, "")
		for i := range 20 {
			off := i * 9001
			a = s.patch(key, a.header.Get("Etag"), fmt.Sprintf("%d+4", off), len(want), "abcd", how...)
			s.want("patch", a, 200, "")
			copy(want[off:], "abcd")
		}
		if got := s.do("GET", path(key), "", keysOnly(how)...); got.body != string(want) {
			t.Errorf("%s: %d, %d bytes", key, got.status, len(got.body))
		}
		etag := a.header.Get("Etag")
		if len(keysOnly(how)) == 0 {
			s.want("a key that the object does not have", s.patch(key, etag, "0+1", len(want), "x", keyOf(2)...), 400, "InvalidRequest")
			s.wantHeaders("encrypted anew", s.patch(key, etag, "0+4", len(want), string(want[:4]), sseHeader+": aws:kms"), sseHeader+": aws:kms")
		} else {
			s.want("another key", s.patch(key, etag, "0+1", len(want), "x", keyOf(2)...), 403, "AccessDenied")
			s.want("no key", s.patch(key, etag, "0+1", len(want), "x"), 400, "InvalidRequest")
		}
		if got := s.do("GET", path(key), "", keysOnly(how)...); got.body != string(want) {
			t.Errorf("%s: %d, %d bytes", key, got.status, len(got.body))
		}
	}
}
