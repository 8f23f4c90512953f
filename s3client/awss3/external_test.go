package awss3_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/clienttest"
)

// TestContractOnOtherService runs the suite on the service at PAIL_TEST_ENDPOINT, an S3 service other than pail's, with
// PAIL_TEST_ACCESS_KEY and PAIL_TEST_SECRET_KEY; `make ha` runs it on Ceph's RGW. Buckets stay there.
func TestContractOnOtherService(t *testing.T) {
	endpoint := os.Getenv("PAIL_TEST_ENDPOINT")
	if endpoint == "" {
		t.Skip("PAIL_TEST_ENDPOINT names no service")
	}
	stamp, buckets := time.Now().UnixNano(), 0
	clienttest.Run(t, func(t *testing.T) s3client.Client {
		buckets++
		return newClient(t, awss3.Options{Bucket: fmt.Sprintf("contract-%d-%d", stamp, buckets), Endpoint: endpoint,
			Credentials: awss3.Static(os.Getenv("PAIL_TEST_ACCESS_KEY"), os.Getenv("PAIL_TEST_SECRET_KEY"), "")})
	})
}
