package integration

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// replicas are servers on the same directories, of which one owns them.
type replicas struct {
	t       *testing.T
	servers []*harness.Server
	load    *load.Load
	writers *load.Writers
}

var objectSizes = []int{10, 5000, 70_000, 300_000}

// startReplicas starts n servers of the same directories.
func startReplicas(t *testing.T, n int, opt harness.ServerOptions) *replicas {
	t.Helper()
	r := &replicas{t: t, load: load.New("bucket", "")}
	opt.HTTP = true
	for range n {
		s := harness.Serve(t, opt)
		opt.Dir, opt.Passwd = s.Dir, s.Passwd
		r.servers = append(r.servers, s)
	}
	r.servers[0].Bucket(t, "bucket")
	return r
}

// write lets writers put objects. The test's end halts them, if it has not done so before.
func (r *replicas) write() {
	r.writers = r.load.Write(4, 3500*time.Millisecond, objectSizes, r.clients()...)
	r.t.Cleanup(r.writers.Halt)
}

// verify reads everything back from a server, ends all servers and checks what they leave.
func (r *replicas) verify(from *harness.Server) {
	r.t.Helper()
	if r.writers != nil {
		r.writers.Halt()
	}
	r.load.Check(r.t, from.Client(r.t))
	for _, s := range r.servers {
		s.Stop(r.t)
	}
	r.fsck()
}

// fsck checks all that the servers keep, which have ended.
func (r *replicas) fsck() {
	r.t.Helper()
	cmd := exec.Command(harness.Binary(r.t), "serve", "--fsck", "--dir", r.servers[0].Dir)
	cmd.Env = r.servers[0].Environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Errorf("fsck: %v\n%s", err, out)
	}
	r.t.Logf("fsck: %s", out)
}

// TestTakeoverAfterKill kills the owner of shared directories again and again while clients write: a standby serves long before
// its patience ends, nothing acknowledged is lost, and nothing is half there.
func TestTakeoverAfterKill(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, 3, harness.ServerOptions{Args: []string{"--patience", "1h"}})
	r.write()
	owner := r.servers[0]
	for range 2 {
		waitAcks(t, r.load, 25)
		owner.Kill()
		killed := time.Now()
		waitAcks(t, r.load, 1)
		t.Logf("acknowledged again %v after the owner was killed", time.Since(killed).Round(time.Millisecond))
		owner.Restart(t) // as a standby
		owner = r.owner()
	}
	waitAcks(t, r.load, 25)
	r.verify(r.owner())
}

// owner gives the server that serves.
func (r *replicas) owner() *harness.Server {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, s := range r.servers {
			if status(s.URL) == http.StatusForbidden { // it knows that nobody has signed
				return s
			}
		}
	}
	r.t.Fatal("no server serves")
	return nil
}

// status asks for what nobody may see, and gives 0 for a server that does not answer.
func status(url string) int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url + "/bucket")
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestTakeoverFromPausedOwner stops the owner's process for longer than its standby's patience, while it has requests under
// way, and lets it go on when another one owns the directories: it acknowledges nothing and reads nothing more, and what
// it still writes damages nothing.
func TestTakeoverFromPausedOwner(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, 2, harness.ServerOptions{Args: []string{"--patience", "6s"}}) // no owner that runs is silent for so long
	r.write()
	zombie, next := r.servers[0], r.servers[1]
	for range 2 {
		waitAcks(t, r.load, 25)
		zombie.Pause()
		paused := time.Now()
		if r.writers.WaitOther(r.index(zombie), time.Minute) < 0 {
			t.Fatal("the standby acknowledges nothing")
		}
		t.Logf("acknowledged by the standby %v after the owner was stopped", time.Since(paused).Round(time.Millisecond))
		waitAcks(t, r.load, 25)
		acks := r.writers.Acks(r.index(zombie))
		zombie.Resume()
		read := r.reads(zombie, 50)
		waitAcks(t, r.load, 25)
		if n := r.writers.Acks(r.index(zombie)) - acks; n != 0 {
			t.Errorf("the former owner acknowledged %d objects", n)
		}
		if read != nil {
			t.Errorf("the former owner answered a read: %v", read)
		}
		zombie, next = next, zombie
	}
	r.verify(r.owner())
}

func (r *replicas) index(s *harness.Server) int {
	for i := range r.servers {
		if r.servers[i] == s {
			return i
		}
	}
	return -1
}

// reads asks a former owner n times for a list, and gives the first answer other than a failure.
func (r *replicas) reads(s *harness.Server, n int) error {
	client := s.Client(r.t)
	for range n {
		out, err := client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), MaxKeys: aws.Int32(1)},
			func(o *s3.Options) { o.RetryMaxAttempts = 1 })
		if err == nil {
			return fmt.Errorf("a list of %d", *out.KeyCount)
		}
	}
	return nil
}
