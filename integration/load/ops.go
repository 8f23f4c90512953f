package load

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Work changes objects in all ways until an operation fails. Each worker has keys of its own, so that the last
// acknowledgement of a key is known; some keys are overwritten.
func (l *Load) Work(ctx context.Context, client *s3.Client, round, worker int) {
	again := fmt.Sprintf("w%d/again", worker)
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("w%d/%d-%d", worker, round, i)
		size := []int{10, 5000, 70_000, 1 << 20, 6 << 20}[(i+worker)%5]
		var err error
		switch (i + worker) % 8 {
		case 4:
			err = l.Put(ctx, client, again, size)
		case 5:
			err = l.copy(ctx, client, again, key)
		case 6:
			err = l.remove(ctx, client, fmt.Sprintf("w%d/%d-%d", worker, round, i-4))
		case 7:
			err = l.version(ctx, client, fmt.Sprintf("w%d", worker), size)
		default:
			err = l.Put(ctx, client, key, size)
		}
		if err != nil {
			return
		}
	}
}

// Put stores one object, those of 6 MiB and more by parts. It is conditional: on the key being free the first time, later
// on the object being the one that was acknowledged, where that is known.
func (l *Load) Put(ctx context.Context, client *s3.Client, key string, size int) error {
	c := l.newContent(size)
	return l.change(key, c, func(now known) (string, error) {
		p := put{client: client, bucket: &l.Bucket, key: &key, body: c.Bytes()}
		if now.tag != "" {
			p.match = &now.tag
		} else if now.free {
			p.noneMatch = aws.String("*")
		}
		if size < 6<<20 {
			return p.whole(ctx)
		}
		return p.parts(ctx)
	})
}

type put struct {
	client           *s3.Client
	bucket, key      *string
	body             []byte
	match, noneMatch *string
}

func (p put) whole(ctx context.Context) (tag string, err error) {
	out, err := p.client.PutObject(ctx, &s3.PutObjectInput{Bucket: p.bucket, Key: p.key, Body: bytes.NewReader(p.body),
		IfMatch: p.match, IfNoneMatch: p.noneMatch}, once)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

func (p put) parts(ctx context.Context) (tag string, err error) {
	up, err := p.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: p.bucket, Key: p.key}, once)
	if err != nil {
		return "", err
	}
	var parts []types.CompletedPart
	for n, data := range [][]byte{p.body[:5<<20], p.body[5<<20:]} {
		number := aws.Int32(int32(n + 1))
		part, err := p.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: p.bucket, Key: p.key, UploadId: up.UploadId, PartNumber: number, Body: bytes.NewReader(data)}, once)
		if err != nil {
			return "", err
		}
		parts = append(parts, types.CompletedPart{ETag: part.ETag, PartNumber: number, ChecksumCRC32: part.ChecksumCRC32})
	}
	out, err := p.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: p.bucket, Key: p.key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, IfMatch: p.match, IfNoneMatch: p.noneMatch}, once)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

func (l *Load) copy(ctx context.Context, client *s3.Client, from, to string) error {
	c, ok := l.holds(from)
	if !ok {
		return nil
	}
	return l.change(to, c, func(known) (string, error) {
		_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &l.Bucket, Key: &to, CopySource: aws.String(l.Bucket + "/" + from)}, once)
		return "", err
	})
}

func (l *Load) remove(ctx context.Context, client *s3.Client, key string) error {
	return l.change(key, Gone, func(known) (string, error) {
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &l.Bucket, Key: &key}, once)
		return "", err
	})
}

// version makes a version, and removes one of the versions that the key had before.
func (l *Load) version(ctx context.Context, client *s3.Client, key string, size int) error {
	c := l.newContent(size)
	out, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &l.Versions, Key: &key, Body: bytes.NewReader(c.Bytes())}, once)
	if err != nil {
		return err
	}
	old := l.addVersion(version{key, *out.VersionId}, c)
	if old.id == "" {
		return nil
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &l.Versions, Key: &old.key, VersionId: &old.id}, once); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removed[old] = true
	return nil
}

// addVersion notes one that was acknowledged, and gives another one of the key, which may be there or not from now on.
func (l *Load) addVersion(made version, c Content) (old version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for v := range l.versions {
		if v.key == made.key {
			old = v
		}
	}
	l.versions[made] = c
	delete(l.versions, old)
	l.ackLocked()
	return old
}
