package s3api_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

const partSize = 5 << 20

// content is n bytes that do not repeat.
func content(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(b)
	return b
}

// multipart uploads parts with the SDK and completes.
func (s *scene) multipart(key string, algorithm types.ChecksumAlgorithm, parts ...[]byte) (*s3.CompleteMultipartUploadOutput, error) {
	s.Helper()
	up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(key),
		ChecksumAlgorithm: algorithm, Metadata: map[string]string{"a": "b"}})
	if err != nil {
		s.Fatal(err)
	}
	var done []types.CompletedPart
	for i, p := range parts {
		out, err := s.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: aws.String(key), UploadId: up.UploadId,
			PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(p), ChecksumAlgorithm: algorithm})
		if err != nil {
			s.Fatal(err)
		}
		done = append(done, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32,
			ChecksumCRC32C: out.ChecksumCRC32C, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
			ChecksumSHA512: out.ChecksumSHA512})
	}
	return s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(key), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}})
}

func TestMultipartRoundTrip(t *testing.T) {
	s := newScene(t, servertest.Options{})
	a, b := content(partSize), content(1000)
	for _, algorithm := range []types.ChecksumAlgorithm{"", "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512"} {
		out, err := s.multipart("k", algorithm, a, b)
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if !strings.HasSuffix(strings.Trim(aws.ToString(out.ETag), `"`), "-2") || !strings.HasPrefix(aws.ToString(out.Location), s.URL) {
			t.Errorf("%s: ETag %s, Location %s", algorithm, aws.ToString(out.ETag), aws.ToString(out.Location))
		}
		if got := s.get("k"); got != string(a)+string(b) {
			t.Errorf("%s: %d bytes came back", algorithm, len(got))
		}
	}
	for n, want := range map[int32][]byte{1: a, 2: b} {
		out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), PartNumber: aws.Int32(n), ChecksumMode: "ENABLED"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, want) || aws.ToInt32(out.PartsCount) != 2 || out.Metadata["a"] != "b" {
			t.Errorf("part %d: %d bytes, %d parts, %v", n, len(got), aws.ToInt32(out.PartsCount), err)
		}
	}
	s.want("part 3", s.do("GET", path("k")+"?partNumber=3", ""), 416, "InvalidPartNumber")
	r := s.do("GET", path("k"), "", fmt.Sprintf("Range: bytes=%d-%d", partSize-2, partSize+1))
	if want := string(a[partSize-2:]) + string(b[:2]); r.body != want {
		t.Error("a range over two parts is wrong")
	}
}

// upload starts an upload and gives its id.
func (s *scene) upload(key string, headers ...string) string {
	s.Helper()
	a := s.do("POST", path(key)+"?uploads", "", headers...)
	s.want("create upload", a, 200, "")
	return a.element("UploadId")
}

