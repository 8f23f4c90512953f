package s3api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

// logged reads all logs of the bucket until one line of them matches each pattern.
func (s *scene) logged(target string, patterns ...string) {
	s.Helper()
	for end := time.Now().Add(time.Minute); ; {
		var all strings.Builder
		out, err := s.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(target)})
		if err != nil {
			s.Fatal(err)
		}
		for _, o := range out.Contents {
			all.WriteString(s.do("GET", "/"+target+"/"+*o.Key, "").body)
		}
		missing := ""
		for _, p := range patterns {
			if !regexp.MustCompile("(?m)" + p).MatchString(all.String()) {
				missing = p
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("nothing like %s in\n%s", missing, all.String())
		}
	}
}

func TestAccessLogs(t *testing.T) {
	s := newScene(t, servertest.Options{Logs: 20 * time.Millisecond})
	s.want("target", s.do("PUT", "/logs", ""), 200, "")
	s.want("on", s.do("PUT", "/bucket?logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>of/bucket-</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"), 200, "")
	s.put("a b", "12345")
	s.do("GET", "/bucket/a%20b?versionId=null", "", "User-Agent: me \"x\"", "Referer: http://r")
	s.do("GET", "/bucket/none", "")
	s.do("GET", "/bucket?versioning", "")
	s.do("POST", "/bucket?delete", "<Delete><Object><Key>x</Key></Object></Delete>", "Content-MD5: x")
	s.send(s.request("GET", "/bucket/a%20b", ""))
	req := s.request("GET", "/bucket/bad", "")
	s.sign(req, "", time.Now())
	req.Header.Set("Authorization", req.Header.Get("Authorization")+"0")
	s.send(req)
	const id = `7061696c0{54}ff`
	s.logged("logs",
		`^`+id+` bucket \[\d\d/\w{3}/\d{4}:[\d:]{8} \+0000\] 127\.0\.0\.1 `+id+` [0-9A-F]{16} REST\.PUT\.OBJECT a%20b "PUT /bucket/a%20b[^"]* HTTP/1\.1" 200 - 0 5 \d+ - - "[^"]+" - \S+ SigV4 - AuthHeader 127\.0\.0\.1:\d+ - - -$`,
		` REST\.GET\.OBJECT a%20b "GET /bucket/a%20b\?versionId=null HTTP/1\.1" 200 - 5 5 \d+ - "http://r" "me %22x%22" null `,
		` REST\.GET\.OBJECT none "[^"]*" 404 NoSuchKey \d+ - `,
		` REST\.GET\.VERSIONING - "[^"]*" 200 - `,
		` REST\.POST\.MULTI_OBJECT_DELETE - "[^"]*" 400 InvalidDigest `,
		` 127\.0\.0\.1 - \S+ REST\.GET\.OBJECT a%20b "[^"]*" 403 AccessDenied \d+ - \d+ - - "[^"]+" - \S+ - - - 127`,
		` REST\.GET\.OBJECT bad "[^"]*" 403 SignatureDoesNotMatch `)
	out, err := s.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("logs")})
	if err != nil || !regexp.MustCompile(`^of/bucket-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$`).MatchString(*out.Contents[0].Key) {
		t.Errorf("%+v %v", out, err)
	}
	s.want("off", s.do("PUT", "/bucket?logging", "<BucketLoggingStatus/>"), 200, "")
	s.do("GET", "/bucket/unseen", "")
	s.want("on again, elsewhere", s.do("PUT", "/bucket?logging", `<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>x/</TargetPrefix>
		<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat></LoggingEnabled></BucketLoggingStatus>`), 200, "")
	const partition = "x/123456789012/us-east-1/bucket/"
	day := func() string { return "<Key>" + partition + time.Now().UTC().Format("2006/01/02/") }
	before := day()
	s.do("GET", "/bucket/seen", "")
	s.logged("logs", ` REST\.GET\.OBJECT seen `)
	list := s.do("GET", "/logs?list-type=2&prefix="+partition, "")
	if list.status != http.StatusOK || !strings.Contains(list.body, before) && !strings.Contains(list.body, day()) {
		t.Errorf("partitioned: %s", list.body)
	}
	for _, o := range out.Contents {
		if strings.Contains(s.do("GET", "/logs/"+*o.Key, "").body, "unseen") {
			t.Error("logged while logging was off")
		}
	}
}

