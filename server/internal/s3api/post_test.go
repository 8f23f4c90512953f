package s3api_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/server/servertest"
)

// formOf makes a form of fields "name: value" and a file.
func formOf(t *testing.T, file string, fields ...string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "photo.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

// post sends a form to the bucket, without credentials but for the form's.
func (s *scene) post(file string, fields ...string) answer {
	s.Helper()
	contentType, body := formOf(s.T, file, fields...)
	client := *s.http
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(s.request("POST", "/"+bucket, body, "Content-Type: "+contentType))
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// signedForm gives the fields that sign a policy with those conditions with V4.
func signedForm(conditions string) []string {
	now := time.Now().UTC()
	day, date := now.Format("20060102"), now.Format("20060102T150405Z")
	credential := servertest.AccessKey + "/" + day + "/us-east-1/s3/aws4_request"
	document := fmt.Sprintf(`{"expiration":%q,"conditions":[{"bucket":%q},{"x-amz-algorithm":"AWS4-HMAC-SHA256"},{"x-amz-credential":%q},{"x-amz-date":%q},%s]}`,
		now.Add(time.Hour).Format(time.RFC3339), bucket, credential, date, conditions)
	policy := base64.StdEncoding.EncodeToString([]byte(document))
	key := []byte("AWS4" + servertest.SecretKey)
	for _, step := range []string{day, "us-east-1", "s3", "aws4_request", policy} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(step))
		key = h.Sum(nil)
	}
	return []string{"x-amz-algorithm: AWS4-HMAC-SHA256", "x-amz-credential: " + credential, "x-amz-date: " + date,
		"policy: " + policy, "x-amz-signature: " + hex.EncodeToString(key)}
}

// formV2 signs a policy with V2.
func formV2(conditions string) []string {
	document := fmt.Sprintf(`{"expiration":%q,"conditions":[{"bucket":%q},%s]}`, time.Now().UTC().Add(time.Hour).Format(time.RFC3339), bucket, conditions)
	policy := base64.StdEncoding.EncodeToString([]byte(document))
	h := hmac.New(sha1.New, []byte(servertest.SecretKey))
	h.Write([]byte(policy))
	return []string{"AWSAccessKeyId: " + servertest.AccessKey, "policy: " + policy, "signature: " + base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

func TestForms(t *testing.T) {
	s := newScene(t, servertest.Options{})
	anything := `["starts-with","$key",""],["starts-with","$x-amz-meta-a",""],["starts-with","$Content-Type",""],["starts-with","$success_action_status",""],["starts-with","$success_action_redirect",""]`
	for name, sign := range map[string][]string{"V4": signedForm(anything), "V2": formV2(anything)} {
		a := s.post("bytes", append([]string{"key: up/${filename}", "x-amz-meta-a: b", "Content-Type: image/jpeg"}, sign...)...)
		s.want(name, a, 204, "")
		if a.header.Get("Location") != s.URL+"/bucket/up%2Fphoto.jpg" || a.header.Get("Etag") == "" {
			t.Errorf("%s: %v", name, a.header)
		}
		out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("up/photo.jpg")})
		if err != nil || *out.ContentType != "image/jpeg" || out.Metadata["a"] != "b" || s.get("up/photo.jpg") != "bytes" {
			t.Errorf("%s: %+v %v", name, out, err)
		}
	}
	sign := signedForm(anything)
	a := s.post("x", append([]string{"key: a&b", "success_action_status: 201"}, sign...)...)
	s.want("201", a, 201, "")
	if a.element("Bucket") != bucket || a.element("Key") != "a&amp;b" || !strings.Contains(a.element("Location"), "/bucket/a%26b") || a.element("ETag") == "" {
		t.Errorf("201: %s", a.body)
	}
	s.want("200", s.post("x", append([]string{"key: k", "success_action_status: 200"}, sign...)...), 200, "")
	s.want("no status", s.post("x", append([]string{"key: k", "success_action_status: 500"}, sign...)...), 204, "")
	a = s.post("x", append([]string{"key: k", "success_action_redirect: http://example.org/done?x=1"}, sign...)...)
	if want := "http://example.org/done?x=1&bucket=bucket&key=k&etag=%22" + fmt.Sprintf("%x", md5.Sum([]byte("x"))) + "%22"; a.status != 303 || a.header.Get("Location") != want {
		t.Errorf("redirect: %d %v", a.status, a.header)
	}
	s.want("no URL", s.post("x", append([]string{"key: k", "success_action_redirect: javascript:x"}, sign...)...), 204, "")
	big := strings.Repeat("0123456789", 1<<18)
	s.want("a large file", s.post(big, append([]string{"key: big"}, sign...)...), 204, "")
	if s.get("big") != big {
		t.Error("a large file comes back changed")
	}
}

