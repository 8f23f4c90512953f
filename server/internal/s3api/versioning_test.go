package s3api_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

func (s *scene) versioning(status types.BucketVersioningStatus) {
	s.Helper()
	_, err := s.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: status}})
	if err != nil {
		s.Fatal(err)
	}
}

// getVersion reads a version, "" for the current one.
func (s *scene) getVersion(key, version string) (string, error) {
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	if version != "" {
		in.VersionId = aws.String(version)
	}
	out, err := s.s3.GetObject(ctx, in)
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	if version != "" && aws.ToString(out.VersionId) != version {
		s.Errorf("%q version %s calls itself %s", key, version, aws.ToString(out.VersionId))
	}
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

func (s *scene) delete(key, version string) *s3.DeleteObjectOutput {
	s.Helper()
	in := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	if version != "" {
		in.VersionId = aws.String(version)
	}
	out, err := s.s3.DeleteObject(ctx, in)
	if err != nil {
		s.Fatalf("delete %q version %q: %v", key, version, err)
	}
	return out
}

// versions lists "key id [marker] [latest]", in pages of that size.
func (s *scene) versions(page int32) (list []string) {
	s.Helper()
	p := s3.NewListObjectVersionsPaginator(s.s3, &s3.ListObjectVersionsInput{Bucket: aws.String(bucket), MaxKeys: aws.Int32(page)})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			s.Fatal(err)
		}
		if n := len(out.Versions) + len(out.DeleteMarkers); n > int(page) || aws.ToBool(out.IsTruncated) && n < int(page) {
			s.Errorf("a page of %d has %d versions", page, n)
		}
		for _, v := range out.Versions {
			list = append(list, fmt.Sprint(aws.ToString(v.Key), " ", aws.ToString(v.VersionId), " ", aws.ToBool(v.IsLatest)))
		}
		for _, v := range out.DeleteMarkers {
			list = append(list, fmt.Sprint(aws.ToString(v.Key), " ", aws.ToString(v.VersionId), " ", aws.ToBool(v.IsLatest), " marker"))
		}
	}
	return list
}

func TestVersioningStates(t *testing.T) {
	s := newScene(t, servertest.Options{})
	if a := s.do("GET", "/bucket?versioning", ""); strings.Contains(a.body, "<Status>") {
		t.Errorf("a new bucket's versioning: %s", a.body)
	}
	first := s.put("k", "one")
	if first.VersionId != nil {
		t.Errorf("version %q without versioning", *first.VersionId)
	}
	s.versioning("Enabled")
	if a := s.do("GET", "/bucket?versioning", ""); a.element("Status") != "Enabled" {
		t.Errorf("versioning: %s", a.body)
	}
	v2, v3 := s.put("k", "two").VersionId, s.put("k", "three").VersionId
	s.versioning("Suspended")
	if id := s.put("k", "four").VersionId; aws.ToString(id) != "null" {
		t.Errorf("a version written while suspended is %q", aws.ToString(id))
	}
	want := []string{"k null true", "k " + *v3 + " false", "k " + *v2 + " false"}
	for _, page := range []int32{1, 2, 1000} {
		if got := s.versions(page); !slices.Equal(got, want) {
			t.Errorf("versions in pages of %d: %q, want %q", page, got, want)
		}
	}
	for version, want := range map[string]string{"": "four", "null": "four", *v2: "two", *v3: "three"} {
		if got, err := s.getVersion("k", version); err != nil || got != want {
			t.Errorf("version %q: %q, %v, want %q", version, got, err, want)
		}
	}
	for body, code := range map[string]string{
		`<VersioningConfiguration/>`: "IllegalVersioningConfigurationException", `<VersioningConfiguration><Status>On</Status></VersioningConfiguration>`: "MalformedXML",
		`<Versioning/>`: "MalformedXML", ``: "MissingRequestBodyError",
		`<VersioningConfiguration><MfaDelete>Enabled</MfaDelete><Status>Enabled</Status></VersioningConfiguration>`: "AccessDenied",
	} {
		if a := s.do("PUT", "/bucket?versioning", body); a.code() != code {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.code(), code)
		}
	}
	s.want("MFA that is not on", s.do("PUT", "/bucket?versioning",
		`<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>`,
		"x-amz-mfa: 20899872 301749"), 200, "")
}

