package sigauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pail/server/internal/s3err"
)

// signedV2 makes a request with a V2 signature over the string given.
func signedV2(t testing.TB, head, toSign string) *http.Request {
	t.Helper()
	return parse(t, head+"\nAuthorization: AWS "+exampleKey+":"+signV2(exampleSecret, []byte(toSign)), nil)
}

const v2Date = "Fri, 24 May 2013 00:00:00 GMT"

func TestV2Header(t *testing.T) {
	const head = "\nHost: s3.test\nDate: " + v2Date
	for _, c := range []struct{ name, head, toSign string }{
		{"s3cmd's subresources", "POST /b/?delete HTTP/1.1" + head, "POST\n\n\n" + v2Date + "\n/b/?delete"},
		{"empty value kept as sent", "POST /b/k?uploads= HTTP/1.1" + head, "POST\n\n\n" + v2Date + "\n/b/k?uploads="},
		{"sorted", "PUT /b/k?uploadId=a%2Fb&x=y&partNumber=2 HTTP/1.1" + head, "PUT\n\n\n" + v2Date + "\n/b/k?partNumber=2&uploadId=a/b"},
		{"response overrides are decoded", "GET /b/k?response-content-disposition=attachment%3B%20filename%3D%22x%22&response-expires=0 HTTP/1.1" + head,
			"GET\n\n\n" + v2Date + "\n/b/k?response-content-disposition=attachment; filename=\"x\"&response-expires=0"},
		{"virtual host", "GET /k HTTP/1.1\nHost: My.Bucket.s3.pail.test:8000\nDate: " + v2Date, "GET\n\n\n" + v2Date + "\n/my.bucket/k"},
		{"escaped path", "GET /b/a%20b%2bc HTTP/1.1" + head, "GET\n\n\n" + v2Date + "\n/b/a%20b%2bc"},
		{"iso x-amz-date", "GET /b HTTP/1.1\nHost: h\nx-amz-date: 20130524T000000Z", "GET\n\n\n\nx-amz-date:20130524T000000Z\n/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := signedV2(t, c.head, c.toSign)
			id, _, err := verifierAt(exampleTime(), "s3.pail.test").Authenticate(r)
			if err != nil || id.Signature != V2 || id.AccessKey != exampleKey || id.SecretKey != "" {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
}

// V2 does not sign the host: a request for /b/k must not be good for key b/k of another bucket.
func TestV2SignatureIsBoundToItsBucket(t *testing.T) {
	r := signedV2(t, "GET /b/k HTTP/1.1\nHost: other.s3.pail.test\nDate: "+v2Date, "GET\n\n\n"+v2Date+"\n/b/k")
	_, _, err := verifierAt(exampleTime(), "s3.pail.test").Authenticate(r)
	wantCode(t, err, s3err.SignatureDoesNotMatch)
}

func TestBadV2(t *testing.T) {
	good := "GET\n\n\n" + v2Date + "\n/b/k"
	head := "GET /b/k HTTP/1.1\nHost: h\nDate: " + v2Date
	auth := "\nAuthorization: "
	for _, c := range []struct {
		name string
		r    *http.Request
		code s3err.Code
	}{
		{"other string", signedV2(t, head, good+"x"), s3err.SignatureDoesNotMatch},
		{"header added", signedV2(t, head+"\nx-amz-acl: public-read", good), s3err.SignatureDoesNotMatch},
		{"subresource added", signedV2(t, strings.Replace(head, "/b/k", "/b/k?tagging", 1), good), s3err.SignatureDoesNotMatch},
		{"unknown key", parse(t, head+auth+"AWS nobody:c2ln", nil), s3err.InvalidAccessKeyId},
		{"no colon", parse(t, head+auth+"AWS nobody", nil), s3err.InvalidArgument},
		{"no signature", parse(t, head+auth+"AWS nobody:", nil), s3err.InvalidArgument},
		{"no key", parse(t, head+auth+"AWS :c2ln", nil), s3err.InvalidArgument},
		{"scheme alone", parse(t, head+auth+"AWS", nil), s3err.InvalidArgument},
		{"no date", parse(t, "GET / HTTP/1.1\nHost: h"+auth+"AWS a:b", nil), s3err.AccessDenied},
		{"old", signedV2(t, strings.Replace(head, "00:00:00", "00:16:00", 1), good), s3err.RequestTimeTooSkewed},
		{"aws-chunked with signatures", signedV2(t, head+"\nx-amz-content-sha256: "+streamingSigned, "GET\n\n\n"+v2Date+"\nx-amz-content-sha256:"+streamingSigned+"\n/b/k"), s3err.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := verifierAt(exampleTime()).Authenticate(c.r)
			wantCode(t, err, c.code)
		})
	}
}

func presignedV2(t testing.TB, expires, toSign, more string) *http.Request {
	t.Helper()
	sig := signV2(exampleSecret, []byte(toSign))
	return parse(t, "GET /b/k?AWSAccessKeyId="+exampleKey+"&Expires="+expires+"&Signature="+url.QueryEscape(sig)+more+" HTTP/1.1\nHost: h", nil)
}

func TestPresignedV2(t *testing.T) {
	at := exampleTime().Unix()
	sign := func(expires, rest string) string { return "GET\n\n\n" + expires + "\n" + rest }
	for _, c := range []struct {
		name, expires, rest, more string
		code                      s3err.Code
	}{
		{"good", fmt.Sprint(at), "/b/k", "", ""},
		{"far future", fmt.Sprint(at + 1e9), "/b/k", "", ""},
		{"response override", fmt.Sprint(at), "/b/k?response-content-type=text/x", "&response-content-type=text%2Fx", ""},
		{"expired", fmt.Sprint(at - 1), "/b/k", "", s3err.AccessDenied},
		{"nonsense", "tomorrow", "/b/k", "", s3err.AccessDenied},
		{"other key", fmt.Sprint(at), "/b/k2", "", s3err.SignatureDoesNotMatch},
		{"twice", fmt.Sprint(at), "/b/k", "&Expires=1", s3err.AccessDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, _, err := verifierAt(exampleTime()).Authenticate(presignedV2(t, c.expires, sign(c.expires, c.rest), c.more))
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || id.Signature != V2Presigned {
				t.Error(err)
			}
		})
	}
	_, _, err := verifierAt(exampleTime()).Authenticate(parse(t, "GET /b/k?AWSAccessKeyId=a&Expires=1 HTTP/1.1\nHost: h", nil))
	wantCode(t, err, s3err.AccessDenied)
}

func TestPresignedV2WithUnescapedPlus(t *testing.T) {
	for i := range 1000 {
		expires := fmt.Sprint(exampleTime().Unix() + int64(i))
		sig := signV2(exampleSecret, []byte("GET\n\n\n"+expires+"\n/b/k"))
		if !strings.Contains(sig, "+") {
			continue
		}
		r := parse(t, "GET /b/k?AWSAccessKeyId="+exampleKey+"&Expires="+expires+"&Signature="+sig+" HTTP/1.1\nHost: h", nil)
		if _, _, err := verifierAt(exampleTime()).Authenticate(r); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("no signature with a plus")
}
