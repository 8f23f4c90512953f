package servertest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/sys/unix"

	"pail/server/servertest"
)

// Benchmarks of the whole server over HTTP, with signed bodies, on real files, every write durable. Client and server
// share the processor: the figures are of both. 16 clients work at once on small objects, 4 on large ones.

type benchClient struct {
	b      *testing.B
	url    string
	http   *http.Client
	signer *v4.Signer
}

func newBenchClient(b *testing.B) *benchClient {
	s := servertest.New(b, servertest.Options{})
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}
	b.Cleanup(transport.CloseIdleConnections)
	c := &benchClient{b: b, url: s.URL + "/bench", http: &http.Client{Transport: transport}, signer: v4.NewSigner()}
	c.do("PUT", "", body{})
	b.ReportAllocs()
	return c
}

// body is the body of a request and its SHA-256, which is computed once.
type body struct {
	bytes  []byte
	sha    string
	source string // of a copy
}

func newBody(n int) body {
	p := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	return withSum(p)
}

func withSum(p []byte) body {
	sum := sha256.Sum256(p)
	return body{bytes: p, sha: hex.EncodeToString(sum[:])}
}

// do sends a request, and reads the answer to its end, whose length it gives.
func (c *benchClient) do(method, target string, send body) int64 {
	n, _, _ := c.ask(method, target, send, io.Discard)
	return n
}

// ask is do that writes the answer to w and gives its header.
func (c *benchClient) ask(method, target string, send body, w io.Writer) (int64, http.Header, bool) {
	if send.sha == "" {
		send.sha = withSum(nil).sha
	}
	r, err := http.NewRequest(method, c.url+target, bytes.NewReader(send.bytes))
	if err != nil {
		c.b.Error(err)
		return 0, nil, false
	}
	r.Header.Set("X-Amz-Content-Sha256", send.sha)
	if send.source != "" {
		r.Header.Set("X-Amz-Copy-Source", send.source)
	}
	keys := aws.Credentials{AccessKeyID: servertest.AccessKey, SecretAccessKey: servertest.SecretKey}
	if err := c.signer.SignHTTP(context.Background(), keys, r, send.sha, "s3", "us-east-1", time.Now()); err != nil {
		c.b.Error(err)
		return 0, nil, false
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.b.Error(err)
		return 0, nil, false
	}
	defer answer.Body.Close()
	n, err := io.Copy(w, answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		c.b.Errorf("%s %s: %s, %v", method, target, answer.Status, err)
		return n, nil, false
	}
	return n, answer.Header, true
}

// run sends requests for numbers that count up, from so many clients. It reports the processor time of an operation and
// the most memory that was resident, of client and server together.
func (c *benchClient) run(clients int, request func(n int64)) {
	var next atomic.Int64
	c.b.SetParallelism(max(1, clients/2)) // of two processors, where it is measured
	resetPeak()
	before := processorTime(c.b)
	c.b.ResetTimer()
	c.b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request(next.Add(1) - 1)
		}
	})
	c.b.ReportMetric(float64((processorTime(c.b)-before).Microseconds())/float64(c.b.N), "cpu-us/op")
	c.b.ReportMetric(peakMiB(c.b), "peak-MiB")
}

func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak makes the kernel forget the most memory that was resident, if it can.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func peakMiB(b *testing.B) (mib float64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &mib); err != nil {
		b.Fatal(err)
	}
	return mib / 1024
}

func benchKey(n int64) string { return fmt.Sprintf("/dir%02d/key%07d", n%100, n) }

func (c *benchClient) fill(n int64, b body) {
	const clients = 16
	var wg sync.WaitGroup
	for first := range int64(clients) {
		wg.Go(func() {
			for i := first; i < n; i += clients {
				c.do("PUT", benchKey(i), b)
			}
		})
	}
	wg.Wait()
}

func BenchmarkPut4K(b *testing.B) {
	c, small := newBenchClient(b), newBody(4096)
	c.run(16, func(n int64) { c.do("PUT", benchKey(n), small) })
}

func BenchmarkGet4K(b *testing.B) {
	c := newBenchClient(b)
	c.fill(1000, newBody(4096))
	c.run(16, func(n int64) {
		if m := c.do("GET", benchKey(n*7%1000), body{}); m != 4096 {
			b.Errorf("%d bytes", m)
		}
	})
}

func BenchmarkHead(b *testing.B) {
	c := newBenchClient(b)
	c.fill(1000, newBody(4096))
	c.run(16, func(n int64) { c.do("HEAD", benchKey(n*7%1000), body{}) })
}

func BenchmarkDelete(b *testing.B) {
	c := newBenchClient(b)
	c.fill(int64(b.N), newBody(4096))
	c.run(16, func(n int64) { c.do("DELETE", benchKey(n), body{}) })
}

func BenchmarkList1000(b *testing.B) {
	c := newBenchClient(b)
	c.fill(5000, body{})
	c.run(16, func(int64) { c.do("GET", "?list-type=2", body{}) })
}

func BenchmarkListRoot(b *testing.B) {
	c := newBenchClient(b)
	c.fill(5000, body{})
	c.run(16, func(int64) { c.do("GET", "?delimiter=%2F&list-type=2", body{}) })
}

func BenchmarkPut64M(b *testing.B) {
	c, big := newBenchClient(b), newBody(64<<20)
	b.SetBytes(64 << 20)
	c.run(4, func(n int64) { c.do("PUT", fmt.Sprintf("/big%d", n%8), big) })
}

func BenchmarkGet64M(b *testing.B) {
	c := newBenchClient(b)
	c.do("PUT", "/big", newBody(64<<20))
	b.SetBytes(64 << 20)
	c.run(4, func(int64) {
		if m := c.do("GET", "/big", body{}); m != 64<<20 {
			b.Errorf("%d bytes", m)
		}
	})
}

func BenchmarkCopy64M(b *testing.B) {
	c := newBenchClient(b)
	c.do("PUT", "/big", newBody(64<<20))
	c.run(4, func(n int64) { c.do("PUT", fmt.Sprintf("/copy%d", n%64), body{source: "/bench/big"}) })
}

// BenchmarkMultipart8x16M uploads objects of 8 parts of 16 MiB.
func BenchmarkMultipart8x16M(b *testing.B) {
	c, part := newBenchClient(b), newBody(16<<20)
	b.SetBytes(8 * 16 << 20)
	c.run(4, func(n int64) { c.multipart(fmt.Sprintf("/parts%d", n%8), 8, part) })
}

func (c *benchClient) multipart(target string, parts int, part body) {
	var created struct {
		UploadID string `xml:"UploadId"`
	}
	var answer bytes.Buffer
	if _, _, ok := c.ask("POST", target+"?uploads=", body{}, &answer); !ok {
		return
	}
	if err := xml.Unmarshal(answer.Bytes(), &created); err != nil {
		c.b.Error(err)
		return
	}
	complete := "<CompleteMultipartUpload>"
	for i := 1; i <= parts; i++ {
		_, header, _ := c.ask("PUT", fmt.Sprintf("%s?partNumber=%d&uploadId=%s", target, i, created.UploadID), part, io.Discard)
		complete += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i, header.Get("ETag"))
	}
	c.do("POST", target+"?uploadId="+created.UploadID, withSum([]byte(complete+"</CompleteMultipartUpload>")))
}