func TestDeleteMarkers(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	v1 := *s.put("k", "one").VersionId
	marker := s.delete("k", "")
	id := aws.ToString(marker.VersionId)
	if !aws.ToBool(marker.DeleteMarker) || len(id) != 32 {
		t.Errorf("delete: marker %v, version %q", aws.ToBool(marker.DeleteMarker), id)
	}
	for _, method := range []string{"GET", "HEAD"} {
		code := map[string]string{"GET": "NoSuchKey"}[method]
		a := s.do(method, "/bucket/k", "")
		if a.status != 404 || a.code() != code || a.header.Get("X-Amz-Delete-Marker") != "true" || a.header.Get("X-Amz-Version-Id") != id {
			t.Errorf("%s of a deleted object: %d %s %v", method, a.status, a.code(), a.header)
		}
		a = s.do(method, "/bucket/k?versionId="+id, "")
		if a.status != 405 || a.header.Get("Allow") != "DELETE" || a.header.Get("Last-Modified") == "" ||
			a.header.Get("X-Amz-Delete-Marker") != "true" || a.header.Get("X-Amz-Version-Id") != id {
			t.Errorf("%s of a delete marker: %d %v", method, a.status, a.header)
		}
	}
	if out, err := s.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)}); err != nil || len(out.Contents) != 0 {
		t.Errorf("a deleted object is listed: %+v, %v", out, err)
	}
	if got, err := s.getVersion("k", v1); err != nil || got != "one" {
		t.Errorf("the version before: %q, %v", got, err)
	}
	s.want("conditional overwrite of nothing", s.do("PUT", "/bucket/k", "x", "If-Match: *"), 404, "NoSuchKey")
	s.want("copy of a delete marker", s.do("PUT", "/bucket/k2", "", "x-amz-copy-source: /bucket/k?versionId="+id), 400, "InvalidRequest")
	s.want("copy of a deleted object", s.do("PUT", "/bucket/k2", "", "x-amz-copy-source: /bucket/k"), 404, "NoSuchKey")
	if out := s.delete("k", id); !aws.ToBool(out.DeleteMarker) || aws.ToString(out.VersionId) != id {
		t.Errorf("removal of the marker: %v %q", aws.ToBool(out.DeleteMarker), aws.ToString(out.VersionId))
	}
	if got, err := s.getVersion("k", ""); err != nil || got != "one" {
		t.Errorf("without its marker the object is %q, %v", got, err)
	}
	s.delete("k", "")
	s.want("creation over a marker", s.do("PUT", "/bucket/k", "two", "If-None-Match: *"), 200, "")
	s.want("no bucket with versions is empty", s.do("DELETE", "/bucket", ""), 409, "BucketNotEmpty")
	if out := s.delete("never-there", ""); !aws.ToBool(out.DeleteMarker) {
		t.Error("a delete of no object makes no marker")
	}
}

func TestVersionsOfNothing(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	v := *s.put("k", "one").VersionId
	s.want("malformed version", s.do("GET", "/bucket/k?versionId=x", ""), 400, "InvalidArgument")
	s.want("version of another key", s.do("GET", "/bucket/other?versionId="+v, ""), 404, "NoSuchVersion")
	s.want("no null version", s.do("GET", "/bucket/k?versionId=null", ""), 404, "NoSuchVersion")
	s.want("removal of no version", s.do("DELETE", "/bucket/other?versionId="+v, ""), 204, "")
	s.want("marker without key", s.do("GET", "/bucket?versions&version-id-marker="+v, ""), 400, "InvalidArgument")
	s.want("malformed marker", s.do("GET", "/bucket?versions&key-marker=k&version-id-marker=x", ""), 400, "InvalidArgument")
}

// TestPromotion: when the current version is removed, the one before it is the object.
func TestPromotion(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "null")
	s.versioning("Enabled")
	v2, v3 := *s.put("k", "two").VersionId, *s.put("k", "three").VersionId
	for _, step := range []struct{ remove, left string }{{v3, "two"}, {v2, "null"}} {
		if out := s.delete("k", step.remove); aws.ToBool(out.DeleteMarker) {
			t.Error("a version is called a delete marker")
		}
		if got, err := s.getVersion("k", ""); err != nil || got != step.left {
			t.Errorf("after the removal of %s: %q, %v", step.remove, got, err)
		}
	}
	s.delete("k", "null")
	if a := s.do("GET", "/bucket/k", ""); a.status != 404 || a.header.Get("X-Amz-Delete-Marker") != "" {
		t.Errorf("an object without versions: %d %v", a.status, a.header)
	}
	s.want("empty", s.do("DELETE", "/bucket", ""), 204, "")
}

