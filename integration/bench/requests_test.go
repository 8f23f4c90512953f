package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"pail/s3client"
)

const (
	rowTime = 3 * time.Second
	crowd   = 16 // workers of small requests
	few     = 4  // workers of large ones
	listed  = 20_000
	folders = 100
	parts   = 8
	part    = 16 * mib
)

// traffic is the state of one server's run.
type traffic struct {
	client s3client.Client
	stored [crowd]int // small objects that each worker has put
	filled bool
}

// request is one kind of request. do sends the i-th of a worker; it checks the length of what it reads.
type request struct {
	name    string
	workers int
	bytes   int64 // of one request's body
	prepare func(ctx context.Context, t *traffic) error
	do      func(ctx context.Context, t *traffic, worker, i int) error
}

var requests = []request{
	{name: "PUT 4 KiB", workers: crowd, bytes: small, do: putSmall},
	{name: "GET 4 KiB", workers: crowd, bytes: small, do: getSmall},
	{name: "HEAD", workers: crowd, do: headSmall},
	{name: "DELETE", workers: crowd, do: deleteSmall},
	{name: "LIST page of 1000 keys", workers: crowd, prepare: fill, do: list(s3client.ListQuery{}, 1000)},
	{name: "LIST root with delimiter", workers: crowd, prepare: fill, do: list(s3client.ListQuery{Delimiter: "/"}, folders)},
	{name: "PUT 64 MiB", workers: few, bytes: midSize, do: putLarge},
	{name: "GET 64 MiB", workers: few, bytes: midSize, do: getLarge},
	{name: "multipart 8 x 16 MiB", workers: few, bytes: parts * part, do: putParts},
	{name: "CopyObject 64 MiB", workers: few, bytes: midSize, do: copyLarge},
}

var (
	smallBody = content(0, small)
	largeBody = content(0, midSize)
)

func smallKey(worker, i int) string { return fmt.Sprintf("small/%02d/%07d", worker, i) }

func largeKey(worker int) string { return fmt.Sprintf("large/%d", worker) }

func putSmall(ctx context.Context, t *traffic, worker, i int) error {
	_, err := t.client.Put(ctx, smallKey(worker, i), bytes.NewReader(smallBody), s3client.PutOptions{})
	if err == nil {
		t.stored[worker] = i + 1
	}
	return err
}

func getSmall(ctx context.Context, t *traffic, worker, i int) error {
	return t.get(ctx, smallKey(worker, i%t.stored[worker]), small)
}

// buffers are what bodies are read through: a fresh one each time would be measured with the server.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func (t *traffic) get(ctx context.Context, key string, size int64) error {
	o, err := t.client.Get(ctx, key, s3client.GetOptions{})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{o.Body}, buf[:])
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes, want %d", key, n, size)
	}
	return err
}

func headSmall(ctx context.Context, t *traffic, worker, i int) error {
	o, err := t.client.Head(ctx, smallKey(worker, i%t.stored[worker]))
	if err == nil && o.Size != small {
		err = fmt.Errorf("%s has %d bytes", o.Key, o.Size)
	}
	return err
}

func deleteSmall(ctx context.Context, t *traffic, worker, i int) error {
	if i == t.stored[worker] {
		return errExhausted
	}
	return t.client.Delete(ctx, smallKey(worker, i))
}

// fill makes the keys that are listed.
func fill(ctx context.Context, t *traffic) error {
	if t.filled {
		return nil
	}
	t.filled = true
	var next atomic.Int64
	failed := make(chan error, crowd)
	for range crowd {
		go func() {
			for {
				i := next.Add(1) - 1
				if i >= listed {
					failed <- nil
					return
				}
				key := fmt.Sprintf("listed/dir%02d/key%07d", i%folders, i)
				if _, err := t.client.Put(ctx, key, bytes.NewReader(nil), s3client.PutOptions{}); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	var err error
	for range crowd {
		if e := <-failed; e != nil {
			err = e
		}
	}
	return err
}

func list(q s3client.ListQuery, want int) func(context.Context, *traffic, int, int) error {
	q.Prefix = "listed/"
	return func(ctx context.Context, t *traffic, _, _ int) error {
		page, err := t.client.List(ctx, q)
		if n := len(page.Objects) + len(page.Prefixes); err == nil && n != want {
			err = fmt.Errorf("%d names in a page, want %d", n, want)
		}
		return err
	}
}

func putLarge(ctx context.Context, t *traffic, worker, _ int) error {
	_, err := t.client.Put(ctx, largeKey(worker), bytes.NewReader(largeBody), s3client.PutOptions{})
	return err
}

func getLarge(ctx context.Context, t *traffic, worker, _ int) error {
	return t.get(ctx, largeKey(worker), midSize)
}

func putParts(ctx context.Context, t *traffic, worker, _ int) error {
	u, err := t.client.NewUpload(ctx, fmt.Sprintf("parts/%d", worker), s3client.PutOptions{})
	if err != nil {
		return err
	}
	sent := make([]s3client.Part, parts)
	for n := range sent {
		if sent[n], err = u.Part(ctx, n+1, bytes.NewReader(largeBody[:part])); err != nil {
			return err
		}
	}
	_, err = u.Complete(ctx, sent, nil)
	return err
}

func copyLarge(ctx context.Context, t *traffic, worker, i int) error {
	_, err := t.client.Copy(ctx, fmt.Sprintf("copies/%d/%d", worker, i%8), largeKey(worker), s3client.CopyOptions{})
	return err
}
