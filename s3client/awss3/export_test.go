package awss3

import (
	"net/http"
	"time"
)

// SignAndSend lets tests of the package's outside make requests that Client has no method for.
func SignAndSend(req *http.Request, opt Options) (*http.Response, error) {
	creds, err := opt.Credentials.Retrieve(req.Context())
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(&opt.HTTP)
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	set(req.Header, "X-Amz-Content-Sha256", emptySHA256)
	err = newSigner().SignHTTP(req.Context(), awsCredentials(creds), req, emptySHA256, "s3", defaultRegion, time.Now())
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(req)
}
