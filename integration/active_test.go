package integration

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
	"pail/integration/load"
	"pail/server/pgtest"
)

// startActive starts n servers that all serve, with their metadata in a database of the nodes.
func startActive(t *testing.T, n int, nodes ...*pgtest.Node) *replicas {
	t.Helper()
	if _, err := nodes[0].Database("pail"); err != nil {
		t.Fatal(err)
	}
	return startReplicas(t, n, harness.ServerOptions{Database: pgtest.Address("pail", nodes...)})
}

// clients gives a client of each server.
func (r *replicas) clients() (list []*s3.Client) {
	for _, s := range r.servers {
		list = append(list, s.Client(r.t))
	}
	return list
}

// TestActiveReplicas uses three servers at once as if they were one.
func TestActiveReplicas(t *testing.T) {
	t.Parallel()
	r := startActive(t, 3, pgtest.Start(t))
	c := r.clients()
	ctx := context.Background()
	bucket := aws.String("bucket")

	t.Run("MultipartAcrossReplicas", func(t *testing.T) {
		up, err := c[0].CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("multi")})
		if err != nil {
			t.Fatal(err)
		}
		var parts []types.CompletedPart
		var want []byte
		for i := range 4 {
			body := load.RandomBytes(uint64(i), 5<<20)
			out, err := c[i%3].UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: aws.String("multi"), UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(body)})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, body...)
			parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(i + 1))})
		}
		if _, err := c[1].CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: aws.String("multi"), UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}); err != nil {
			t.Fatal(err)
		}
		for _, client := range c {
			if got, err := load.Read(client, "bucket", "multi", nil); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, not the %d that were sent: %v", len(got), len(want), err)
			}
		}
	})

	t.Run("OneWinnerOfEachRace", func(t *testing.T) {
		for round := range 10 {
			var won atomic.Int64
			var group sync.WaitGroup
			for i := range 9 {
				group.Go(func() {
					_, err := c[i%3].PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(fmt.Sprint("race", round)), Body: strings.NewReader(fmt.Sprint(i)), IfNoneMatch: aws.String("*")}, once)
					if err == nil {
						won.Add(1)
					} else if c := code(err); c != "PreconditionFailed" && c != "ConditionalRequestConflict" {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if won.Load() != 1 {
				t.Errorf("%d winners", won.Load())
			}
		}
	})

	t.Run("Versions", func(t *testing.T) {
		r.servers[1].Bucket(t, "versions")
		if _, err := c[2].PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String("versions"), VersioningConfiguration: &types.VersioningConfiguration{Status: "Enabled"}}); err != nil {
			t.Fatal(err)
		}
		var made []string
		for i := range 6 {
			out, err := c[i%3].PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("versions"), Key: aws.String("k"), Body: strings.NewReader(fmt.Sprint(i))})
			if err != nil || out.VersionId == nil {
				t.Fatalf("%v: a server does not know of the versions yet", err)
			}
			made = append(made, *out.VersionId)
		}
		slices.Reverse(made)
		for _, client := range c {
			out, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String("versions")})
			if err != nil {
				t.Fatal(err)
			}
			var listed []string
			for _, v := range out.Versions {
				listed = append(listed, *v.VersionId)
			}
			if !slices.Equal(listed, made) {
				t.Errorf("versions %v, want %v", listed, made)
			}
		}
	})

	t.Run("PolicyCountsAtOnce", func(t *testing.T) {
		deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/multi"}]}`
		for round := range 4 {
			if _, err := c[round%3].PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: &deny}); err != nil {
				t.Fatal(err)
			}
			for _, client := range c {
				if _, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("multi"), Range: aws.String("bytes=0-1")}); code(err) != "AccessDenied" {
					t.Errorf("denied, and then: %v", err)
				}
			}
			if _, err := c[(round+1)%3].DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bucket}); err != nil {
				t.Fatal(err)
			}
			for _, client := range c {
				if out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("multi"), Range: aws.String("bytes=0-1")}); err != nil {
					t.Errorf("allowed again, and then: %v", err)
				} else {
					out.Body.Close()
				}
			}
		}
	})
	r.verify(r.servers[0])
}

// writeFresh is write for servers that all serve.
func (r *replicas) writeFresh() {
	r.writers = r.load.WriteFresh(6, 5*time.Second, objectSizes, r.clients()...)
	r.t.Cleanup(r.writers.Halt)
}

// TestActiveReplicaKilled kills servers under load, again and again: the others go on, and nothing acknowledged is lost.
func TestActiveReplicaKilled(t *testing.T) {
	t.Parallel()
	r := startActive(t, 3, pgtest.Start(t))
	r.writeFresh()
	for round := range 4 {
		waitAcks(t, r.load, 40)
		victim := r.servers[round%3]
		victim.Kill()
		waitAcks(t, r.load, 40)
		victim.Restart(t)
	}
	r.verify(r.servers[0])
}

// TestDatabaseFailsOver kills the primary under load and promotes its synchronous standby: the servers find it by
// themselves, and nothing acknowledged is lost.
func TestDatabaseFailsOver(t *testing.T) {
	t.Parallel()
	db := startPair(t)
	r := startActive(t, 3, db.primary, db.standby)
	r.writeFresh()
	waitAcks(t, r.load, 100)
	killed := time.Now()
	db.failOver()
	waitAcks(t, r.load, 1)
	t.Logf("acknowledged again %v after the primary was killed", time.Since(killed).Round(time.Millisecond))
	waitAcks(t, r.load, 100)
	r.verify(r.servers[0])
}