func TestFormsAreRefused(t *testing.T) {
	s := newScene(t, servertest.Options{})
	key := `["starts-with","$key","up/"]`
	good := signedForm(key)
	changed := func(name, value string) []string {
		list := append([]string{}, good...)
		for i, f := range list {
			if strings.HasPrefix(f, name+": ") {
				list[i] = name + ": " + value
			}
		}
		return list
	}
	without := func(name string) []string {
		var list []string
		for _, f := range good {
			if !strings.HasPrefix(f, name+": ") {
				list = append(list, f)
			}
		}
		return list
	}
	for _, c := range []struct {
		what   string
		file   string
		fields []string
		status int
		code   string
	}{
		{"no credentials", "x", []string{"key: up/x"}, 403, "AccessDenied"},
		{"no key", "x", good, 400, "InvalidArgument"},
		{"no key and no policy", "x", nil, 400, "InvalidArgument"},
		{"another key", "x", append([]string{"key: x"}, good...), 403, "AccessDenied"},
		{"a field too many", "x", append([]string{"key: up/x", "acl: private"}, good...), 403, "AccessDenied"},
		{"a changed policy", "x", append([]string{"key: up/x"}, changed("policy", base64.StdEncoding.EncodeToString([]byte(`{}`)))...), 403, "SignatureDoesNotMatch"},
		{"a changed signature", "x", append([]string{"key: up/x"}, changed("x-amz-signature", strings.Repeat("0", 64))...), 403, "SignatureDoesNotMatch"},
		{"another's key", "x", append([]string{"key: up/x"}, changed("x-amz-credential", "NOBODY/"+time.Now().UTC().Format("20060102")+"/us-east-1/s3/aws4_request")...), 403, "InvalidAccessKeyId"},
		{"no policy", "x", append([]string{"key: up/x"}, without("policy")...), 400, "InvalidArgument"},
		{"no signature", "x", append([]string{"key: up/x"}, without("x-amz-signature")...), 400, "InvalidArgument"},
		{"no date", "x", append([]string{"key: up/x"}, without("x-amz-date")...), 400, "InvalidArgument"},
		{"V2 without signature", "x", []string{"key: up/x", "AWSAccessKeyId: " + servertest.AccessKey, "policy: x"}, 400, "InvalidArgument"},
		{"policy only", "x", []string{"key: up/x", "policy: x"}, 400, "InvalidArgument"},
		{"too small", "x", append([]string{"key: up/x"}, signedForm(key+`,["content-length-range",2,3]`)...), 400, "EntityTooSmall"},
		{"too large", "xxxx", append([]string{"key: up/x"}, signedForm(key+`,["content-length-range",2,3]`)...), 400, "EntityTooLarge"},
		{"a checksum that differs", "x", append([]string{"key: up/x", "x-amz-checksum-crc32: AAAAAA=="}, signedForm(key+`,["starts-with","$x-amz-checksum-crc32",""]`)...), 400, "BadDigest"},
		{"a copy", "x", append([]string{"key: up/x", "x-amz-write-offset-bytes: 0"}, signedForm(key+`,["starts-with","$x-amz-write-offset-bytes",""]`)...), 501, "NotImplemented"},
	} {
		a := s.post(c.file, c.fields...)
		s.want(c.what, a, c.status, c.code)
	}
	if _, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("up/x")}); apiCode(err) != "NotFound" {
		t.Errorf("something was stored: %v", err)
	}
	s.want("no form", s.send(s.request("POST", "/"+bucket, "x", "Content-Type: text/plain")), 412, "PreconditionFailed")
	contentType, body := formOf(t, "bytes", append([]string{"key: up/x"}, good...)...)
	s.want("a form cut off", s.send(s.request("POST", "/"+bucket, body[:len(body)-30], "Content-Type: "+contentType)), 400, "MalformedPOSTRequest")
	expired := fmt.Sprintf(`{"expiration":"2020-01-01T00:00:00Z","conditions":[{"bucket":%q},{"key":"k"}]}`, bucket)
	policy := base64.StdEncoding.EncodeToString([]byte(expired))
	h := hmac.New(sha1.New, []byte(servertest.SecretKey))
	h.Write([]byte(policy))
	a := s.post("x", "key: k", "AWSAccessKeyId: "+servertest.AccessKey, "policy: "+policy, "signature: "+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	s.want("expired", a, 403, "AccessDenied")
	if a.element("Message") != "Invalid according to Policy: Policy expired." {
		t.Errorf("expired: %s", a.body)
	}
}

