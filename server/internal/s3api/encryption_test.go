package s3api_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/server"
	"pail/server/servertest"
)

// marker is what no encrypted object may leave on disk.
const marker = "plaintext that must never be on disk"

const sseHeader = "X-Amz-Server-Side-Encryption"

// customerKey gives the three headers of a customer's key of that byte, below prefix.
func customerKey(prefix string, b byte) []string {
	key := bytes.Repeat([]byte{b}, 32)
	sum := md5.Sum(key)
	return []string{prefix + "Customer-Algorithm: AES256", prefix + "Customer-Key: " + base64.StdEncoding.EncodeToString(key),
		prefix + "Customer-Key-Md5: " + base64.StdEncoding.EncodeToString(sum[:])}
}

func keyOf(b byte) []string       { return customerKey("X-Amz-Server-Side-Encryption-", b) }
func sourceKeyOf(b byte) []string { return customerKey("X-Amz-Copy-Source-Server-Side-Encryption-", b) }

func kmsFile(t *testing.T, names ...string) string {
	t.Helper()
	var text strings.Builder
	for i, name := range names {
		fmt.Fprintf(&text, "%s:%s\n", name, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(i + 1)}, 32)))
	}
	path := filepath.Join(t.TempDir(), "kms-keys")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantHeaders checks headers "Name: value"; "Name:" must not be there.
func (s *scene) wantHeaders(what string, a answer, headers ...string) {
	s.Helper()
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if got := a.header.Get(name); got != strings.TrimSpace(value) {
			s.Errorf("%s: %s is %q, want %q", what, name, got, value)
		}
	}
}

