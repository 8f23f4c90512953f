package s3api_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/internal/s3api"
	"pail/server/internal/store"
	"pail/server/servertest"
)

func operations() []s3api.Operation { return s3api.Operations() }

// half sends a request and goes away in the middle of its body.
func (s *scene) half(request string) {
	s.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		s.Fatal(err)
	}
	_, _ = io.WriteString(conn, request)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

// noLength sends a PUT that says nothing of its body's length.
func (s *scene) noLength() answer {
	s.Helper()
	req := s.request("PUT", path("k"), "")
	s.sign(req, "", time.Now())
	var b strings.Builder
	fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", path("k"), s.Addr)
	_ = req.Header.Write(&b)
	got := s.wire(b.String() + "\r\n")
	head, body, _ := strings.Cut(got, "\r\n\r\n")
	a := answer{header: http.Header{}, body: body}
	_, _ = fmt.Sscanf(head, "HTTP/1.1 %d", &a.status)
	for _, line := range strings.Split(head, "\r\n")[1:] {
		name, value, _ := strings.Cut(line, ": ")
		a.header.Add(name, value)
	}
	return a
}

func TestBuckets(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("create again", s.do("PUT", "/bucket", ""), 200, "")
	a := s.do("PUT", "/second", "<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>")
	s.want("own region", a, 200, "")
	if a.header.Get("Location") != "/second" {
		t.Errorf("Location %q", a.header.Get("Location"))
	}
	s.want("with tags", s.do("PUT", "/tagged", "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>"), 200, "")
	if a := s.do("GET", "/tagged?tagging", ""); a.element("Key") != "a" || a.element("Value") != "b" {
		t.Errorf("tags: %s", a.body)
	}
	s.want("with bad tags", s.do("PUT", "/third", "<CreateBucketConfiguration><Tags><Tag><Key>a</Key></Tag></Tags></CreateBucketConfiguration>"), 400, "MalformedXML")
	s.want("other region", s.do("PUT", "/third", "<CreateBucketConfiguration><LocationConstraint>mars</LocationConstraint></CreateBucketConfiguration>"), 400, "InvalidLocationConstraint")
	s.want("malformed", s.do("PUT", "/third", "<CreateBucket"), 400, "MalformedXML")
	for _, bad := range []string{"ab", "UPPER", "under_score", "1.2.3.4", "a..b", "foo-.bar", "foo.-bar", strings.Repeat("a", 64)} {
		s.want(bad, s.do("PUT", "/"+bad, ""), 400, "InvalidBucketName")
	}
	for name, code := range map[string]string{"ab": "InvalidBucketName", "a%20bc": "InvalidBucketName", strings.Repeat("a", 256): "InvalidBucketName",
		"UPPER_score": "NoSuchBucket", strings.Repeat("a", 255): "NoSuchBucket"} {
		s.want(name, s.do("GET", "/"+name, ""), map[string]int{"NoSuchBucket": 404, "InvalidBucketName": 400}[code], code)
	}
	h := s.do("HEAD", "/bucket", "")
	if h.header.Get("X-Amz-Access-Point-Alias") != "false" {
		t.Errorf("%v", h.header)
	}
	if h.status != 200 || h.header.Get("X-Amz-Bucket-Region") != "us-east-1" || h.header.Get("X-Pail-Extensions") != "rename-object, rename-prefix, list-metadata, conditional-put, complete-metadata, append, patch, delete-directory, opaque-etags, notify, usage, lease, lease-reads" {
		t.Errorf("%d %v", h.status, h.header)
	}
	if h := s.do("HEAD", "/nobucket", ""); h.status != 404 || h.body != "" {
		t.Errorf("%d %q", h.status, h.body)
	}
	s.want("location", s.do("GET", "/bucket?location", ""), 200, "")
	s.put("k", "x")
	s.want("not empty", s.do("DELETE", "/bucket", ""), 409, "BucketNotEmpty")
	s.want("no bucket", s.do("DELETE", "/nobucket", ""), 404, "NoSuchBucket")
	s.want("delete", s.do("DELETE", "/second", ""), 204, "")
	s.want("no bucket", s.do("PUT", "/second/k", "x"), 404, "NoSuchBucket")
	for i := range 5 {
		s.do("PUT", fmt.Sprintf("/list-%d", i), "")
	}
	var names []string
	p := s3.NewListBucketsPaginator(s.s3, &s3.ListBucketsInput{MaxBuckets: aws.Int32(2), Prefix: aws.String("list-")})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range out.Buckets {
			names = append(names, aws.ToString(b.Name))
		}
		if out.Owner == nil || len(aws.ToString(out.Owner.ID)) != 64 {
			t.Errorf("owner %+v", out.Owner)
		}
	}
	if got := strings.Join(names, " "); got != "list-0 list-1 list-2 list-3 list-4" {
		t.Errorf("%s", got)
	}
	s.want("bad token", s.do("GET", "/?continuation-token=x", ""), 400, "InvalidArgument")
	if a := s.do("GET", "/", ""); a.element("Name") == "" || a.element("BucketRegion") != "" {
		t.Errorf("%s", a.body)
	}
	if a := s.do("GET", "/?max-buckets=1&bucket-region=us-east-1", ""); a.element("BucketRegion") != "us-east-1" {
		t.Errorf("%s", a.body)
	}
	for _, n := range []string{"0", "-1", "10001", "x"} {
		s.want("max-buckets "+n, s.do("GET", "/?max-buckets="+n, ""), 400, "InvalidArgument")
	}
}