func TestFormsWithoutCredentials(t *testing.T) {
	c := newCast(t)
	c.policy(statement("Allow", `"*"`, "s3:PutObject", bucket+"/open/*"))
	c.want("where a policy allows it", c.post("x", "key: open/k"), 204, "")
	c.want("and elsewhere", c.post("x", "key: k"), 403, "AccessDenied")
	c.want("with tags that nobody allowed", c.post("x", "key: open/k", "tagging: <Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"), 403, "AccessDenied")
	c.policy(statement("Allow", `"*"`, "s3:PutObject*", bucket+"/open/*"))
	c.want("with tags", c.post("x", "key: open/k", "tagging: <Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"), 204, "")
	out, err := c.s3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("open/k")})
	if err != nil || len(out.TagSet) != 1 || *out.TagSet[0].Value != "b" {
		t.Errorf("tags: %v %v", out, err)
	}
	c.want("with bad tags", c.post("x", "key: open/k", "tagging: x"), 400, "MalformedXML")
}

// TestFormsWithObjectLock: a form's fields protect its object as the headers of a PutObject would.
func TestFormsWithObjectLock(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("versions", s.do("PUT", "/bucket?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"), 200, "")
	s.want("lock", s.do("PUT", "/bucket?object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"), 200, "")
	sign := signedForm(`["starts-with","$key",""],["starts-with","$content-md5",""],["starts-with","$x-amz-object-lock-mode",""],` +
		`["starts-with","$x-amz-object-lock-retain-until-date",""],["starts-with","$x-amz-object-lock-legal-hold",""]`)
	until := "x-amz-object-lock-retain-until-date: " + time.Now().UTC().Add(time.Hour).Format(time.RFC3339)
	const digest = "content-md5: ndTkYSaMgDT1yFZOFVxnpg==" // of "x"
	post := func(fields ...string) answer {
		return s.post("x", append(append([]string{"key: k"}, fields...), sign...)...)
	}
	s.want("no digest", post("x-amz-object-lock-mode: GOVERNANCE", until), 400, "InvalidRequest")
	s.want("no date", post(digest, "x-amz-object-lock-mode: GOVERNANCE"), 400, "InvalidArgument")
	a := post(digest, "x-amz-object-lock-mode: GOVERNANCE", until, "x-amz-object-lock-legal-hold: ON")
	s.want("both", a, 204, "")
	version := path("k") + "?versionId=" + a.header.Get("X-Amz-Version-Id")
	h := s.do("HEAD", version, "").header
	if h.Get("X-Amz-Object-Lock-Mode") != "GOVERNANCE" || h.Get("X-Amz-Object-Lock-Legal-Hold") != "ON" {
		t.Errorf("%v", h)
	}
	s.want("removal", s.do("DELETE", version, "", "x-amz-bypass-governance-retention: true"), 403, "AccessDenied")
}
