package harness

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Service is Serve for a test that needs no more than an S3 service, without pail's extensions: where PAIL_TEST_ENDPOINT names
// one, over HTTP, it is that, for PAIL_TEST_ACCESS_KEY and PAIL_TEST_SECRET_KEY. Buckets that the test makes there end with it.
func Service(t testing.TB, opt ServerOptions) *Server {
	t.Helper()
	endpoint := os.Getenv("PAIL_TEST_ENDPOINT")
	if endpoint == "" {
		return Serve(t, opt)
	}
	access, secret := os.Getenv("PAIL_TEST_ACCESS_KEY"), os.Getenv("PAIL_TEST_SECRET_KEY")
	return &Server{URL: endpoint, Passwd: PasswdFile(t, access+":"+secret), access: access, secret: secret}
}

// At is a server of another kind that a test has started, for AccessKey and SecretKey.
func At(url string) *Server { return &Server{URL: url, access: AccessKey, secret: SecretKey} }

// Extended reports whether the server is pail's, with its extensions.
func (s *Server) Extended() bool { return s.proc != nil }

// removeBucket removes a bucket with all that is in it.
func (s *Server) removeBucket(t testing.TB, name string) {
	ctx, client, bucket := context.Background(), s.Client(t), aws.String(name)
	uploads, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err == nil {
		for _, u := range uploads.Uploads {
			_, e := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId})
			err = errors.Join(err, e)
		}
	}
	for pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: bucket}); err == nil && pages.HasMorePages(); {
		var page *s3.ListObjectsV2Output
		if page, err = pages.NextPage(ctx); err != nil {
			break
		}
		for _, o := range page.Contents {
			_, e := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: o.Key})
			err = errors.Join(err, e)
		}
	}
	if err == nil {
		_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	}
	if err != nil {
		t.Errorf("removing bucket %s: %v", name, err)
	}
}
