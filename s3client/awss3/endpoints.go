package awss3

import (
	"errors"
	"net/http"

	"pail/s3client"
)

// moveOn is called when a request to t has failed. Where the service has several endpoints, and another one may do better,
// later requests go there. The request itself is not sent again here: whoever repeats it has to know that it may have
// been done.
//
// An answer's Retry-After is for those who ask the same endpoint again, so it is heeded only once every endpoint has failed.
func (c *Client) moveOn(t *target, err error) {
	if len(c.endpoints) < 2 {
		return
	}
	var e *s3client.Error
	if !errors.As(err, &e) || !errors.Is(err, s3client.ErrUnavailable) || e.Status != 0 && e.Status < http.StatusInternalServerError {
		return
	}
	if c.failures.Add(1)%int64(len(c.endpoints)) != 0 {
		e.RetryAfter = 0
	}
	next, terr := c.targetAt((t.endpoint+1)%len(c.endpoints), "")
	if terr == nil && c.target.CompareAndSwap(t, next) {
		c.log.Info("going on with another endpoint", "bucket", c.opt.Bucket, "endpoint", c.endpoints[next.endpoint], "error", err)
	}
}

// targetAt is newTarget for one of the endpoints.
func (c *Client) targetAt(endpoint int, adopted string) (*target, error) {
	opt := c.opt
	opt.Endpoint = c.endpoints[endpoint]
	t, err := newTarget(&opt, adopted)
	if err != nil {
		return nil, err
	}
	t.endpoint = endpoint
	return t, nil
}
