package awss3

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"pail/s3client"
)

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html.
func TestSignatureV2(t *testing.T) {
	tests := []struct{ path, resource, date, toSign, want string }{
		{"/photos/puppy.jpg", "/johnsmith/photos/puppy.jpg", "Tue, 27 Mar 2007 19:36:42 +0000",
			"GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg", "bWq2s1WEIj+Ydj0vQ697zp+IXMU="},
		{"/?prefix=photos&max-keys=50&marker=puppy", "/johnsmith/", "Tue, 27 Mar 2007 19:42:41 +0000",
			"GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/johnsmith/", "htDYFYduRNen8P9ZfE/s9SuKy0U="},
		{"/?acl", "/johnsmith/", "Tue, 27 Mar 2007 19:44:46 +0000",
			"GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/johnsmith/?acl", "c2WLPFtWHVgbEmeEG93a4cG37dM="},
	}
	for _, test := range tests {
		req := httptest.NewRequest("GET", "http://johnsmith.s3.amazonaws.com"+test.path, nil)
		req.Header.Set("Date", test.date)
		toSign := stringToSignV2(req, test.resource)
		if toSign != test.toSign {
			t.Errorf("string to sign is %q, want %q", toSign, test.toSign)
		}
		if got := signatureV2("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", toSign); got != test.want {
			t.Errorf("signature of %s is %s, want %s", test.path, got, test.want)
		}
	}
}

func TestSignatureV2CoversAmzHeadersAndSubresources(t *testing.T) {
	req := httptest.NewRequest("PUT", "http://x/b/k?uploadId=a%2Fb&partNumber=2&prefix=p", nil)
	req.Header = http.Header{
		"Content-Md5": {"md5"}, "Content-Type": {"text/plain"}, "Date": {"now"}, "X-Amz-Meta-B": {"2"}, "X-Amz-Acl": {" private "}, "X-Amz-Meta-A": {"1", "x"},
	}
	want := "PUT\nmd5\ntext/plain\nnow\nx-amz-acl:private\nx-amz-meta-a:1,x\nx-amz-meta-b:2\n/b/k?partNumber=2&uploadId=a/b"
	if got := stringToSignV2(req, "/b/k"); got != want {
		t.Errorf("string to sign is %q, want %q", got, want)
	}
}

// countingProvider hands out numbered credentials; each Invalidate leads to the next number.
type countingProvider struct{ n atomic.Int32 }

func (p *countingProvider) creds() s3client.Credentials {
	return s3client.Credentials{AccessKey: testKey, SecretKey: testSecret, SessionToken: "token" + string(rune('0'+p.n.Load()))}
}

func TestExpiredCredentialsAreInvalidatedOnce(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"with a reason":    func(w http.ResponseWriter) { errorXML(w, 400, "ExpiredToken", "expired") },
		"without a reason": func(w http.ResponseWriter) { w.WriteHeader(400) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &countingProvider{}
			fetches := 0
			provider := newCached(func(ctx context.Context) (s3client.Credentials, error) {
				fetches++
				p.n.Add(1)
				return p.creds(), nil
			}, time.Now)
			c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Amz-Security-Token") == "token1" {
					answer(w)
				}
			}, func(o *Options) { o.Credentials = provider })
			_, err := c.Head(t.Context(), "k")
			wantErr(t, err, s3client.ErrCredentials)
			if _, err := c.Head(t.Context(), "k"); err != nil {
				t.Error(err)
			}
			if fetches != 2 {
				t.Errorf("%d fetches, want 2", fetches)
			}
			// A late answer to the old credentials must not throw the new ones away.
			old := s3client.Credentials{AccessKey: testKey, SessionToken: "token1"}
			c.refuse(t.Context(), old)
			if _, err := c.Head(t.Context(), "k"); err != nil || fetches != 2 {
				t.Errorf("%d fetches, error %v", fetches, err)
			}
		})
	}
}

func TestAnonymousIsNotSigned(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the request is signed")
		}
	}, func(o *Options) { o.Credentials = nil })
	if err := put(t.Context(), c, "k", "x"); err != nil {
		t.Fatal(err)
	}
}