func completeBody(parts ...string) string {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i, etag := range parts {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.String()
}

func TestMultipartErrors(t *testing.T) {
	s := newScene(t, servertest.Options{})
	id := s.upload("k")
	part := func(n, body string, headers ...string) answer {
		return s.do("PUT", path("k")+"?partNumber="+n+"&uploadId="+id, body, headers...)
	}
	complete := func(body string, headers ...string) answer {
		return s.do("POST", path("k")+"?uploadId="+id, body, headers...)
	}
	one := part("1", "one")
	s.want("part", one, 200, "")
	etag := one.header.Get("Etag")
	s.want("part 0", part("0", "x"), 400, "InvalidArgument")
	s.want("part 10001", part("10001", "x"), 400, "InvalidArgument")
	s.want("part x", part("x", "x"), 400, "InvalidArgument")
	s.want("no number", s.do("PUT", path("k")+"?uploadId="+id, "x"), 400, "InvalidArgument")
	s.want("wrong digest", part("1", "x", "Content-Md5: AAAAAAAAAAAAAAAAAAAAAA=="), 400, "BadDigest")
	s.want("wrong sum", part("1", "x", "X-Amz-Checksum-Crc32: AAAAAA=="), 400, "BadDigest")
	s.want("unknown upload", s.do("PUT", path("k")+"?partNumber=1&uploadId=none", "x"), 404, "NoSuchUpload")
	s.want("other key", s.do("PUT", path("other")+"?partNumber=1&uploadId="+id, "x"), 404, "NoSuchUpload")

	s.want("no XML", complete("nonsense"), 400, "MalformedXML")
	s.want("no parts", complete(completeBody()), 400, "MalformedXML")
	s.want("no ETag", complete("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"), 400, "MalformedXML")
	s.want("no number", complete("<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>"), 400, "MalformedXML")
	s.want("unknown part", complete(completeBody(etag, etag)), 400, "InvalidPart")
	s.want("wrong ETag", complete(completeBody("00000000000000000000000000000000")), 400, "InvalidPart")
	s.want("too long", complete("<CompleteMultipartUpload>"+strings.Repeat(" ", 4<<20)+"</CompleteMultipartUpload>"), 400, "MaxMessageLengthExceeded")
	var most strings.Builder // with the longest checksums
	for n := range 10_000 {
		fmt.Fprintf(&most, "\n  <Part>\n    <ChecksumSHA512>%s</ChecksumSHA512>\n    <ETag>&quot;%032d&quot;</ETag>\n    <PartNumber>%d</PartNumber>\n  </Part>",
			base64.StdEncoding.EncodeToString(make([]byte, 64)), 0, n+1)
	}
	s.want("10,000 parts", complete("<CompleteMultipartUpload>"+most.String()+"</CompleteMultipartUpload>"), 400, "InvalidPart")
	two := part("2", "two")
	s.want("small part", complete(completeBody(etag, two.header.Get("Etag"))), 400, "EntityTooSmall")
	s.want("wrong order", complete("<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>x</ETag></Part><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"), 400, "InvalidPartOrder")
	s.want("wrong size", complete(completeBody(etag), "X-Amz-Mp-Object-Size: 7"), 400, "InvalidRequest")
	s.put("k", "there")
	s.want("exists", complete(completeBody(etag), "If-None-Match: *"), 412, "PreconditionFailed")
	s.want("complete", complete(completeBody(etag), "X-Amz-Mp-Object-Size: 3"), 200, "")
	s.want("complete again", complete(completeBody(etag)), 200, "")
	if s.get("k") != "one" {
		t.Error("the object is another")
	}
	id = s.upload("k")
	s.want("abort", s.do("DELETE", path("k")+"?uploadId="+id, ""), 204, "")
	s.want("abort again", s.do("DELETE", path("k")+"?uploadId="+id, ""), 404, "NoSuchUpload")
	s.want("part of an aborted upload", part("1", "x"), 404, "NoSuchUpload")
	for _, h := range [][]string{{"X-Amz-Checksum-Algorithm: MD4"}, {"X-Amz-Checksum-Type: COMPOSITE"},
		{"X-Amz-Checksum-Algorithm: SHA1", "X-Amz-Checksum-Type: FULL_OBJECT"}, {"X-Amz-Checksum-Algorithm: CRC64NVME", "X-Amz-Checksum-Type: COMPOSITE"}} {
		s.want(h[0], s.do("POST", path("k")+"?uploads", "", h...), 400, "InvalidRequest")
	}
	id = s.upload("k", "X-Amz-Checksum-Algorithm: SHA256")
	s.want("other algorithm", part("1", "x", "X-Amz-Checksum-Crc32: jNwf1w=="), 400, "InvalidRequest")
}

func TestPartCopies(t *testing.T) {
	s := newScene(t, servertest.Options{})
	b := content(partSize + 1000)
	s.put("src", string(b))
	id := s.upload("k")
	copyPart := func(n int, headers ...string) answer {
		return s.do("PUT", fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path("k"), n, id), "", append(headers, "X-Amz-Copy-Source: bucket/src")...)
	}
	first := copyPart(1)
	s.want("whole", first, 200, "")
	second := copyPart(2, "X-Amz-Copy-Source-Range: bytes=10-19")
	s.want("range", second, 200, "")
	s.want("bad range", copyPart(3, "X-Amz-Copy-Source-Range: bytes=10-"), 400, "InvalidArgument")
	outside := copyPart(3, fmt.Sprintf("X-Amz-Copy-Source-Range: bytes=0-%d", len(b)))
	s.want("range outside", outside, 400, "InvalidArgument")
	if want := fmt.Sprintf("Range specified is not valid for source object of size: %d", len(b)); outside.element("Message") != want {
		t.Errorf("%s", outside.body)
	}
	s.want("condition", copyPart(3, `X-Amz-Copy-Source-If-Match: "x"`), 412, "PreconditionFailed")
	tag := func(a answer) string { return strings.Trim(strings.ReplaceAll(a.element("ETag"), "&quot;", `"`), `"`) }
	s.want("complete", s.do("POST", path("k")+"?uploadId="+id, completeBody(tag(first), tag(second))), 200, "")
	if got := s.get("k"); got != string(b)+string(b[10:20]) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestMultipartListings(t *testing.T) {
	s := newScene(t, servertest.Options{})
	id := s.upload("dir/k", "X-Amz-Checksum-Algorithm: CRC32C", "X-Amz-Storage-Class: STANDARD_IA")
	for n := 1; n <= 5; n++ {
		if _, err := s.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: aws.String("dir/k"), UploadId: aws.String(id),
			PartNumber: aws.Int32(int32(n)), Body: strings.NewReader(strings.Repeat("x", n)), ChecksumAlgorithm: "CRC32C"}); err != nil {
			t.Fatal(err)
		}
	}
	next, n := "", 0
	for pages := 0; ; pages++ {
		out, err := s.s3.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String(bucket), Key: aws.String("dir/k"), UploadId: aws.String(id),
			MaxParts: aws.Int32(2), PartNumberMarker: aws.String(next)})
		if err != nil || pages > 3 {
			t.Fatal(pages, err)
		}
		for _, p := range out.Parts {
			n++
			if int(aws.ToInt32(p.PartNumber)) != n || aws.ToInt64(p.Size) != int64(n) || aws.ToString(p.ChecksumCRC32C) == "" || p.LastModified == nil {
				t.Errorf("part %d: %+v", n, p)
			}
		}
		if out.StorageClass != "STANDARD_IA" || out.ChecksumAlgorithm != "CRC32C" {
			t.Errorf("%s %s", out.StorageClass, out.ChecksumAlgorithm)
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		next = aws.ToString(out.NextPartNumberMarker)
	}
	if n != 5 {
		t.Errorf("%d parts", n)
	}
	s.want("unknown upload", s.do("GET", path("dir/k")+"?uploadId=none", ""), 404, "NoSuchUpload")
	s.want("bad marker", s.do("GET", path("dir/k")+"?part-number-marker=x&uploadId="+id, ""), 400, "InvalidArgument")

	for _, k := range []string{"a", "a", "dir/l", "z"} {
		s.upload(k)
	}
	var seen []string
	in := &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket), MaxUploads: aws.Int32(2)}
	for pages := 0; ; pages++ {
		out, err := s.s3.ListMultipartUploads(ctx, in)
		if err != nil || pages > 4 {
			t.Fatal(pages, err)
		}
		for _, u := range out.Uploads {
			seen = append(seen, aws.ToString(u.Key))
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
	if got := strings.Join(seen, " "); got != "a a dir/k dir/l z" {
		t.Errorf("uploads %s", got)
	}
	out, err := s.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket), Delimiter: aws.String("/")})
	if err != nil || len(out.Uploads) != 3 || len(out.CommonPrefixes) != 1 {
		t.Errorf("%+v %v", out, err)
	}
}