func TestListVersionsByPrefix(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	for _, key := range []string{"a", "d/1", "d/2", "e ä", "z"} {
		s.put(key, "1")
		s.put(key, "2")
	}
	s.delete("d/1", "")
	s.delete("d/2", "")
	page := func(query string) (a answer) {
		a = s.do("GET", "/bucket?versions&"+query, "")
		s.want(query, a, 200, "")
		return a
	}
	a := page("delimiter=/&max-keys=3")
	if a.element("NextKeyMarker") != "d/" || a.element("IsTruncated") != "true" || strings.Contains(a.body, "NextVersionIdMarker") ||
		!strings.Contains(a.body, "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>") {
		t.Errorf("a page that ends with a prefix: %s", a.body)
	}
	a = page("delimiter=/&key-marker=d/&encoding-type=url")
	if strings.Contains(a.body, "d/</Prefix>") || strings.Count(a.body, "<Version>") != 4 || a.element("Key") != "e%20%C3%A4" {
		t.Errorf("the page after it: %s", a.body)
	}
	a = page("prefix=d/")
	if strings.Count(a.body, "<DeleteMarker>") != 2 || strings.Count(a.body, "<Version>") != 4 || a.element("Key") != "d/1" ||
		strings.Index(a.body, "<DeleteMarker>") > strings.Index(a.body, "<Version>") {
		t.Errorf("below a prefix: %s", a.body)
	}
	if a = page("max-keys=0"); a.element("IsTruncated") != "false" || strings.Contains(a.body, "<Version>") {
		t.Errorf("no keys asked for: %s", a.body)
	}
}

func TestCopyOfVersions(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	v1, v2 := *s.put("k", "one").VersionId, *s.put("k", "two").VersionId
	out, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), CopySource: aws.String(bucket + "/k?versionId=" + v1)})
	if err != nil || aws.ToString(out.CopySourceVersionId) != v1 || aws.ToString(out.VersionId) == v1 {
		t.Fatalf("restoring a version: %+v, %v", out, err)
	}
	if got, err := s.getVersion("k", ""); err != nil || got != "one" {
		t.Errorf("the restored version: %q, %v", got, err)
	}
	out, err = s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("c"), CopySource: aws.String(bucket + "/k")})
	if err != nil || len(aws.ToString(out.CopySourceVersionId)) != 32 {
		t.Errorf("a copy of the current version: %+v, %v", out, err)
	}
	up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m")})
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.s3.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId,
		PartNumber: aws.Int32(1), CopySource: aws.String(bucket + "/k?versionId=" + v2)})
	if err != nil || aws.ToString(part.CopySourceVersionId) != v2 {
		t.Fatalf("part of a version: %+v, %v", part, err)
	}
	done, err := s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.CopyPartResult.ETag}}}})
	if err != nil || len(aws.ToString(done.VersionId)) != 32 {
		t.Errorf("completed in a bucket with versions: %+v, %v", done, err)
	}
	if got, err := s.getVersion("m", aws.ToString(done.VersionId)); err != nil || got != "two" {
		t.Errorf("the completed version: %q, %v", got, err)
	}
}

func TestDeleteObjectsOfVersions(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	v := *s.put("a", "one").VersionId
	etag := s.put("b", "two").ETag
	s.put("c", "three")
	out, err := s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a"), VersionId: aws.String(v)}, {Key: aws.String("b"), ETag: etag}, {Key: aws.String("c"), Size: aws.Int64(4)},
		{Key: aws.String("none")}, {Key: aws.String("a"), VersionId: aws.String("bad")}}}})
	if err != nil {
		t.Fatal(err)
	}
	var deleted, failed []string
	for _, d := range out.Deleted {
		deleted = append(deleted, fmt.Sprint(*d.Key, " ", aws.ToString(d.VersionId) == v, " ", aws.ToBool(d.DeleteMarker), " ", len(aws.ToString(d.DeleteMarkerVersionId))))
	}
	for _, e := range out.Errors {
		failed = append(failed, fmt.Sprint(*e.Key, " ", *e.Code))
	}
	if want := []string{"a true false 0", "b false true 32", "none false true 32"}; !slices.Equal(deleted, want) {
		t.Errorf("deleted %q, want %q", deleted, want)
	}
	if want := []string{"c PreconditionFailed", "a InvalidArgument"}; !slices.Equal(failed, want) {
		t.Errorf("failed %q, want %q", failed, want)
	}
}

