package awss3_test

import (
	"net/http"
	"testing"

	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/clienttest"
	"pail/server/servertest"
)

// onServer returns a client of an empty bucket on pail's own server.
func onServer(server servertest.Options, change func(*awss3.Options)) func(*testing.T) s3client.Client {
	return func(t *testing.T) s3client.Client {
		srv := servertest.New(t, server)
		opt := awss3.Options{
			Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, ""),
			HTTP: awss3.HTTPOptions{CABundle: srv.CAFile},
		}
		change(&opt)
		c, err := awss3.New(opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		createBucket(t, opt)
		return c
	}
}

// createBucket makes the bucket by an object request without a key, which is what the operation looks like.
func createBucket(t *testing.T, opt awss3.Options) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, opt.Endpoint+"/"+opt.Bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := awss3.SignAndSend(req, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("creating the bucket: %s", resp.Status)
	}
}

func TestContractOnServer(t *testing.T) {
	clienttest.Run(t, onServer(servertest.Options{}, func(*awss3.Options) {}))
}

func TestContractOnServerOverTLS(t *testing.T) {
	clienttest.Run(t, onServer(servertest.Options{TLS: true}, func(*awss3.Options) {}))
}

func TestContractOnServerVariants(t *testing.T) {
	variants := map[string]func(*awss3.Options){
		"version 1 of List": func(o *awss3.Options) { o.ListV1 = true },
		"signature 2":       func(o *awss3.Options) { o.SigV2 = true },
		"signed and MD5":    func(o *awss3.Options) { o.SignedPayload, o.ContentMD5 = true, true },
		"unsigned, no sums": func(o *awss3.Options) { o.UnsignedPayload, o.NoChecksum = true, true },
	}
	for name, change := range variants {
		t.Run(name, func(t *testing.T) { clienttest.Run(t, onServer(servertest.Options{}, change)) })
	}
}