func TestMethodsOfResources(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, c := range []struct{ method, target, allow, resource string }{
		{"POST", "/", "GET, OPTIONS", "SERVICE"},
		{"PATCH", "/bucket", "DELETE, GET, HEAD, OPTIONS, POST, PUT", "BUCKET"},
		{"DELETE", "/bucket?location", "GET", "LOCATION"},
		{"POST", "/bucket/k", "DELETE, GET, HEAD, OPTIONS, PUT", "OBJECT"},
		{"PUT", "/bucket/k?uploads", "POST", "UPLOADS"},
		{"PUT", "/bucket/k?policy", "", "POLICY"},
	} {
		a := s.do(c.method, c.target, "")
		s.want(c.method+" "+c.target, a, 405, "MethodNotAllowed")
		if a.header.Get("Allow") != c.allow || a.element("Method") != c.method || a.element("ResourceType") != c.resource {
			t.Errorf("%s %s: Allow %q, %s", c.method, c.target, a.header.Get("Allow"), a.body)
		}
	}
}

func TestRegionElsewhere(t *testing.T) {
	s := &scene{Server: servertest.New(t, servertest.Options{Region: "eu-west-1"}), T: t}
	s.http = s.HTTPClient()
	c := s3.New(s3.Options{BaseEndpoint: aws.String(s.URL), Region: "eu-west-1", UsePathStyle: true, Credentials: aws.CredentialsProviderFunc(credentials), HTTPClient: s.http})
	in := &s3.CreateBucketInput{Bucket: aws.String(bucket), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}
	if _, err := c.CreateBucket(ctx, in); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateBucket(ctx, in); apiCode(err) != "BucketAlreadyOwnedByYou" {
		t.Errorf("%v", err)
	}
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("elsewhere"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-2"}})
	if apiCode(err) != "IllegalLocationConstraintException" {
		t.Errorf("%v", err)
	}
	out, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String(bucket)})
	if err != nil || out.LocationConstraint != "eu-west-1" {
		t.Errorf("%v %v", out, err)
	}
	h := s.do("HEAD", "/bucket", "") // signed for us-east-1
	if h.status != 400 || h.header.Get("X-Amz-Bucket-Region") != "eu-west-1" {
		t.Errorf("%d %v", h.status, h.header)
	}
}