// TestRenameWithVersions: the old name keeps its versions below a delete marker, the new one gets a new version.
func TestRenameWithVersions(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	v := *s.put("d/a", "one").VersionId
	s.want("rename", s.do("PUT", "/bucket/e/?renameObject", "", "x-amz-rename-source: d/"), 200, "")
	if got, err := s.getVersion("e/a", ""); err != nil || got != "one" {
		t.Errorf("renamed: %q, %v", got, err)
	}
	if got, err := s.getVersion("d/a", v); err != nil || got != "one" {
		t.Errorf("the old name's version: %q, %v", got, err)
	}
	if a := s.do("GET", "/bucket/d/a", ""); a.status != http.StatusNotFound || a.header.Get("X-Amz-Delete-Marker") != "true" {
		t.Errorf("the old name: %d %v", a.status, a.header)
	}
}

func TestObjectAttributes(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	v := *s.put("k", "one", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = "SHA256" }).VersionId
	all := []types.ObjectAttributes{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}
	s.put("k", "another")
	out, err := s.s3.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: aws.String(bucket), Key: aws.String("k"), VersionId: aws.String(v), ObjectAttributes: all})
	if err != nil || aws.ToString(out.ETag) != "f97c5d29941bfb1b2fdab0874906ab82" || aws.ToInt64(out.ObjectSize) != 3 || out.StorageClass != "STANDARD" ||
		aws.ToString(out.VersionId) != v || out.LastModified == nil || out.Checksum == nil || out.Checksum.ChecksumSHA256 == nil ||
		out.Checksum.ChecksumType != "FULL_OBJECT" || out.ObjectParts != nil {
		t.Errorf("attributes of a version: %+v, %v", out, err)
	}
	s.want("none asked for", s.do("GET", "/bucket/k?attributes", ""), 400, "InvalidRequest")
	s.want("unknown", s.do("GET", "/bucket/k?attributes", "", "x-amz-object-attributes: ETag,Colour"), 400, "InvalidArgument")
	s.want("no object", s.do("GET", "/bucket/none?attributes", "", "x-amz-object-attributes: ETag"), 404, "NoSuchKey")
	marker := aws.ToString(s.delete("k", "").VersionId)
	a := s.do("GET", "/bucket/k?attributes&versionId="+marker, "", "x-amz-object-attributes: ETag")
	if a.status != 405 || a.header.Get("X-Amz-Delete-Marker") != "true" {
		t.Errorf("attributes of a delete marker: %d %v", a.status, a.header)
	}
}

func TestObjectAttributesOfParts(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", ""} {
		key := "m" + string(algorithm)
		up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(key), ChecksumAlgorithm: algorithm})
		if err != nil {
			t.Fatal(err)
		}
		var done []types.CompletedPart
		for n, size := range []int{5 << 20, 5 << 20, 7} {
			in := &s3.UploadPartInput{Bucket: aws.String(bucket), Key: aws.String(key), UploadId: up.UploadId, PartNumber: aws.Int32(int32(n)*2 + 1),
				Body: strings.NewReader(strings.Repeat("x", size)), ChecksumAlgorithm: algorithm}
			part, err := s.s3.UploadPart(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			done = append(done, types.CompletedPart{PartNumber: in.PartNumber, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32})
		}
		if _, err := s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(key), UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: done}}); err != nil {
			t.Fatal(err)
		}
		out, err := s.s3.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: aws.String(bucket), Key: aws.String(key), MaxParts: aws.Int32(1),
			PartNumberMarker: aws.String("1"), ObjectAttributes: []types.ObjectAttributes{"ObjectParts"}})
		if err != nil {
			t.Fatal(err)
		}
		p := out.ObjectParts
		if p == nil || aws.ToInt32(p.TotalPartsCount) != 3 || out.ETag != nil {
			t.Fatalf("%s: %+v", key, p)
		}
		if len(p.Parts) != 1 || aws.ToInt32(p.Parts[0].PartNumber) != 3 || aws.ToInt64(p.Parts[0].Size) != 5<<20 ||
			(p.Parts[0].ChecksumCRC32 == nil) != (algorithm == "") || (p.Parts[0].ChecksumCRC64NVME == nil) == (algorithm == "") ||
			!aws.ToBool(p.IsTruncated) || aws.ToString(p.NextPartNumberMarker) != "3" {
			t.Errorf("a page of parts: %+v %+v", p, p.Parts)
		}
	}
}