// Log objects are shared as the configuration says.
func TestAccessLogsAreShared(t *testing.T) {
	c := newCastWith(t, servertest.Options{Logs: 20 * time.Millisecond})
	_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("logs"), ObjectOwnership: "ObjectWriter"})
	c.expect("target", err, "")
	c.want("on", c.do("PUT", "/bucket?logging", `<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix/><TargetGrants><Grant>
		<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="AmazonCustomerByEmail"><EmailAddress>other@example.org</EmailAddress></Grantee>
		<Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>`), 200, "")
	c.expect("a user", write(c.clerk, "k"), "")
	c.logged("logs", ` arn:aws:iam::`+ownerNumber+`:user/clerk \S+ REST\.PUT\.OBJECT k `)
	out, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("logs")})
	if err != nil {
		t.Fatal(err)
	}
	get := &s3.GetObjectInput{Bucket: aws.String("logs"), Key: out.Contents[0].Key}
	_, err = c.other.GetObject(ctx, get)
	c.expect("who is granted it", err, "")
	_, err = c.nobody.GetObject(ctx, get)
	c.expect("nobody", err, "AccessDenied")
}

// Logs are granted to nobody whom the target bucket's settings would keep from its other objects.
func TestAccessLogsAreSharedAsTheTargetAllows(t *testing.T) {
	c := newCastWith(t, servertest.Options{Logs: 20 * time.Millisecond})
	_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("logs"), ObjectOwnership: "ObjectWriter"})
	c.expect("target", err, "")
	share := func(target, grantee string) answer {
		return c.do("PUT", "/bucket?logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>"+target+"</TargetBucket><TargetPrefix/><TargetGrants><Grant>"+
			`<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" `+grantee+"</Grantee><Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>")
	}
	const everybody = `xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>`
	const other = `xsi:type="CanonicalUser"><ID>` + otherID + "</ID>"
	c.want("enforced ownership", share(bucket, other), 400, "AccessControlListNotSupported")
	c.want("everybody", share("logs", everybody), 200, "")
	block := func(yes bool) {
		t.Helper()
		_, err := c.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String("logs"),
			PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(yes)}})
		c.expect("block", err, "")
	}
	block(true)
	c.put("blocked", "x")
	c.logged("logs", ` REST\.PUT\.OBJECT blocked `)
	out, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("logs")})
	c.expect("list", err, "")
	for _, o := range out.Contents {
		_, err := c.nobody.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("logs"), Key: o.Key})
		c.expect("nobody reads what is delivered now", err, "AccessDenied")
	}
	c.want("everybody, where that is blocked", share("logs", everybody), 403, "AccessDenied")
	c.want("an account", share("logs", other), 200, "")
}

// Neither logs nor the debug log show what opens a presigned URL or an object.
func TestSecretsAreNotLogged(t *testing.T) {
	s := newScene(t, servertest.Options{Logs: 20 * time.Millisecond})
	s.want("target", s.do("PUT", "/logs", ""), 200, "")
	s.want("on", s.do("PUT", "/bucket?logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>"), 200, "")
	s.send(s.request("GET", "/bucket/k?X-Amz%2DSignature=s3cret&x-amz-copy-source-server-side-encryption-customer-key=s3cret&x=1", "", "Referer: http://h/b/page?X-Amz-Signature=s3cret&y=1"))
	s.logged("logs", `" 400 .* "http://h/b/page\?X-Amz-Signature=\.\.\.&y=1" `, `"GET /bucket/k\?X-Amz%2DSignature=\.\.\.&x-amz-copy-source-server-side-encryption-customer-key=\.\.\.&x=1 HTTP/1\.1"`)
}