func concat(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// longText begins with the marker and is long enough for a file of its own.
func longText(n int) string { return strings.Repeat(marker+"\n", n/len(marker)+1)[:n] }

// TestEncryptedObjects puts objects of all kinds of encryption, and reads them whole, in ranges and by their head.
func TestEncryptedObjects(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t, servertest.Options{Dir: dir, KMSKeys: kmsFile(t, "my/key")})
	arn := "arn:aws:kms:us-east-1:123456789012:key/my/key"
	for _, c := range []struct {
		name        string
		put, get    []string
		shown       []string
		opaque      bool // the ETag is not the MD5
		withContext bool
	}{
		{"plain", nil, nil, []string{sseHeader + ":"}, false, false},
		{"s3", []string{sseHeader + ": AES256"}, nil, []string{sseHeader + ": AES256"}, false, false},
		{"kms", []string{sseHeader + ": aws:kms", sseHeader + "-Aws-Kms-Key-Id: " + arn, sseHeader + "-Bucket-Key-Enabled: true",
			sseHeader + "-Context: eyJhIjoiYiJ9"}, nil,
			[]string{sseHeader + ": aws:kms", sseHeader + "-Aws-Kms-Key-Id: " + arn, sseHeader + "-Bucket-Key-Enabled: true"}, true, true},
		{"kms-default", []string{sseHeader + ": aws:kms"}, nil,
			[]string{sseHeader + ": aws:kms", sseHeader + "-Aws-Kms-Key-Id: arn:aws:kms:us-east-1:123456789012:alias/aws/s3"}, true, false},
		{"customer", keyOf(1), keyOf(1), append([]string{sseHeader + ":"}, keyOf(1)[0], keyOf(1)[2]), true, false},
	} {
		for _, size := range []int{0, 100, 300_000} {
			key, text := path(fmt.Sprintf("%s-%d", c.name, size)), longText(size)
			put := s.do("PUT", key, text, c.put...)
			s.want(key, put, 200, "")
			s.wantHeaders(key, put, c.shown...)
			if c.withContext {
				s.wantHeaders(key, put, sseHeader+"-Context: eyJhIjoiYiJ9")
			}
			if plain := fmt.Sprintf(`"%x"`, md5.Sum([]byte(text))); (put.header.Get("ETag") == plain) == c.opaque {
				t.Errorf("%s: ETag %s, MD5 %s", key, put.header.Get("ETag"), plain)
			}
			get := s.do("GET", key, "", append([]string{"X-Amz-Checksum-Mode: ENABLED"}, c.get...)...)
			if get.status != 200 || get.body != text || get.header.Get("X-Amz-Checksum-Crc64nvme") == "" {
				t.Errorf("%s: GET %d, %d bytes, %v", key, get.status, len(get.body), get.header)
			}
			head := s.do("HEAD", key, "", c.get...)
			s.wantHeaders(key+" GET", get, append(c.shown, sseHeader+"-Context:")...)
			s.wantHeaders(key+" HEAD", head, append(c.shown, fmt.Sprint("Content-Length: ", size), "ETag: "+put.header.Get("ETag"))...)
			if size > 1000 {
				for _, r := range [][2]int{{0, 0}, {5, 131_060}, {131_050, 131_070}, {size - 3, size - 1}} {
					a := s.do("GET", key, "", append([]string{fmt.Sprintf("Range: bytes=%d-%d", r[0], r[1])}, c.get...)...)
					if a.status != 206 || a.body != text[r[0]:r[1]+1] {
						t.Errorf("%s: range %v: %d, %d bytes", key, r, a.status, len(a.body))
					}
				}
			}
			attributes := s.do("GET", key+"?attributes", "", append([]string{"X-Amz-Object-Attributes: ObjectSize,ETag"}, c.get...)...)
			if attributes.element("ObjectSize") != fmt.Sprint(size) || `"`+attributes.element("ETag")+`"` != put.header.Get("ETag") {
				t.Errorf("%s: attributes %s", key, attributes.body)
			}
		}
	}
	s.do("DELETE", path("plain-100"), "")
	s.do("DELETE", path("plain-300000"), "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The deleted ones may still be in the database's log, so only files of data are looked at for them.
	noPlaintext(t, filepath.Join(dir, "data"))
}

// noPlaintext looks for the marker in all files below dir.
func noPlaintext(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(marker[:12])) {
			t.Errorf("%s has unencrypted bytes", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files looked at, %v", files, err)
	}
}

// TestNoPlaintextOnDisk does all that makes bytes of an encrypted object, and looks for them on disk.
func TestNoPlaintextOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t, servertest.Options{Dir: dir, Encrypt: true})
	for _, how := range [][]string{nil, {sseHeader + ": aws:kms"}, keyOf(1)} {
		name := fmt.Sprint("k", len(how))
		var source []string
		if len(how) == 3 {
			source = sourceKeyOf(1)
		}
		for _, size := range []int{200, 70_000, 300_000} {
			k := fmt.Sprint(name, "-", size)
			s.want("put", s.do("PUT", path(k), longText(size), how...), 200, "")
			s.want("copy", s.do("PUT", path(k+"-copy"), "", concat([]string{"X-Amz-Copy-Source: " + path(k), sseHeader + ": AES256"}, source)...), 200, "")
			s.want("append", s.do("PUT", path(k), longText(100), append([]string{fmt.Sprint("X-Amz-Write-Offset-Bytes: ", size)}, how...)...), 200, "")
			s.want("rename", s.do("PUT", path(k+"-renamed")+"?renameObject", "", "X-Amz-Rename-Source: "+k), 200, "")
			if got := s.do("GET", path(k+"-renamed"), "", keysOnly(how)...); got.body != longText(size)+longText(100) {
				t.Errorf("%s after append and rename: %d, %d bytes", k, got.status, len(got.body))
			}
			if got := s.do("GET", path(k+"-copy"), ""); got.body != longText(size) {
				t.Errorf("%s copied: %d, %d bytes", k, got.status, len(got.body))
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	noPlaintext(t, dir)
}

// keysOnly are the headers that a GET may have.
func keysOnly(how []string) []string {
	if len(how) == 3 {
		return how
	}
	return nil
}

func TestCustomerKeys(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("put", s.do("PUT", path("k"), "secret", keyOf(1)...), 200, "")
	s.want("plain", s.do("PUT", path("plain"), "x"), 200, "")
	k := keyOf(1)
	for _, c := range []struct {
		what    string
		headers []string
		status  int
		code    string
	}{
		{"no algorithm", k[1:], 400, "InvalidArgument"},
		{"no key", []string{k[0], k[2]}, 400, "InvalidArgument"},
		{"no MD5", k[:2], 400, "InvalidArgument"},
		{"another MD5", []string{k[0], k[1], keyOf(2)[2]}, 400, "InvalidArgument"},
		{"a short key", []string{k[0], "X-Amz-Server-Side-Encryption-Customer-Key: c2hvcnQ=", k[2]}, 400, "InvalidArgument"},
		{"no base64", []string{k[0], "X-Amz-Server-Side-Encryption-Customer-Key: !", k[2]}, 400, "InvalidArgument"},
		{"an algorithm", []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES128", k[1], k[2]}, 400, "InvalidEncryptionAlgorithmError"},
		{"two kinds", append([]string{sseHeader + ": AES256"}, k...), 400, "InvalidArgument"},
		{"two kinds", append([]string{sseHeader + "-Aws-Kms-Key-Id: x"}, k...), 400, "InvalidArgument"},
	} {
		a := s.do("PUT", path("k2"), "x", c.headers...)
		s.want(c.what, a, c.status, c.code)
		if strings.Contains(a.body, k[1][len(k[1])-20:]) {
			t.Errorf("%s: the answer has the key", c.what)
		}
	}
	for _, method := range []string{"GET", "HEAD"} {
		if a := s.do(method, path("k"), ""); a.status != 400 || method == "GET" && a.code() != "InvalidRequest" {
			t.Errorf("%s without key: %d %s", method, a.status, a.code())
		}
		if a := s.do(method, path("k"), "", keyOf(2)...); a.status != 403 {
			t.Errorf("%s with another key: %d", method, a.status)
		}
		if a := s.do(method, path("plain"), "", keyOf(1)...); a.status != 400 {
			t.Errorf("%s of a plain object with a key: %d", method, a.status)
		}
	}
	s.want("attributes", s.do("GET", path("k")+"?attributes", "", "X-Amz-Object-Attributes: ETag"), 400, "InvalidRequest")
	s.want("tags need no key", s.do("GET", path("k")+"?tagging", ""), 200, "")
	s.want("delete with a key", s.do("DELETE", path("plain"), "", keyOf(1)...), 400, "InvalidArgument")
	s.want("get with an encryption", s.do("GET", path("k"), "", sseHeader+": AES256"), 400, "InvalidArgument")
	s.want("list", s.do("GET", "/bucket?list-type=2&metadata=true", ""), 200, "")
	s.want("delete", s.do("DELETE", path("k"), ""), 204, "")
}

func TestCopiesOfEncryptedObjects(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t, servertest.Options{Dir: dir, KMSKeys: kmsFile(t, "a", "b")})
	text := longText(300_000)
	kms := func(name string) []string {
		return []string{sseHeader + ": aws:kms", sseHeader + "-Aws-Kms-Key-Id: " + name}
	}
	hows := map[string][]string{"plain": nil, "s3": {sseHeader + ": AES256"}, "a": kms("a"), "b": kms("alias/b"), "c1": keyOf(1), "c2": keyOf(2)}
	source := map[string][]string{"c1": sourceKeyOf(1), "c2": sourceKeyOf(2)}
	for name, how := range hows {
		s.want("put", s.do("PUT", path(name), text, how...), 200, "")
	}
	files := func() int {
		list, err := filepath.Glob(filepath.Join(dir, "data", "blobs", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for from := range hows {
		for to, how := range hows {
			before, key := files(), path(from+"-"+to)
			a := s.do("PUT", key, "", concat([]string{"X-Amz-Copy-Source: " + path(from)}, how, source[from])...)
			s.want(key, a, 200, "")
			if by := files() - before; (by == 0) != (from == to) {
				t.Errorf("%s: %d new files", key, by)
			}
			want := ""
			if how != nil && len(how) < 3 {
				_, want, _ = strings.Cut(how[0], ": ")
			}
			s.wantHeaders(key, a, sseHeader+": "+want)
			got := s.do("GET", key, "", append([]string{"X-Amz-Checksum-Mode: ENABLED"}, keysOnly(how)...)...)
			if got.body != text || got.header.Get("X-Amz-Checksum-Crc64nvme") == "" {
				t.Errorf("%s: %d, %d bytes, %v", key, got.status, len(got.body), got.header)
			}
		}
	}
	from := "X-Amz-Copy-Source: " + path("c1")
	s.want("no key of the source", s.do("PUT", path("x"), "", from), 400, "InvalidRequest")
	s.want("a wrong key of the source", s.do("PUT", path("x"), "", append([]string{from}, sourceKeyOf(2)...)...), 403, "AccessDenied")
	s.want("a needless key of the source", s.do("PUT", path("x"), "", append([]string{"X-Amz-Copy-Source: " + path("s3")}, sourceKeyOf(2)...)...), 400, "InvalidRequest")
	s.want("a put has no source", s.do("PUT", path("x"), "", sourceKeyOf(2)...), 400, "InvalidArgument")
	self := "X-Amz-Copy-Source: " + path("plain")
	s.want("onto itself", s.do("PUT", path("plain"), "", self), 400, "InvalidRequest")
	s.want("onto itself, encrypted", s.do("PUT", path("plain"), "", self, sseHeader+": AES256"), 200, "")
	s.wantHeaders("onto itself", s.do("HEAD", path("plain"), ""), sseHeader+": AES256")
	s.want("no such key", s.do("PUT", path("x"), "", append([]string{self}, kms("none")...)...), 400, "KMS.NotFoundException")
}

func TestMultipartUploadsAreEncrypted(t *testing.T) {
	s := newScene(t, servertest.Options{KMSKeys: kmsFile(t, "a")})
	text := longText(5<<20 + 1000)
	s.want("source", s.do("PUT", path("source"), text, keyOf(1)...), 200, "")
	s.want("plain", s.do("PUT", path("plain"), text), 200, "")
	for name, how := range map[string][]string{"s3": {sseHeader + ": AES256"}, "kms": {sseHeader + ": aws:kms", sseHeader + "-Aws-Kms-Key-Id: a"}, "customer": keyOf(1)} {
		key := path(name)
		a := s.do("POST", key+"?uploads", "", how...)
		s.want(name, a, 200, "")
		shown := sseHeader + ": "
		if len(how) < 3 {
			shown = how[0]
		}
		s.wantHeaders(name, a, shown)
		upload := key + "?uploadId=" + a.element("UploadId") + "&partNumber="
		own := keysOnly(how)
		part := s.do("PUT", upload+"1", text, own...)
		s.want(name, part, 200, "")
		s.wantHeaders(name+" part", part, shown)
		var tags []string
		tags = append(tags, part.header.Get("ETag"))
		for i, src := range [][]string{append([]string{"X-Amz-Copy-Source: " + path("source"), "X-Amz-Copy-Source-Range: bytes=10-5242899"}, sourceKeyOf(1)...),
			{"X-Amz-Copy-Source: " + path("plain"), "X-Amz-Copy-Source-Range: bytes=0-5242999"}} {
			a := s.do("PUT", fmt.Sprint(upload, i+2), "", concat(src, own)...)
			s.want(name+" part copy", a, 200, "")
			s.wantHeaders(name+" part copy", a, shown)
			tags = append(tags, a.element("ETag"))
		}
		s.want("a part with an encryption", s.do("PUT", upload+"4", "x", sseHeader+": AES256"), 400, "InvalidArgument")
		if name == "customer" {
			s.want("a part without key", s.do("PUT", upload+"4", "x"), 400, "InvalidRequest")
			s.want("a part with another key", s.do("PUT", upload+"4", "x", keyOf(2)...), 400, "InvalidRequest")
			s.want("a copied part without key", s.do("PUT", upload+"4", "", "X-Amz-Copy-Source: "+path("plain")), 400, "InvalidRequest")
		} else {
			s.want("a part with a key", s.do("PUT", upload+"4", "x", keyOf(1)...), 400, "InvalidRequest")
		}
		var body strings.Builder
		for i, tag := range tags {
			fmt.Fprintf(&body, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, strings.ReplaceAll(tag, `"`, "&quot;"))
		}
		done := s.do("POST", key+"?uploadId="+a.element("UploadId"), "<CompleteMultipartUpload>"+body.String()+"</CompleteMultipartUpload>", own...)
		s.want(name, done, 200, "")
		s.wantHeaders(name+" complete", done, shown)
		want := text + text[10:5242900] + text[:5243000]
		if got := s.do("GET", key, "", own...); got.body != want {
			t.Errorf("%s: %d, %d bytes of %d", name, got.status, len(got.body), len(want))
		}
		if got := s.do("GET", key+"?partNumber=2", "", own...); got.status != 206 || got.body != text[10:5242900] {
			t.Errorf("%s: part 2: %d, %d bytes", name, got.status, len(got.body))
		}
		if got := s.do("GET", key, "", append([]string{"Range: bytes=5243800-10487000"}, own...)...); got.body != want[5243800:10487001] {
			t.Errorf("%s: a range: %d, %d bytes", name, got.status, len(got.body))
		}
	}
}

func encryptionDoc(algorithm, more string) string {
	return "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + algorithm + "</SSEAlgorithm>" + more + "</Rule></ServerSideEncryptionConfiguration>"
}

func TestBucketEncryption(t *testing.T) {
	s := newScene(t, servertest.Options{KMSKeys: kmsFile(t, "a")})
	const end, target = "</ApplyServerSideEncryptionByDefault>", "/bucket?encryption"
	for _, bad := range []string{encryptionDoc("AES128", end), "<ServerSideEncryptionConfiguration/>", encryptionDoc("AES256", end+"<Other/>"),
		encryptionDoc("AES256", end+"<BucketKeyEnabled>maybe</BucketKeyEnabled>")} {
		s.want(bad, s.do("PUT", target, bad), 400, "MalformedXML")
	}
	s.want("a key of AES256", s.do("PUT", target, encryptionDoc("AES256", "<KMSMasterKeyID>a</KMSMasterKeyID>"+end)), 400, "InvalidArgument")
	s.want("two layers", s.do("PUT", target, encryptionDoc("aws:kms:dsse", end)), 501, "NotImplemented")
	s.want("none yet", s.do("GET", target, ""), 404, "ServerSideEncryptionConfigurationNotFoundError")

	s.want("put", s.do("PUT", target, encryptionDoc("AES256", end)), 200, "")
	if got := s.do("GET", target, ""); got.element("SSEAlgorithm") != "AES256" || got.element("BucketKeyEnabled") != "false" {
		t.Error(got.body)
	}
	s.wantHeaders("AES256", s.do("PUT", path("k"), "x"), sseHeader+": AES256")
	s.wantHeaders("a copy", s.do("PUT", path("k2"), "", "X-Amz-Copy-Source: "+path("k")), sseHeader+": AES256")
	s.wantHeaders("an upload", s.do("POST", path("k3")+"?uploads", ""), sseHeader+": AES256")

	s.want("put", s.do("PUT", target, encryptionDoc("aws:kms", "<KMSMasterKeyID>a</KMSMasterKeyID>"+end+"<BucketKeyEnabled>true</BucketKeyEnabled>")), 200, "")
	kms := []string{sseHeader + ": aws:kms", sseHeader + "-Aws-Kms-Key-Id: arn:aws:kms:us-east-1:123456789012:key/a", sseHeader + "-Bucket-Key-Enabled: true"}
	s.wantHeaders("kms", s.do("PUT", path("k"), "x"), kms...)
	s.wantHeaders("kms", s.do("GET", path("k"), ""), kms...)
	s.wantHeaders("the old copy", s.do("GET", path("k2"), ""), sseHeader+": AES256")
	s.wantHeaders("the request says otherwise", s.do("PUT", path("k"), "x", sseHeader+": AES256"), sseHeader+": AES256", sseHeader+"-Aws-Kms-Key-Id:")
	s.wantHeaders("a customer's key", s.do("PUT", path("k"), "x", keyOf(1)...), sseHeader+":")
	s.want("a key that is not there", s.do("PUT", target, encryptionDoc("aws:kms", "<KMSMasterKeyID>none</KMSMasterKeyID>"+end)), 200, "")
	s.want("its use", s.do("PUT", path("k"), "x"), 400, "KMS.NotFoundException")

	s.want("blocked", s.do("PUT", target, encryptionDoc("AES256", end+"<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>")), 200, "")
	s.want("a customer's key", s.do("PUT", path("k"), "x", keyOf(1)...), 403, "AccessDenied")
	s.want("delete", s.do("DELETE", target, ""), 204, "")
	s.wantHeaders("none", s.do("PUT", path("k"), "x"), sseHeader+":")
	s.want("none", s.do("GET", target, ""), 404, "ServerSideEncryptionConfigurationNotFoundError")
}

func TestDefaultEncryptionOfTheServer(t *testing.T) {
	s := newScene(t, servertest.Options{Encrypt: true})
	if got := s.do("GET", "/bucket?encryption", ""); got.status != 200 || got.element("SSEAlgorithm") != "AES256" {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.want("none", s.do("GET", "/nobucket?encryption", ""), 404, "NoSuchBucket")
	s.wantHeaders("put", s.do("PUT", path("k"), "x"), sseHeader+": AES256")
}

func TestEncryptionArguments(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, c := range []struct {
		header string
		status int
		code   string
	}{
		{sseHeader + ": AES128", 400, "InvalidArgument"},
		{sseHeader + ": aws:kms:dsse", 501, "NotImplemented"},
		{sseHeader + "-Aws-Kms-Key-Id: a", 400, "InvalidArgument"},
		{sseHeader + ": aws:kms\n" + sseHeader + "-Aws-Kms-Key-Id: a", 400, "KMS.NotFoundException"},
		{sseHeader + ": aws:kms\n" + sseHeader + "-Aws-Kms-Key-Id: arn:aws:kms:elsewhere:1:key/a", 400, "InvalidArgument"},
		{sseHeader + ": aws:kms\n" + sseHeader + "-Aws-Kms-Key-Id: alias/aws/s3", 200, ""},
		{sseHeader + ": aws:kms\n" + sseHeader + "-Context: !", 400, "InvalidArgument"},
		{sseHeader + ": aws:kms\n" + sseHeader + "-Context: WzFd", 400, "InvalidArgument"},
		{sseHeader + ": aws:kms\n" + sseHeader + "-Bucket-Key-Enabled: x", 400, "InvalidArgument"},
	} {
		s.want(c.header, s.do("PUT", path("k"), "x", strings.Split(c.header, "\n")...), c.status, c.code)
	}
}

// A policy can ask for an encryption, and forms and presigned URLs can have one.
func TestEncryptionElsewhere(t *testing.T) {
	s := newScene(t, servertest.Options{})
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
		"Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}}]}`
	s.want("policy", s.do("PUT", "/bucket?policy", policy), 204, "")
	s.want("without", s.do("PUT", path("k"), "x"), 403, "AccessDenied")
	s.want("with another", s.do("PUT", path("k"), "x", sseHeader+": aws:kms"), 403, "AccessDenied")
	s.want("with it", s.do("PUT", path("k"), "x", sseHeader+": AES256"), 200, "")
	s.want("no policy", s.do("DELETE", "/bucket?policy", ""), 204, "")

	conditions := `["starts-with","$key",""],["starts-with","$x-amz-server-side-encryption",""]`
	fields := append(signedForm(conditions), "key: form", "x-amz-server-side-encryption: AES256")
	a := s.post("the file", fields...)
	s.want("form", a, 204, "")
	s.wantHeaders("form", a, sseHeader+": AES256")
	s.wantHeaders("form", s.do("HEAD", path("form"), ""), sseHeader+": AES256")

	signed, err := s3.NewPresignClient(s.s3).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("presigned"), ServerSideEncryption: "AES256"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(signed.Method, signed.URL, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range signed.SignedHeader {
		if name != "Host" && name != "Content-Length" {
			req.Header[name] = values
		}
	}
	s.wantHeaders("presigned", s.send(req), sseHeader+": AES256")

	for _, versioning := range []string{"Enabled", "Suspended"} {
		s.want("versioning", s.do("PUT", "/bucket?versioning", "<VersioningConfiguration><Status>"+versioning+"</Status></VersioningConfiguration>"), 200, "")
		first := s.do("PUT", path("v"), "one", keyOf(1)...).header.Get("X-Amz-Version-Id")
		s.want("second", s.do("PUT", path("v2"), "two", keyOf(2)...), 200, "")
		if a := s.do("GET", path("v")+"?versionId="+first, "", keyOf(1)...); a.body != "one" {
			t.Errorf("%s: version %s: %d %s", versioning, first, a.status, a.body)
		}
	}
}

// What is appended to an encrypted object is encrypted as it is.
func TestAppendsAreEncrypted(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, how := range [][]string{nil, {sseHeader + ": AES256"}, keyOf(1)} {
		key := path(fmt.Sprint("k", len(how)))
		own := keysOnly(how)
		s.want("put", s.do("PUT", key, "one ", how...), 200, "")
		for i, word := range []string{"two ", strings.Repeat("three ", 30_000)} {
			a := s.do("PUT", key, word, append([]string{fmt.Sprint("X-Amz-Write-Offset-Bytes: ", 4+4*i)}, own...)...)
			s.want("append", a, 200, "")
			if len(how) == 1 {
				s.wantHeaders("append", a, how...)
			}
		}
		if got := s.do("GET", key, "", own...); got.body != "one two "+strings.Repeat("three ", 30_000) {
			t.Errorf("%s: %d, %d bytes", key, got.status, len(got.body))
		}
		offset := "X-Amz-Write-Offset-Bytes: 180008"
		s.want("another encryption", s.do("PUT", key, "x", append([]string{offset, sseHeader + ": aws:kms"}, own...)...), 400,
			map[bool]string{true: "InvalidArgument", false: "InvalidRequest"}[len(own) > 0])
		s.want("another key", s.do("PUT", key, "x", append([]string{offset}, keyOf(2)...)...),
			map[bool]int{true: 403, false: 400}[len(own) > 0], map[bool]string{true: "AccessDenied", false: "InvalidRequest"}[len(own) > 0])
	}
	s.want("no key", s.do("PUT", path("k3"), "x", "X-Amz-Write-Offset-Bytes: 180008"), 400, "InvalidRequest")
}

// A new master key encrypts what comes, in a running server, and the old one is still needed for what was there.
func TestRotatedMasterKeys(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t, servertest.Options{Dir: dir, Encrypt: true})
	s.put("old", longText(100_000))
	name, err := server.RotateMasterKey(server.Options{MetadataDir: filepath.Join(dir, "metadata")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, servertest.Options{Dir: dir, Encrypt: true})
	s.put("new", longText(100_000))
	for _, k := range []string{"old", "new"} {
		if s.get(k) != longText(100_000) {
			t.Errorf("%s reads otherwise", k)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "metadata", "master-keys")
	b, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	only := b[bytes.Index(b, []byte(name)):]
	if err := os.WriteFile(keys, only, 0o600); err != nil {
		t.Fatal(err)
	}
	opt := server.Options{Keys: server.KeyList{{AccessKey: "a", SecretKey: "b"}}, DataDir: filepath.Join(dir, "data"), MetadataDir: filepath.Join(dir, "metadata")}
	if srv, err := server.New(opt); err == nil || !strings.Contains(err.Error(), "master-key-used") {
		t.Errorf("without a key that was used: %v %v", srv, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "metadata", "master-key-used"), []byte(name+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, servertest.Options{Dir: dir, Encrypt: true})
	s.get("new")
	if _, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("old")}); apiCode(err) != "InternalError" {
		t.Errorf("without its key: %v", err)
	}
}

// reopen is newScene for a directory that has the bucket.
func reopen(t *testing.T, opt servertest.Options) *scene {
	t.Helper()
	s := &scene{Server: servertest.New(t, opt), T: t}
	s.connect()
	return s
}

// fsck names the objects whose keys are lost, and is clean again when they are back.
func TestFsckOfLostKeys(t *testing.T) {
	dir := t.TempDir()
	opt := server.Options{DataDir: filepath.Join(dir, "data"), MetadataDir: filepath.Join(dir, "metadata"), KMSKeyFile: kmsFile(t, "a")}
	s := newScene(t, servertest.Options{Dir: dir, KMSKeys: opt.KMSKeyFile})
	for _, size := range []int{100, 100_000} {
		s.want("s3", s.do("PUT", path(fmt.Sprint("s3-", size)), longText(size), sseHeader+": AES256"), 200, "")
		s.want("kms", s.do("PUT", path(fmt.Sprint("kms-", size)), longText(size), sseHeader+": aws:kms", sseHeader+"-Aws-Kms-Key-Id: a"), 200, "")
		s.want("customer", s.do("PUT", path(fmt.Sprint("c-", size)), longText(size), keyOf(1)...), 200, "")
		s.want("plain", s.do("PUT", path(fmt.Sprint("p-", size)), longText(size)), 200, "")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	affected := func() string {
		r, err := server.Check(ctx, opt, nil)
		if err != nil || (len(r.Problems) == 0) != (len(r.Affected) == 0) {
			t.Fatal(r, err)
		}
		var names []string
		for _, a := range r.Affected {
			names = append(names, a.Key)
			if !strings.Contains(a.Err.Error(), "key") {
				t.Errorf("%s: %v", a, a.Err)
			}
		}
		return strings.Join(names, " ")
	}
	if got := affected(); got != "" {
		t.Errorf("with all keys: %s", got)
	}
	ring, keys := opt.KMSKeyFile, filepath.Join(opt.MetadataDir, "master-keys")
	opt.KMSKeyFile = ""
	if got := affected(); got != "kms-100 kms-100000" {
		t.Errorf("without the key ring: %s", got)
	}
	opt.KMSKeyFile = ring
	if err := os.Rename(keys, keys+".away"); err != nil {
		t.Fatal(err)
	}
	if got := affected(); got != "s3-100 s3-100000" {
		t.Errorf("without master keys: %s", got)
	}
	if err := os.WriteFile(ring, []byte("a:"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := affected(); got != "kms-100 kms-100000 s3-100 s3-100000" {
		t.Errorf("with another key of that name: %s", got)
	}
	if err := os.Rename(keys+".away", keys); err != nil {
		t.Fatal(err)
	}
	opt.KMSKeyFile = kmsFile(t, "a")
	if got := affected(); got != "" {
		t.Errorf("with all keys again: %s", got)
	}
}

// Over plain HTTP, keys are taken from the machine itself only.
func TestCustomerKeysNeedASecureConnection(t *testing.T) {
	elsewhere := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = "192.0.2.1:1234"
			h.ServeHTTP(w, r)
		})
	}
	for _, c := range []struct {
		opt    servertest.Options
		status int
		code   string
	}{
		{servertest.Options{}, 200, ""},
		{servertest.Options{Wrap: elsewhere}, 400, "InvalidRequest"},
		{servertest.Options{Wrap: elsewhere, TLS: true}, 200, ""},
		{servertest.Options{Wrap: elsewhere, InsecureCustomerKeys: true}, 200, ""},
	} {
		s := newScene(t, c.opt)
		s.want(fmt.Sprintf("%+v", c.opt), s.do("PUT", path("k"), "x", keyOf(1)...), c.status, c.code)
	}
}

// Keys of KMS need Signature V4, as nobody has.
func TestKMSNeedsSignatureV4(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("put", s.do("PUT", path("k"), "x", sseHeader+": aws:kms"), 200, "")
	s.want("plain", s.do("PUT", path("plain"), "x"), 200, "")
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*Object","Resource":"arn:aws:s3:::bucket/*"}]}`
	s.want("policy", s.do("PUT", "/bucket?policy", policy), 204, "")
	for _, method := range []string{"GET", "HEAD"} {
		if a := s.send(s.request(method, path("k"), "")); a.status != 400 {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
		if a := s.send(s.request(method, path("plain"), "")); a.status != 200 {
			t.Errorf("%s of a plain object: %d %s", method, a.status, a.body)
		}
	}
	s.want("put by nobody", s.send(s.request("PUT", path("k2"), "x", sseHeader+": aws:kms")), 400, "InvalidArgument")
}
