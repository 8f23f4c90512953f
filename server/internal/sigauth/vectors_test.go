package sigauth

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

const exampleScope = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"

// The examples of "Transferring Payload in a Single Chunk" and of "Using Query Parameters".
func TestV4ExamplesOfAWS(t *testing.T) {
	for _, c := range []struct {
		name, head, body string
		kind             Kind
	}{
		{"GET Object", `
GET /test.txt HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256 ` + exampleScope + `,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41
Range: bytes=0-9
x-amz-content-sha256: ` + emptySHA256 + `
x-amz-date: 20130524T000000Z`, "", V4},
		{"PUT Object", `
PUT /test$file.text HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Content-Length: 21
Date: Fri, 24 May 2013 00:00:00 GMT
Authorization: AWS4-HMAC-SHA256 ` + exampleScope + `, SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072`, "Welcome to Amazon S3.", V4},
		{"GET Bucket Lifecycle", `
GET /?lifecycle HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256 ` + exampleScope + `, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543
x-amz-date: 20130524T000000Z
x-amz-content-sha256: ` + emptySHA256, "", V4},
		{"List Objects", `
GET /?max-keys=2&prefix=J HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256 ` + exampleScope + `, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7
x-amz-date: 20130524T000000Z
x-amz-content-sha256: ` + emptySHA256, "", V4},
		{"presigned GET Object", `
GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1
Host: examplebucket.s3.amazonaws.com`, "", V4Presigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, c.head, []byte(c.body))
			id, p, err := verifierAt(exampleTime()).Authenticate(r)
			if err != nil {
				t.Fatal(err)
			}
			if id.AccessKey != exampleKey || id.Account != "example" || id.Anonymous || id.Signature != c.kind || id.SecretKey != "" {
				t.Errorf("identity %#v %+v", id.Credential, id)
			}
			if got, err := readBody(t, p, r); err != nil || string(got) != c.body {
				t.Errorf("body %q, %v", got, err)
			}
		})
	}
}

const exampleChunkedHead = `
PUT /examplebucket/chunkObject.txt HTTP/1.1
Host: s3.amazonaws.com
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
Authorization: AWS4-HMAC-SHA256 ` + exampleScope + `, SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class, Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD
Content-Encoding: aws-chunked
x-amz-decoded-content-length: 66560
Content-Length: 66824`

