package awss3

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"pail/s3client"
)

// Client is one bucket of an S3 service. It is safe for concurrent use.
type Client struct {
	transport *http.Transport
	signer    *v4.Signer
	log       *slog.Logger

	opt    Options
	common http.Header    // of every request
	keys   []*customerKey // SSE-C

	endpoints []string
	failures  atomic.Int64 // of requests in a row, where there are several endpoints

	target       atomic.Pointer[target]
	checksumsOff atomic.Bool // the service refused checksum headers

	leaseHolder atomic.Pointer[string] // the name that requests carry; nil: none, as there are no leases
	firstHolder atomic.Pointer[string] // the name that the first stream is to have; nil: there was one, or is to be none

	ignoresCopySource atomic.Bool // the service copies whatever version is there, as Probe has found
	opaqueTags        atomic.Bool // the service can do without MD5, as Probe has found
}

var _ s3client.Client = (*Client)(nil)

// New returns a client. It reads the files that opt names, and sends nothing.
func New(opt Options) (*Client, error) {
	if opt.Bucket == "" {
		return nil, errors.New("no bucket is named")
	}
	if err := opt.Encryption.check(); err != nil {
		return nil, err
	}
	if opt.Credentials == nil {
		opt.Credentials = Anonymous()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	transport, err := newTransport(&opt.HTTP)
	if err != nil {
		return nil, err
	}
	c := &Client{transport: transport, signer: newSigner(), log: opt.Log, opt: opt, keys: customerKeys(opt.Encryption)}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.common = c.commonHeader()
	c.endpoints = append([]string{opt.Endpoint}, opt.Fallbacks...)
	for i := range c.endpoints {
		if _, err := c.targetAt(i, ""); err != nil {
			return nil, err
		}
	}
	t, err := c.targetAt(0, "")
	if err != nil {
		return nil, err
	}
	c.target.Store(t)
	c.checksumsOff.Store(opt.NoChecksum)
	return c, nil
}

func (c *Client) commonHeader() http.Header {
	h := http.Header{}
	set(h, "User-Agent", c.opt.UserAgent)
	if c.opt.UserAgent == "" {
		set(h, "User-Agent", "pail")
	}
	if c.opt.RequesterPays {
		set(h, "X-Amz-Request-Payer", "requester")
	}
	return h
}

// Close drops idle connections. The client stays usable.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Bucket returns the bucket's name.
func (c *Client) Bucket() string { return c.opt.Bucket }

// Region returns the region in use, which may be one that the service named.
func (c *Client) Region() string { return c.target.Load().region }
