package ha

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// drill is clients that write throughout, with whichever of the servers serves.
type drill struct {
	urls    []string
	clients []*s3.Client
	load    *load.Load
	writers *load.Writers
}

// patience is for how long anything may take. What a takeover may take is another matter, and printed.
const patience = 3 * time.Minute

// startDrill waits until a server serves, and starts the clients.
func startDrill(t *testing.T, urls []string) *drill {
	t.Helper()
	d := newDrill(t, urls)
	d.writers = d.load.Write(4, 5*time.Second, drillSizes, d.clients...)
	t.Cleanup(d.writers.Halt)
	d.waitAcks(t, 10)
	return d
}

// startActiveDrill is startDrill for servers that all serve.
func startActiveDrill(t *testing.T, urls []string) *drill {
	t.Helper()
	d := newDrill(t, urls)
	for i := range urls {
		d.waitServes(t, i)
	}
	if _, err := d.clients[0].CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String("elsewhere")}); err != nil {
		t.Fatal(err)
	}
	d.writers = d.load.WriteFresh(4, 5*time.Second, drillSizes, d.clients...)
	t.Cleanup(d.writers.Halt)
	d.waitAcks(t, 10)
	return d
}

var drillSizes = []int{10, 5000, 70_000, 300_000, 6 << 20}

// newDrill waits until a server serves, and makes the bucket.
func newDrill(t *testing.T, urls []string) *drill {
	t.Helper()
	d := &drill{urls: urls, load: load.New("bucket", "")}
	for _, url := range urls {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DialContext = (&net.Dialer{Timeout: 500 * time.Millisecond}).DialContext // a host that is gone costs no more
		transport.ResponseHeaderTimeout = 5 * time.Second
		t.Cleanup(transport.CloseIdleConnections)
		d.clients = append(d.clients, s3.New(s3.Options{BaseEndpoint: &url, Region: "us-east-1", UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(harness.AccessKey, harness.SecretKey, ""),
			HTTPClient:  &http.Client{Transport: transport}}))
	}
	begin := time.Now()
	owner := d.owner(t)
	if _, err := d.clients[owner].CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	t.Logf("served %v after the start", since(begin))
	return d
}

func since(begin time.Time) time.Duration { return time.Since(begin).Round(10 * time.Millisecond) }

func (d *drill) waitAcks(t *testing.T, n int) {
	t.Helper()
	if !d.load.WaitAcks(n, patience) {
		t.Fatalf("nothing is acknowledged for %v", patience)
	}
}

// fail lets the owner fail and prints how long it takes until another server acknowledges.
func (d *drill) fail(t *testing.T, what string, owner int, fail func()) {
	t.Helper()
	d.waitAcks(t, 25)
	begin := time.Now()
	fail()
	next := d.writers.WaitOther(owner, patience)
	if next < 0 {
		t.Fatalf("nothing is acknowledged %v after %s", patience, what)
	}
	t.Logf("server %d acknowledged %v after %s", next, since(begin), what)
	d.waitAcks(t, 25)
}

// comesBack lets a former owner go on, and sees that it acknowledges nothing and answers no read before it stands by.
func (d *drill) comesBack(t *testing.T, former int, back func()) {
	t.Helper()
	acks := d.writers.Acks(former)
	begin := time.Now()
	back()
	reads := 0
	for !d.standsBy(former) {
		if time.Since(begin) > patience {
			t.Fatal("the former owner does not stand by")
		}
		out, err := d.clients[former].ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), MaxKeys: aws.Int32(1)}, once)
		if reads++; err == nil {
			t.Errorf("the former owner answered a read: %d keys", *out.KeyCount)
		}
	}
	d.waitAcks(t, 25)
	if n := d.writers.Acks(former) - acks; n != 0 {
		t.Errorf("the former owner acknowledged %d changes", n)
	}
	t.Logf("the former owner stood by %v after it came back; it acknowledged nothing, and answered none of %d reads before", since(begin), reads)
}

func once(o *s3.Options) { o.RetryMaxAttempts = 1 }

// ask asks a server for what nobody may see without a signature: one that serves refuses it, one that stands by says so.
func (d *drill) ask(server int) (status int, answer string) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(d.urls[server] + "/bucket")
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(body)
}

func (d *drill) standsBy(server int) bool {
	_, answer := d.ask(server)
	return strings.Contains(answer, "stands by")
}

func (d *drill) waitStandby(t *testing.T, server int) {
	t.Helper()
	d.poll(t, "a server does not stand by", func() bool { return d.standsBy(server) })
}

// owner waits until a server owns the directories; where all serve, any of them.
func (d *drill) owner(t *testing.T) (owner int) {
	t.Helper()
	d.poll(t, "no server owns the directories", func() bool {
		for owner = range d.urls {
			if d.serves(owner) {
				return true
			}
		}
		return false
	})
	return owner
}

func (d *drill) serves(server int) bool {
	status, _ := d.ask(server)
	return status == http.StatusForbidden || status == http.StatusNotFound
}

func (d *drill) waitServes(t *testing.T, server int) {
	t.Helper()
	d.poll(t, "a server does not serve", func() bool { return d.serves(server) })
}

func (d *drill) poll(t *testing.T, failure string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(failure)
		}
	}
}

// verify ends the clients and reads everything back.
func (d *drill) verify(t *testing.T) {
	t.Helper()
	d.writers.Halt()
	d.load.Check(t, d.clients[d.owner(t)])
}