func exampleChunkedBody() []byte {
	return chunks(
		chunk{bytes.Repeat([]byte("a"), 65536), "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
		chunk{bytes.Repeat([]byte("a"), 1024), "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
		chunk{nil, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"})
}

type chunk struct {
	data      []byte
	signature string
}

// chunks frames all of them. The last one should have no data: it lacks the line end after the data.
func chunks(list ...chunk) []byte {
	var b bytes.Buffer
	for i, c := range list {
		fmt.Fprintf(&b, "%x", len(c.data))
		if c.signature != "" {
			b.WriteString(";chunk-signature=" + c.signature)
		}
		b.WriteString("\r\n")
		b.Write(c.data)
		if i < len(list)-1 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// The example of "Transferring Payload in Multiple Chunks".
func TestChunkedExampleOfAWS(t *testing.T) {
	body := exampleChunkedBody()
	r := parse(t, exampleChunkedHead, body)
	if r.ContentLength != int64(len(body)) {
		t.Fatalf("the body has %d bytes, the example says %d", len(body), r.ContentLength)
	}
	_, p, err := verifierAt(exampleTime()).Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	if p.DecodedLength() != 66560 || !p.Chunked() {
		t.Errorf("decoded length %d", p.DecodedLength())
	}
	got, err := readBody(t, p, r)
	if err != nil || !bytes.Equal(got, bytes.Repeat([]byte("a"), 66560)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if p.Trailer() != nil {
		t.Errorf("trailer %v", p.Trailer())
	}
}

// The example of "Including Trailing Headers".
const exampleTrailerHead = `
PUT /examplebucket/chunkObject.txt HTTP/1.1
Host: s3.amazonaws.com
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
Authorization: AWS4-HMAC-SHA256 ` + exampleScope + `, SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer, Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
Content-Encoding: aws-chunked
x-amz-decoded-content-length: 66560
x-amz-trailer: x-amz-checksum-crc32c
Transfer-Encoding: chunked`

func exampleTrailerChunks() []chunk {
	return []chunk{
		{bytes.Repeat([]byte("a"), 65536), "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"},
		{bytes.Repeat([]byte("a"), 1024), "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"},
		{nil, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
	}
}

func httpChunked(body []byte) []byte {
	return fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

func TestTrailerExampleOfAWS(t *testing.T) {
	const (
		sum = "x-amz-checksum-crc32c:sOO8/Q=="
		sig = "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
	)
	for name, trailer := range map[string]string{
		"CRLF":                        sum + "\r\n" + sig + "\r\n\r\n",
		"as minio-go writes it":       sum + "\n\r\n" + sig + "\r\n\r\n",
		"after an empty line":         "\r\n" + sum + "\r\n" + sig + "\r\n\r\n",
		"without the last empty line": sum + "\r\n" + sig + "\r\n",
		"with a space after colon":    "x-amz-checksum-crc32c: sOO8/Q==\r\n" + sig + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			body := chunks(exampleTrailerChunks()...)
			body = append(body[:len(body)-2], trailer...) // the empty line comes after the trailer
			r := parse(t, exampleTrailerHead, httpChunked(body))
			_, p, err := verifierAt(exampleTime()).Authenticate(r)
			if err != nil {
				t.Fatal(err)
			}
			e, err := NewExpect(r.Header, p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readBody(t, p, r)
			if err != nil || len(got) != 66560 {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if v := p.Trailer().Get("x-amz-checksum-crc32c"); v != "sOO8/Q==" {
				t.Errorf("trailer %q", v)
			}
			if err := e.Verify(nil, sumOf(e.Algorithm(), got)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The examples of "Signing and authenticating REST requests", in the wording of its older editions. (The newer one
// signs the x-amz-date of its DELETE as if it were the Date, against its own rules.)
func TestV2ExamplesOfAWS(t *testing.T) {
	const auth = "\nAuthorization: AWS AKIAIOSFODNN7EXAMPLE:"
	for _, c := range []struct {
		name, head, date string
	}{
		{"object GET", `
GET /photos/puppy.jpg HTTP/1.1
Host: johnsmith.s3.amazonaws.com
Date: Tue, 27 Mar 2007 19:36:42 +0000` + auth + `bWq2s1WEIj+Ydj0vQ697zp+IXMU=`, "2007-03-27T19:36:42Z"},
		{"object PUT", `
PUT /photos/puppy.jpg HTTP/1.1
Content-Type: image/jpeg
Content-Length: 94328
Host: johnsmith.s3.amazonaws.com
Date: Tue, 27 Mar 2007 21:15:45 +0000` + auth + `MyyxeRY7whkBe+bq8fHCL/2kKUg=`, "2007-03-27T21:15:45Z"},
		{"list", `
GET /?prefix=photos&max-keys=50&marker=puppy HTTP/1.1
User-Agent: Mozilla/5.0
Host: johnsmith.s3.amazonaws.com
Date: Tue, 27 Mar 2007 19:42:41 +0000` + auth + `htDYFYduRNen8P9ZfE/s9SuKy0U=`, "2007-03-27T19:42:41Z"},
		{"fetch acl", `
GET /?acl HTTP/1.1
Host: johnsmith.s3.amazonaws.com
Date: Tue, 27 Mar 2007 19:44:46 +0000` + auth + `c2WLPFtWHVgbEmeEG93a4cG37dM=`, "2007-03-27T19:44:46Z"},
		{"delete with x-amz-date", `
DELETE /johnsmith/photos/puppy.jpg HTTP/1.1
User-Agent: dotnet
Host: s3.amazonaws.com
Date: Tue, 27 Mar 2007 21:20:27 +0000
x-amz-date: Tue, 27 Mar 2007 21:20:26 +0000
Authorization: AWS 0PN5J17HBGZHT7JJ3X82:k3nL7gH3+PadhTEVn5Ip83xlYzk=`, "2007-03-27T21:20:26Z"},
		{"upload with headers in several lines", `
PUT /db-backup.dat.gz HTTP/1.1
User-Agent: curl/7.15.5
Host: Static.johnsmith.net.s3.amazonaws.com:8080
Date: Tue, 27 Mar 2007 21:06:08 +0000
x-amz-acl: public-read
content-type: application/x-download
Content-MD5: 4gJE4saaMU4BqNR0kLY+lw==
X-Amz-Meta-ReviewedBy: joe@johnsmith.net
X-Amz-Meta-ReviewedBy: jane@johnsmith.net
X-Amz-Meta-FileChecksum: 0x02661779
X-Amz-Meta-ChecksumAlgorithm: crc32
Content-Disposition: attachment; filename=database.dat
Content-Encoding: gzip
Content-Length: 5913339` + auth + `ilyl83RwaSoYIEdixDQcA4OnAnc=`, "2007-03-27T21:06:08Z"},
		{"list all my buckets", `
GET / HTTP/1.1
Host: s3.amazonaws.com
Date: Wed, 28 Mar 2007 01:29:59 +0000` + auth + `qGdzdERIC03wnaRNKh6OqZehG9s=`, "2007-03-28T01:29:59Z"},
		{"unicode key", `
GET /dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re HTTP/1.1
Host: s3.amazonaws.com
Date: Wed, 28 Mar 2007 01:49:49 +0000` + auth + `DNEZGsoieTZ92F3bUfSPQcbGmlM=`, "2007-03-28T01:49:49Z"},
		{"presigned GET", `
GET /photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620 HTTP/1.1
Host: johnsmith.s3.amazonaws.com`, "2007-03-28T01:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, c.date)
			if err != nil {
				t.Fatal(err)
			}
			r := parse(t, c.head, nil)
			if _, _, err := verifierAt(now, "s3.amazonaws.com").Authenticate(r); err != nil {
				t.Error(err)
			}
		})
	}
}
