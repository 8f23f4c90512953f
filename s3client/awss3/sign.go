package awss3

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"pail/s3client"
)

// newSigner returns the SDK's signer, which keeps derived keys. S3's paths are escaped once only.
func newSigner() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

// sign signs req in place and returns the credentials it used.
func (c *Client) sign(ctx context.Context, req *http.Request, r *request, t *target) (s3client.Credentials, error) {
	creds, err := c.opt.Credentials.Retrieve(ctx)
	if err != nil {
		return creds, c.credentialsError(ctx, r, err)
	}
	if creds.Anonymous {
		return creds, nil
	}
	now := c.now()
	if c.opt.SigV2 {
		signV2(req, c.resource(req, t), creds, now)
		return creds, nil
	}
	payload := emptySHA256
	if r.body != nil {
		payload = r.body.payload
	}
	set(req.Header, "X-Amz-Content-Sha256", payload)
	err = c.signer.SignHTTP(ctx, awsCredentials(creds), req, payload, t.service, t.region, now)
	if err != nil {
		return creds, c.newError(r, err)
	}
	return creds, nil
}

func awsCredentials(c s3client.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.SessionToken}
}

// refuse tells the provider that the service did not take creds, unless it has newer ones by now.
func (c *Client) refuse(ctx context.Context, creds s3client.Credentials) {
	if p, ok := c.opt.Credentials.(s3client.CredentialsRefuser); ok {
		p.Refused(creds)
		return
	}
	current, err := c.opt.Credentials.Retrieve(ctx)
	if err == nil && current.AccessKey == creds.AccessKey && current.SessionToken == creds.SessionToken {
		c.opt.Credentials.Invalidate()
	}
}

// now is the time of signatures.
func (c *Client) now() time.Time { return c.opt.Now() }