// TestUploadsWithoutAlgorithm: the object gets CRC64NVME, whatever the parts came with; botocore sends a CRC32 with each
// part of an upload that it began without naming an algorithm.
func TestUploadsWithoutAlgorithm(t *testing.T) {
	s := newScene(t, servertest.Options{})
	id := s.upload("k")
	one := s.do("PUT", path("k")+"?partNumber=1&uploadId="+id, "x", "X-Amz-Checksum-Crc32: jNwWgw==")
	s.want("part with a checksum", one, 200, "")
	if one.header.Get("X-Amz-Checksum-Crc32") != "jNwWgw==" || one.header.Get("X-Amz-Checksum-Crc64nvme") != "" {
		t.Errorf("%v", one.header)
	}
	list := s.do("GET", path("k")+"?uploadId="+id, "")
	if list.element("NextPartNumberMarker") != "1" || list.element("IsTruncated") != "false" || list.element("ChecksumAlgorithm") != "" {
		t.Errorf("%s", list.body)
	}
	etag := "<ETag>" + one.header.Get("Etag") + "</ETag>"
	body := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>" + etag + "<ChecksumCRC32>jNwWgw==</ChecksumCRC32></Part></CompleteMultipartUpload>"
	s.want("other type", s.do("POST", path("k")+"?uploadId="+id, body, "X-Amz-Checksum-Type: COMPOSITE"), 400, "InvalidRequest")
	done := s.do("POST", path("k")+"?uploadId="+id, body)
	s.want("complete", done, 200, "")
	whole := s.do("PUT", path("whole"), "x").header.Get("X-Amz-Checksum-Crc64nvme")
	if done.element("ChecksumCRC64NVME") != whole || done.element("ChecksumType") != "FULL_OBJECT" || whole == "" {
		t.Errorf("%s", done.body)
	}
	h := s.do("HEAD", path("k"), "", "X-Amz-Checksum-Mode: ENABLED").header
	if h.Get("X-Amz-Checksum-Crc64nvme") != whole || h.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
		t.Errorf("%v", h)
	}
}

