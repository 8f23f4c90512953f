package awss3

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pail/s3client"
)

// maxResultBody bounds the small XML answers.
const maxResultBody = 1 << 20

// result is what the XML answers to copies and uploads hold, each a part of it.
type result struct {
	etag     s3client.ETag
	modified time.Time
	checksum string // base64 CRC64NVME
	uploadID string
}

// copyResult reads an XML answer whose root is named root. Services begin such answers before the work is done, so
// that the root may turn out to be an <Error>, after any amount of white space.
func (c *Client) copyResult(ctx context.Context, r *request, resp *http.Response, root string) (result, error) {
	body, err := readAll(resp, maxResultBody)
	if err != nil {
		return result{}, c.transportError(ctx, r, err, nil)
	}
	if err := c.bodyError(r, resp, body); err != nil {
		return result{}, err
	}
	res, err := parseResult(body, root)
	if err != nil {
		e := c.newError(r, fmt.Errorf("%w: %w", s3client.ErrUnavailable, err))
		e.Status, e.RequestID, e.Message = resp.StatusCode, requestID(resp.Header), snippet(body)
		return result{}, e
	}
	return res, nil
}

func parseResult(body []byte, root string) (result, error) {
	var res result
	x := newScanner(body)
	name, ok := x.child()
	if !ok || string(name) != root {
		return res, fmt.Errorf("the answer is no %s", root)
	}
	for {
		name, ok := x.child()
		if !ok {
			return res, x.err
		}
		switch string(name) {
		case "ETag":
			res.etag = etagOf(x.text())
		case "LastModified":
			res.modified = parseTime(x.text())
		case "ChecksumCRC64NVME":
			res.checksum = x.string()
		case "UploadId":
			res.uploadID = x.string()
		default:
			x.skip()
		}
	}
}