func TestVirtualHostStyle(t *testing.T) {
	s := newScene(t, servertest.Options{Domains: []string{"s3.pail.test"}})
	s.put("a/b", "x")
	req := s.request("GET", "/a/b", "")
	req.Host = "bucket.s3.pail.test"
	s.sign(req, "", time.Now())
	if a := s.send(req); a.status != 200 || a.body != "x" {
		t.Errorf("%d %s", a.status, a.body)
	}
	req = s.request("GET", "/bucket/a/b", "")
	req.Host = "any.other.host"
	s.sign(req, "", time.Now())
	if a := s.send(req); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestUnconfiguredBucketAnswersAsAWS(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "x")
	for _, c := range []struct {
		target string
		status int
		want   string // a code, or text of the answer
	}{
		{"/bucket?versioning", 200, "<VersioningConfiguration"},
		{"/bucket?acl", 200, "<Permission>FULL_CONTROL</Permission>"},
		{"/bucket/k?acl", 200, "<Permission>FULL_CONTROL</Permission>"},
		{"/bucket/none?acl", 404, "NoSuchKey"},
		{"/bucket?policy", 404, "NoSuchBucketPolicy"},
		{"/bucket?policyStatus", 404, "NoSuchBucketPolicy"},
		{"/bucket?tagging", 404, "NoSuchTagSet"},
		{"/bucket/k?tagging", 200, "<TagSet></TagSet>"},
		{"/bucket?lifecycle", 404, "NoSuchLifecycleConfiguration"},
		{"/bucket?cors", 404, "NoSuchCORSConfiguration"},
		{"/bucket?website", 404, "NoSuchWebsiteConfiguration"},
		{"/bucket?encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"},
		{"/bucket?replication", 404, "ReplicationConfigurationNotFoundError"},
		{"/bucket?object-lock", 404, "ObjectLockConfigurationNotFoundError"},
		{"/bucket/k?retention", 400, "InvalidRequest"},
		{"/bucket?requestPayment", 200, "<Payer>BucketOwner</Payer>"},
		{"/bucket?logging", 200, "<BucketLoggingStatus"},
		{"/bucket?notification", 200, "<NotificationConfiguration"},
		{"/bucket?accelerate", 200, "<AccelerateConfiguration"},
		{"/bucket?ownershipControls", 200, "BucketOwnerEnforced"},
		{"/bucket?publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"},
		{"/bucket?metrics&id=x", 404, "NoSuchConfiguration"},
		{"/nobucket?versioning", 404, "NoSuchBucket"},
		{"/nobucket?policy", 404, "NoSuchBucket"},
	} {
		a := s.do("GET", c.target, "")
		if a.status != c.status || !strings.Contains(a.body, c.want) {
			t.Errorf("%s: %d %s", c.target, a.status, a.body)
		}
	}
}

func TestRequestsAreCounted(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.Reset()
	s.put("k", "x")
	s.get("k")
	s.do("GET", path("none"), "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if c := s.Counts(); c["PutObject"] != 1 || c["GetObject"] != 2 || len(c) != 2 {
		t.Errorf("%v", c)
	}
}

// TestPanicFailsOneRequestOnly breaks a request inside the handler's own parts.
func TestPanicFailsOneRequestOnly(t *testing.T) {
	var log syncBuffer
	api := s3api.New(s3api.Options{Store: new(store.Store), Log: slog.New(slog.NewTextHandler(&log, nil))}) // no verifier: every request panics
	rec := &recorder{header: http.Header{}}
	req, _ := http.NewRequest("GET", "/b/k", http.NoBody)
	req.RequestURI = "/b/k"
	api.ServeHTTP(rec, req)
	if rec.status != 500 || !strings.Contains(rec.body.String(), "<Code>InternalError</Code>") {
		t.Errorf("%d %s", rec.status, rec.body.String())
	}
	if !strings.Contains(log.String(), rec.header.Get("X-Amz-Request-Id")) || !strings.Contains(log.String(), "stack=") {
		t.Errorf("log: %s", log.String())
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// syncBuffer is a log that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