func TestCompositeUploadsListTheirChecksums(t *testing.T) {
	s := newScene(t, servertest.Options{})
	id := s.upload("k", "X-Amz-Checksum-Algorithm: CRC32")
	bare := s.do("PUT", path("k")+"?partNumber=1&uploadId="+id, "x")
	s.want("part without", bare, 400, "InvalidRequest")
	if bare.element("Message") != "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: null" {
		t.Errorf("%s", bare.body)
	}
	one := s.do("PUT", path("k")+"?partNumber=1&uploadId="+id, "x", "X-Amz-Checksum-Crc32: jNwWgw==")
	s.want("part", one, 200, "")
	complete := func(more string) answer {
		return s.do("POST", path("k")+"?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+
			one.header.Get("Etag")+"</ETag>"+more+"</Part></CompleteMultipartUpload>")
	}
	a := complete("")
	s.want("without", a, 400, "InvalidRequest")
	if a.element("Message") != "The upload was created using a crc32 checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request." {
		t.Errorf("%s", a.body)
	}
	s.want("wrong", complete("<ChecksumCRC32>AAAAAA==</ChecksumCRC32>"), 400, "InvalidPart")
	s.want("other", complete("<ChecksumSHA1>EfatjsUqKYSrqv18O1FlA3hcIHI=</ChecksumSHA1>"), 400, "InvalidPart")
	s.want("with", complete("<ChecksumCRC32>jNwWgw==</ChecksumCRC32>"), 200, "")
	id = s.upload("k", "X-Amz-Checksum-Algorithm: CRC32", "X-Amz-Checksum-Type: FULL_OBJECT")
	s.want("part", s.do("PUT", path("k")+"?partNumber=1&uploadId="+id, "x"), 200, "")
	whole := func(header string) answer {
		return s.do("POST", path("k")+"?uploadId="+id, completeBody(one.header.Get("Etag")), header)
	}
	s.want("another's sum", whole("X-Amz-Checksum-Crc32: AAAAAA=="), 400, "BadDigest")
	s.want("another algorithm's", whole("X-Amz-Checksum-Sha1: EfatjsUqKYSrqv18O1FlA3hcIHI="), 400, "InvalidRequest")
	s.want("of the whole object", whole("X-Amz-Checksum-Crc32: jNwWgw=="), 200, "")
}

