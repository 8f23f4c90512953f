package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pail/s3client"
	"pail/s3client/memclient"
)

func TestExplainNamesThingAndRemedy(t *testing.T) {
	at := target{bucket: "bucket", prefix: "a/b/", url: "https://s3.example:8000", credentials: "/etc/passwd-pail"}
	for name, test := range map[string]struct {
		err error
		say []string
	}{
		"secret":      {&s3client.Error{Status: 403, Code: "SignatureDoesNotMatch", Err: s3client.ErrCredentials}, []string{"secret key", "/etc/passwd-pail"}},
		"key":         {&s3client.Error{Status: 403, Code: "InvalidAccessKeyId", Err: s3client.ErrCredentials}, []string{"access key", "/etc/passwd-pail"}},
		"expired":     {&s3client.Error{Status: 400, Code: "ExpiredToken", Err: s3client.ErrCredentials}, []string{"expired", "renew"}},
		"clock":       {&s3client.Error{Status: 403, Code: "RequestTimeTooSkewed", Err: s3client.ErrCredentials}, []string{"clock"}},
		"refused":     {&s3client.Error{Status: 403, Err: s3client.ErrCredentials}, []string{"status 403", "/etc/passwd-pail"}},
		"access":      {&s3client.Error{Status: 403, Code: "AccessDenied", Err: s3client.ErrAccess}, []string{"bucket", "AccessDenied"}},
		"bucket":      {&s3client.Error{Status: 404, Err: s3client.ErrNoBucket}, []string{"bucket", "s3cmd mb"}},
		"region":      {&s3client.Error{Status: 301, Region: "eu-west-1", Err: s3client.ErrRedirect}, []string{"endpoint=eu-west-1"}},
		"certificate": {&s3client.Error{Err: fmt.Errorf("%w: x509: unknown authority; ca_bundle=FILE", s3client.ErrUntrusted)}, []string{"certificate", at.url, "ca_bundle"}},
		"no server":   {&s3client.Error{Err: fmt.Errorf("%w: dial tcp: connection refused", s3client.ErrUnavailable)}, []string{at.url, "connection refused", "url="}},
		"no answer":   {&s3client.Error{Err: context.DeadlineExceeded}, []string{at.url, "no answer"}},
		"prefix":      {errNoPrefix, []string{"a/b", "mkdir"}},
		"broken":      {&s3client.Error{Op: "HeadBucket", Status: 500, Code: "InternalError", Err: s3client.ErrUnavailable}, []string{at.url, "InternalError"}},
		"anything":    {errors.New("anything"), []string{at.url, "anything"}},
	} {
		got := at.explain(test.err).Error()
		for _, part := range test.say {
			if !strings.Contains(got, part) {
				t.Errorf("%s: does not say %q: %s", name, part, got)
			}
		}
		if strings.Contains(got, "\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestProbeLooksForThePrefix(t *testing.T) {
	ctx := context.Background()
	client := memclient.New(memclient.Options{Bucket: "bucket"})
	if _, err := client.Put(ctx, "there/", strings.NewReader(""), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(ctx, "implied/file", strings.NewReader(""), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for prefix, there := range map[string]bool{"": true, "there/": true, "implied/": true, "none/": false, "ther/": false} {
		_, err := target{bucket: "bucket", prefix: prefix}.probe(ctx, client)
		if (err == nil) != there {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}
