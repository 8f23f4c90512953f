package load

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Check reads all keys and versions that were ever sent, and lists the bucket. Nothing may change it meanwhile.
func (l *Load) Check(t testing.TB, client *s3.Client) {
	t.Helper()
	listed := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &l.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			listed[*o.Key] = true
		}
	}
	for key, sent := range l.sent {
		got, err := Read(client, l.Bucket, key, nil)
		var missing *types.NoSuchKey
		if err != nil && !errors.As(err, &missing) {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if listed[key] != (err == nil) {
			t.Errorf("%s: listed: %v, read: %v", key, listed[key], err)
		}
		if !slices.ContainsFunc(sent, func(c Content) bool { return c.is(got, err) }) {
			t.Errorf("%s holds %d bytes, %v, and may hold %v", key, len(got), err, sent)
		}
	}
	for v, c := range l.versions {
		if got, err := Read(client, l.Versions, v.key, &v.id); err != nil || !c.is(got, err) {
			t.Errorf("version %v: %d bytes, %v, want %v", v, len(got), err, c)
		}
	}
	for v := range l.removed {
		_, err := Read(client, l.Versions, v.key, &v.id)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "NoSuchVersion" {
			t.Errorf("version %v was removed: %v", v, err)
		}
	}
	t.Logf("%d keys, %d versions, %d versions removed: all as acknowledged", len(l.sent), len(l.versions), len(l.removed))
}

// Read gives an object, or a version of it.
func Read(client *s3.Client, bucket, key string, version *string) ([]byte, error) {
	out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: version})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}