func TestConditionalDeleteOfVersions(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.versioning("Enabled")
	first := s.put("k", "one")
	s.put("k", "three")
	v := "/bucket/k?versionId=" + *first.VersionId
	s.want("another size", s.do("DELETE", v, "", "x-amz-if-match-size: 5"), 412, "PreconditionFailed")
	s.want("another tag", s.do("DELETE", v, "", `If-Match: "x"`), 412, "PreconditionFailed")
	s.want("the version's own tag", s.do("DELETE", v, "", "If-Match: "+*first.ETag), 204, "")
	if _, err := s.getVersion("k", *first.VersionId); apiCode(err) != "NoSuchVersion" {
		t.Errorf("a removed version: %v", err)
	}
	s.want("the current object's size", s.do("DELETE", "/bucket/k", "", "x-amz-if-match-size: 5"), 204, "")
	s.want("a deleted object", s.do("DELETE", "/bucket/k", "", `If-Match: "x"`), 404, "NoSuchKey")
	s.want("the size of nothing", s.do("DELETE", "/bucket/none", "", "x-amz-if-match-size: 5"), 204, "")
	s.want("the time of nothing", s.do("DELETE", "/bucket/none", "", "x-amz-if-match-last-modified-time: Wed, 21 Oct 2015 07:28:00 GMT"), 204, "")
}

func TestVersionIDsThatAreNone(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "x")
	for _, method := range []string{"GET", "DELETE"} {
		a := s.do(method, "/bucket/k?versionId=", "")
		s.want("empty", a, 400, "InvalidArgument")
		if a.element("Message") != "Version id cannot be the empty string" || a.element("ArgumentName") != "versionId" {
			t.Errorf("%s", a.body)
		}
		a = s.do(method, "/bucket/k?versionId=nonsense", "")
		s.want("malformed", a, 400, "InvalidArgument")
		if a.element("ArgumentName") != "versionId" || a.element("ArgumentValue") != "nonsense" {
			t.Errorf("%s", a.body)
		}
	}
	s.want("empty", s.do("HEAD", "/bucket/k?versionId=", ""), 400, "")
	s.want("null", s.do("GET", "/bucket/k?versionId=null", ""), 200, "")
	for _, parameter := range []string{"versionId=null", "versionId=", "partNumber=1"} {
		s.want("put with "+parameter, s.do("PUT", "/bucket/k?"+parameter, "other"), 400, "InvalidArgument")
		s.want("copy with "+parameter, s.do("PUT", "/bucket/k?"+parameter, "", "X-Amz-Copy-Source: bucket/other"), 400, "InvalidArgument")
	}
	if got := s.get("k"); got != "x" {
		t.Errorf("%q", got)
	}
}

// What is about an object without its bytes tells a deleted one from one that never was, but for reading its ACL.
func TestDeletedObjectsHaveNoTags(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("versions", s.do("PUT", "/bucket?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"), 200, "")
	s.put("k", "x")
	s.want("delete", s.do("DELETE", path("k"), ""), 204, "")
	const tags = "<Tagging><TagSet/></Tagging>"
	for _, c := range []struct {
		method, sub, body string
		status            int
		code              string
	}{
		{"GET", "?tagging", "", 405, "MethodNotAllowed"}, {"PUT", "?tagging", tags, 405, "MethodNotAllowed"}, {"DELETE", "?tagging", "", 405, "MethodNotAllowed"},
		{"GET", "?acl", "", 404, "NoSuchKey"}, {"GET", "", "", 404, "NoSuchKey"},
	} {
		a := s.do(c.method, path("k")+c.sub, c.body)
		s.want(c.method+c.sub, a, c.status, c.code)
		if a.header.Get("X-Amz-Delete-Marker") != "true" {
			t.Errorf("%s%s: %v", c.method, c.sub, a.header)
		}
		s.want("never was", s.do(c.method, path("none")+c.sub, c.body), 404, "NoSuchKey")
	}
}
