package s3api_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/minio/crc64nvme"

	"pail/server/servertest"
)

// crcOf is the header with the CRC64NVME of a body.
func crcOf(body string) string {
	var sum [8]byte
	for i, v := 7, crc64nvme.Checksum([]byte(body)); i >= 0; i, v = i-1, v>>8 {
		sum[i] = byte(v)
	}
	return "X-Amz-Checksum-Crc64nvme: " + base64.StdEncoding.EncodeToString(sum[:])
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return "Content-Md5: " + base64.StdEncoding.EncodeToString(sum[:])
}

// A client that asks for it gets ETags of parts that are no MD5s. All that the client says of the bytes is verified as ever.
func TestOpaqueETags(t *testing.T) {
	s := newScene(t, servertest.Options{})
	const asks, withCRC = "X-Pail-Etags: opaque", "X-Amz-Checksum-Algorithm: CRC64NVME"
	if got := s.do("HEAD", "/bucket", "").header.Get("X-Pail-Extensions"); !strings.Contains(got, ", opaque-etags,") {
		t.Errorf("not announced: %s", got)
	}
	begin := func(key string, headers ...string) answer { return s.do("POST", path(key)+"?uploads", "", headers...) }
	a := begin("k", asks, withCRC)
	s.wantHeaders("begin", a, asks)
	id := a.element("UploadId")
	part := func(n int, body string, headers ...string) answer {
		return s.do("PUT", fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path("k"), n, id), body, headers...)
	}
	long := string(content(partSize))
	one := part(1, long, crcOf(long))
	s.wantHeaders("part", one, crcOf(long))
	for what, again := range map[string]answer{
		"again": part(1, long, crcOf(long)), "again with its MD5": part(1, long, crcOf(long), md5Of(long)), "again with nothing": part(1, long),
	} {
		s.wantHeaders(what, again, "Etag: "+one.header.Get("Etag"))
	}
	s.want("a wrong MD5", part(2, "x", crcOf("x"), md5Of("y")), 400, "BadDigest")
	s.want("a wrong checksum", part(2, "x", crcOf("y"), md5Of("x")), 400, "BadDigest")
	two := part(2, "two", crcOf("two"))
	etags := []string{one.header.Get("Etag"), two.header.Get("Etag")}
	for i, body := range []string{long, "two"} {
		if want := fmt.Sprintf(`"%x"`, md5.Sum([]byte(body))); etags[i] == want || len(etags[i]) != len(want) {
			t.Errorf("the ETag of part %d is %s", i+1, etags[i])
		}
	}
	if list := s.do("GET", path("k")+"?uploadId="+id, "").body; !strings.Contains(list, strings.Trim(etags[0], `"`)) || !strings.Contains(list, strings.Trim(etags[1], `"`)) {
		t.Errorf("ListParts: %s", list)
	}
	s.want("another ETag", s.do("POST", path("k")+"?uploadId="+id, completeBody(etags[0], etags[0])), 400, "InvalidPart")
	done := s.do("POST", path("k")+"?uploadId="+id, completeBody(etags...))
	s.want("complete", done, 200, "")
	h := s.do("HEAD", path("k"), "").header
	etag := h.Get("Etag")
	if !strings.HasSuffix(etag, `-2"`) || !strings.Contains(done.body, strings.Trim(etag, `"`)) {
		t.Errorf("ETag %s, %s", etag, done.body)
	}
	if got := s.get("k"); got != long+"two" { // which verifies the checksum
		t.Errorf("%d bytes came back", len(got))
	}
	s.want("another version", s.do("GET", path("k"), "", `If-Match: "0123"`), 412, "PreconditionFailed")
	s.want("this version", s.do("GET", path("k"), "", "If-None-Match: "+etag), 304, "")
	s.want("replaced", s.do("PUT", path("k"), "new", "If-Match: "+etag), 200, "")
	s.want("replaced again", s.do("PUT", path("k"), "new", "If-Match: "+etag), 412, "PreconditionFailed")

	s.want("another kind", begin("k", "X-Pail-Etags: none", withCRC), 400, "InvalidArgument")
	s.want("no checksum", begin("k", asks), 400, "InvalidRequest")
	s.want("another checksum", begin("k", asks, "X-Amz-Checksum-Algorithm: SHA256"), 400, "InvalidRequest")
	if a = begin("k", withCRC); a.header["X-Pail-Etags"] != nil {
		t.Errorf("not asked for: %v", a.header)
	}
	id = a.element("UploadId")
	s.wantHeaders("not asked for", part(1, "x", crcOf("x")), fmt.Sprintf(`Etag: "%x"`, md5.Sum([]byte("x"))))
}

// Customers' keys and those of KMS hide the MD5, and who says it has it compared.
func TestMD5IsVerifiedWhereETagsHideIt(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, how := range [][]string{{sseHeader + ": aws:kms"}, keyOf(1)} {
		for _, body := range []string{"short", string(content(1 << 20))} {
			s.want("the right MD5", s.do("PUT", path("k"), body, append([]string{md5Of(body)}, how...)...), 200, "")
			s.want("another MD5", s.do("PUT", path("k"), body, append([]string{md5Of("another")}, how...)...), 400, "BadDigest")
			s.want("another MD5 of what is appended", s.do("PUT", path("k"), body, append([]string{md5Of("another"), fmt.Sprint("X-Amz-Write-Offset-Bytes: ", len(body))}, how...)...), 400, "BadDigest")
		}
	}
}
