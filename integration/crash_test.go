package integration

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestKillServerUnderLoad kills the server at random instants while clients put small, large and multipart objects, copy,
// delete, and make and remove versions; it starts the server again, and looks for all that was acknowledged: objects
// whole, versions too, and nothing that was removed. At the end the server's own check finds nothing.
func TestKillServerUnderLoad(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	s.Bucket(t, "versions")
	client := s.Client(t)
	l := load.New("bucket", "versions")
	if _, err := client.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{Bucket: aws.String("versions"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: "Enabled"}}); err != nil {
		t.Fatal(err)
	}
	const rounds, acks = 4, 30
	for round := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		var workers sync.WaitGroup
		for w := range 6 {
			workers.Go(func() { l.Work(ctx, client, round, w) })
		}
		waitAcks(t, l, acks/2+rand.IntN(acks))
		s.Kill()
		cancel()
		workers.Wait()
		s.Restart(t)
		l.Check(t, client)
	}
	s.Stop(t)
	(&bucket{t: t, server: s}).fsck(0)
}

// waitAcks returns after n further acknowledgements.
func waitAcks(t *testing.T, l *load.Load, n int) {
	t.Helper()
	if !l.WaitAcks(n, 2*time.Minute) {
		t.Fatal("nothing is acknowledged")
	}
}