func TestCompleteWithMetadata(t *testing.T) {
	s := newScene(t, servertest.Options{})
	if _, err := s.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: aws.String(bucket), OwnershipControls: &types.OwnershipControls{
		Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}}}}); err != nil {
		t.Fatal(err)
	}
	begin := func() (id, body string) {
		id = s.upload("k", "X-Amz-Meta-Old: 1", "Content-Type: text/old", "Cache-Control: old", "X-Amz-Storage-Class: STANDARD_IA",
			"X-Amz-Tagging: color=red", "X-Amz-Server-Side-Encryption: AES256", "X-Amz-Website-Redirect-Location: /there", "X-Amz-Acl: public-read")
		part := s.do("PUT", path("k")+"?partNumber=1&uploadId="+id, "one")
		s.want("part", part, 200, "")
		return id, completeBody(part.header.Get("Etag"))
	}
	replace := []string{"X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-New: 2", "Content-Type: text/new", "Content-Language: de",
		"X-Amz-Storage-Class: GLACIER", "X-Amz-Tagging: color=blue", "X-Amz-Website-Redirect-Location: /elsewhere"}
	id, body := begin()
	complete := func(headers ...string) answer { return s.do("POST", path("k")+"?uploadId="+id, body, headers...) }
	s.want("too large", complete("X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-A: "+strings.Repeat("x", 2048)), 400, "MetadataTooLarge")
	s.want("unknown directive", complete("X-Amz-Metadata-Directive: MERGE"), 400, "InvalidArgument")
	replaced := complete(replace...)
	s.want("replace", replaced, 200, "")
	if got := replaced.header.Get("X-Amz-Metadata-Directive"); got != "REPLACE" {
		t.Errorf("the answer says %q of the metadata", got)
	}
	check := func(want map[string]string) {
		t.Helper()
		h := s.do("HEAD", path("k"), "")
		for name, value := range want {
			if got := h.header.Get(name); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
	}
	check(map[string]string{"X-Amz-Meta-Old": "", "X-Amz-Meta-New": "2", "Content-Type": "text/new", "Cache-Control": "", "Content-Language": "de",
		"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Tagging-Count": "1", "X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Website-Redirect-Location": "/there"})
	if tags := s.do("GET", path("k")+"?tagging", "").body; !strings.Contains(tags, "red") {
		t.Errorf("the tags are %s", tags)
	}
	if list := s.do("GET", path("k")+"?acl", "").body; !strings.Contains(list, "AllUsers") {
		t.Errorf("the ACL is %s", list)
	}
	s.want("again", complete(replace...), 200, "")
	s.want("again, with other metadata", complete("X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-New: 3"), 404, "NoSuchUpload")
	s.want("again, as it was begun", complete(), 200, "")

	id, body = begin()
	kept := complete("X-Amz-Meta-New: 2", "X-Amz-Metadata-Directive: COPY")
	s.want("keep", kept, 200, "")
	if got := kept.header.Get("X-Amz-Metadata-Directive"); got != "" {
		t.Errorf("where nothing is replaced, the answer says %q of the metadata", got)
	}
	check(map[string]string{"X-Amz-Meta-Old": "1", "X-Amz-Meta-New": "", "Content-Type": "text/old", "Cache-Control": "old"})
	id, body = begin()
	s.want("nothing but the directive", complete("X-Amz-Metadata-Directive: REPLACE"), 200, "")
	check(map[string]string{"X-Amz-Meta-Old": "", "Cache-Control": "", "Content-Type": "binary/octet-stream"})
}
