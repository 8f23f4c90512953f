package integration

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"pail/integration/harness"
)

// raw speaks HTTP to a server byte by byte.
type raw struct {
	*bucket
}

// target presigns a request for any body, and gives what stands in its request line.
func (r raw) target(method, pathAndQuery string) string {
	r.t.Helper()
	req, err := http.NewRequest(method, r.server.URL+pathAndQuery, nil)
	r.must(err)
	query := req.URL.Query()
	query.Set("X-Amz-Expires", "600")
	req.URL.RawQuery = query.Encode()
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: harness.AccessKey, SecretAccessKey: harness.SecretKey},
		req, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	r.must(err)
	u, err := url.Parse(signed)
	r.must(err)
	return u.RequestURI()
}

func (r raw) dial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.server.Addr())
	r.must(err)
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return c
}

// begin sends the head of a request.
func (r raw) begin(method, pathAndQuery string, headers ...string) net.Conn {
	r.t.Helper()
	c := r.dial()
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, r.target(method, pathAndQuery), r.server.Addr(), strings.Join(append(headers, ""), "\r\n"))
	r.must(err)
	return c
}

// document sends a DeleteObjects request.
func (r raw) document(xml string) net.Conn {
	r.t.Helper()
	sum := md5.Sum([]byte(xml))
	c := r.begin("POST", "/bucket?delete=", fmt.Sprintf("Content-Length: %d", len(xml)), "Content-MD5: "+base64.StdEncoding.EncodeToString(sum[:]))
	io.WriteString(c, xml)
	return c
}

// wants reads the answer, which must have the status and name S3's code.
func (r raw) wants(c net.Conn, status int, code string) {
	r.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		r.t.Errorf("no answer: %v, want %s", err, code)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != status || !strings.Contains(string(body), "<Code>"+code+"</Code>") {
		r.t.Errorf("%s, want %d %s:\n%s", resp.Status, status, code, body)
	}
}

// feed sends text again and again, with pauses, until the connection ends or enough was sent.
func feed(c net.Conn, text string, times int, pause time.Duration) {
	for range times {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		time.Sleep(pause) // the client is slow: that is the test
	}
}

// TestAbusedBodies: whatever a client does with a body, it gets S3's error soon, and nothing of it is stored.
func TestAbusedBodies(t *testing.T) {
	t.Parallel()
	r := raw{newBucket(t, harness.Serve(t, harness.ServerOptions{HTTP: true, Args: []string{"--client-timeout", "1s"}}))}
	t.Run("byte by byte", func(t *testing.T) {
		c := r.begin("PUT", "/bucket/slow", "Content-Length: 1000000")
		go feed(c, "x", 100, 50*time.Millisecond)
		r.wants(c, 400, "RequestTimeout")
	})
	t.Run("silence", func(t *testing.T) {
		c := r.begin("PUT", "/bucket/silent", "Content-Length: 1000000")
		io.WriteString(c, "half of it")
		r.wants(c, 400, "RequestTimeout")
	})
	t.Run("gone in the middle", func(t *testing.T) {
		c := r.begin("PUT", "/bucket/half", "Content-Length: 1000000")
		io.WriteString(c, "half of it")
		c.Close()
	})
	t.Run("no more to come", func(t *testing.T) {
		c := r.begin("PUT", "/bucket/short", "Content-Length: 1000000")
		io.WriteString(c, "half of it")
		c.(*net.TCPConn).CloseWrite()
		r.wants(c, 400, "IncompleteBody")
	})
	t.Run("no length", func(t *testing.T) {
		r.wants(r.begin("PUT", "/bucket/no-length"), 411, "MissingContentLength")
	})
	t.Run("chunks without end", func(t *testing.T) {
		c := r.begin("PUT", "/bucket/chunked", "Transfer-Encoding: chunked")
		go feed(c, "5\r\nhello\r\n", 400, 10*time.Millisecond)
		r.wants(c, 400, "RequestTimeout")
	})
	t.Run("aws-chunked without end", func(t *testing.T) {
		c := r.begin("PUT", "/bucket/endless", "Content-Length: 100000000", "Content-Encoding: aws-chunked",
			"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length: 100")
		go feed(c, "40\r\n"+strings.Repeat("x", 64)+"\r\n", 200, 10*time.Millisecond)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode < 400 || resp.StatusCode > 499 {
			t.Errorf("%v, %v; want a refusal", resp, err)
		}
	})
	t.Run("XML bomb", func(t *testing.T) {
		bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>` +
			`<Delete><Object><Key>&c;&c;&c;</Key></Object></Delete>`
		r.wants(r.document(bomb), 400, "MalformedXML")
	})
	t.Run("deep XML", func(t *testing.T) {
		deep := "<Delete>" + strings.Repeat("<Object>", 60_000)
		r.wants(r.document(deep), 400, "MalformedXML")
	})
	t.Run("slow headers", func(t *testing.T) {
		c := r.dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n")
		go feed(c, "X-Slow: 1\r\n", 100, 50*time.Millisecond)
		if got, _ := io.ReadAll(c); strings.Contains(string(got), " 200 ") {
			t.Errorf("%q", got)
		}
	})
	if got := keys(t, r.server, "bucket"); len(got) != 0 {
		t.Errorf("stored: %q", got)
	}
	r.server.Stop(t)
	r.fsck(0)
}

// TestTenThousandIdleConnections: the server keeps as many as it has said, in bounded memory, and serves others.
func TestTenThousandIdleConnections(t *testing.T) {
	t.Parallel()
	const connections, limit = 10_000, 4096
	b := newBucket(t, harness.Serve(t, harness.ServerOptions{HTTP: true, Binary: harness.StaticBinary(t)}))
	conns := make([]net.Conn, 0, connections)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range connections {
		c, err := net.Dial("tcp", b.server.Addr())
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conns = append(conns, c)
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // refused, and kept for the next request
	}
	for i := range 50 {
		b.must(b.put(fmt.Sprintf("key%d", i), []byte("still served")))
	}
	b.has("key7", []byte("still served"))
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.server.PID()))
	b.must(err)
	if len(fds) > limit+600 {
		t.Errorf("the server holds %d files open", len(fds))
	}
	if rss := harness.PeakRSS(t, b.server.PID()); rss > rssBudget {
		t.Errorf("%d MiB of memory for %d connections", rss>>20, connections)
	} else {
		t.Logf("%d files open, %d MiB at most", len(fds), rss>>20)
	}
}
