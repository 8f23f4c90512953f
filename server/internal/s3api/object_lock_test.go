package s3api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

// lockScene has a bucket "locked" with object lock.
func lockScene(t *testing.T) *scene {
	s := newScene(t, servertest.Options{})
	s.want("create", s.do("PUT", "/locked", "", "x-amz-bucket-object-lock-enabled: true"), 200, "")
	return s
}

func retention(mode string, until time.Time) string {
	return fmt.Sprintf("<Retention><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>", mode, until.UTC().Format(time.RFC3339))
}

func lockRule(period string) string {
	return "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>" +
		period + "</DefaultRetention></Rule></ObjectLockConfiguration>"
}

func TestObjectLockConfiguration(t *testing.T) {
	s := lockScene(t)
	if a := s.do("GET", "/locked?object-lock", ""); a.element("ObjectLockEnabled") != "Enabled" || a.element("Rule") != "" {
		t.Errorf("a new bucket with object lock: %s", a.body)
	}
	if a := s.do("GET", "/locked?versioning", ""); a.element("Status") != "Enabled" {
		t.Errorf("its versioning: %s", a.body)
	}
	s.want("suspending versions", s.do("PUT", "/locked?versioning",
		"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"), 409, "InvalidBucketState")
	for body, code := range map[string]string{
		lockRule("<Days>0</Days>"): "InvalidRetentionPeriod", lockRule("<Years>-1</Years>"): "InvalidRetentionPeriod", lockRule("<Days>36501</Days>"): "InvalidRetentionPeriod",
		lockRule("<Days>1</Days><Years>1</Years>"): "MalformedXML", lockRule(""): "MalformedXML", lockRule("<Days>x</Days>"): "MalformedXML",
		"<ObjectLockConfiguration><ObjectLockEnabled>enabled</ObjectLockEnabled></ObjectLockConfiguration>": "MalformedXML",
	} {
		if a := s.do("PUT", "/locked?object-lock", body); a.status != 400 || a.code() != code {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.code(), code)
		}
	}
	s.want("default", s.do("PUT", "/locked?object-lock", lockRule("<Days>2</Days>")), 200, "")
	if a := s.do("GET", "/locked?object-lock", ""); a.element("Mode") != "GOVERNANCE" || a.element("Days") != "2" || a.element("Years") != "" {
		t.Errorf("default retention: %s", a.body)
	}
	s.want("put", s.do("PUT", "/locked/k", "x"), 200, "")
	a := s.do("HEAD", "/locked/k", "")
	until, err := time.Parse(time.RFC3339, a.header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if d := time.Until(until); err != nil || d < 47*time.Hour || d > 48*time.Hour || a.header.Get("X-Amz-Object-Lock-Mode") != "GOVERNANCE" {
		t.Errorf("an object with the default retention: %v", a.header)
	}
	s.want("no versions", s.do("PUT", "/bucket?object-lock", lockRule("<Days>2</Days>")), 409, "InvalidBucketState")
	s.versioning("Enabled")
	s.want("object lock for a bucket that has versions", s.do("PUT", "/bucket?object-lock", lockRule("<Years>1</Years>")), 200, "")
}

func TestObjectRetention(t *testing.T) {
	s := lockScene(t)
	day := time.Now().Add(24 * time.Hour)
	id := s.do("PUT", "/locked/k", "x").header.Get("X-Amz-Version-Id")
	version := "/locked/k?versionId=" + id
	s.want("none yet", s.do("GET", "/locked/k?retention", ""), 404, "NoSuchObjectLockConfiguration")
	s.want("past", s.do("PUT", "/locked/k?retention", retention("GOVERNANCE", time.Now().Add(-time.Hour))), 400, "InvalidArgument")
	s.want("no mode", s.do("PUT", "/locked/k?retention", retention("", day)), 400, "MalformedXML")
	s.want("no such mode", s.do("PUT", "/locked/k?retention", retention("governance", day)), 400, "MalformedXML")
	s.want("governance", s.do("PUT", "/locked/k?retention", retention("GOVERNANCE", day)), 200, "")
	if a := s.do("GET", "/locked/k?retention&versionId="+id, ""); a.element("Mode") != "GOVERNANCE" || a.element("RetainUntilDate") != day.UTC().Format("2006-01-02T15:04:05.000Z")[:19]+".000Z" {
		t.Errorf("retention: %s", a.body)
	}
	s.want("shorter", s.do("PUT", "/locked/k?retention", retention("GOVERNANCE", day.Add(-time.Hour))), 403, "AccessDenied")
	s.want("longer", s.do("PUT", "/locked/k?retention", retention("GOVERNANCE", day.Add(time.Hour))), 200, "")
	s.want("other mode", s.do("PUT", "/locked/k?retention", retention("COMPLIANCE", day.Add(time.Hour))), 403, "AccessDenied")
	s.want("removal", s.do("DELETE", version, ""), 403, "AccessDenied")
	s.want("delete marker", s.do("DELETE", "/locked/k", ""), 204, "")
	s.want("a marker has none", s.do("GET", "/locked/k?retention", ""), 404, "NoSuchKey")
	s.want("shorter, with bypass", s.do("PUT", "/locked/k?retention&versionId="+id, retention("GOVERNANCE", day.Add(-time.Hour)),
		"x-amz-bypass-governance-retention: true"), 200, "")
	s.want("compliance, with bypass", s.do("PUT", "/locked/k?retention&versionId="+id, retention("COMPLIANCE", day),
		"x-amz-bypass-governance-retention: true"), 200, "")
	for _, to := range []string{retention("COMPLIANCE", day.Add(-time.Hour)), retention("GOVERNANCE", day.Add(time.Hour)), "<Retention/>"} {
		s.want("weaker than compliance: "+to, s.do("PUT", "/locked/k?retention&versionId="+id, to, "x-amz-bypass-governance-retention: true"), 403, "AccessDenied")
	}
	s.want("removal under compliance", s.do("DELETE", version, "", "x-amz-bypass-governance-retention: true"), 403, "AccessDenied")
	s.want("no lock", s.do("PUT", "/bucket/k?retention", retention("GOVERNANCE", day)), 400, "InvalidRequest")
	s.want("no lock to read", s.do("GET", "/bucket/k?retention", ""), 400, "InvalidRequest")

	gov := s.do("PUT", "/locked/g", "x", "x-amz-object-lock-mode: GOVERNANCE", "x-amz-object-lock-retain-until-date: "+day.UTC().Format(time.RFC3339))
	s.want("with headers", gov, 400, "InvalidRequest") // for want of a digest
	gov = s.do("PUT", "/locked/g", "x", "x-amz-object-lock-mode: GOVERNANCE", "x-amz-object-lock-retain-until-date: "+day.UTC().Format(time.RFC3339),
		"Content-MD5: ndTkYSaMgDT1yFZOFVxnpg==")
	s.want("with headers and a digest", gov, 200, "")
	version = "/locked/g?versionId=" + gov.header.Get("X-Amz-Version-Id")
	s.want("removal under governance", s.do("DELETE", version, ""), 403, "AccessDenied")
	out, err := s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("locked"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("g"), VersionId: aws.String(gov.header.Get("X-Amz-Version-Id"))}}}})
	if err != nil || len(out.Errors) != 1 || aws.ToString(out.Errors[0].Code) != "AccessDenied" {
		t.Errorf("batch: %+v, %v", out, err)
	}
	s.want("removal with bypass", s.do("DELETE", version, "", "x-amz-bypass-governance-retention: true"), 204, "")
}

func TestLegalHold(t *testing.T) {
	s := lockScene(t)
	put := s.do("PUT", "/locked/k", "x", "x-amz-object-lock-legal-hold: ON", "Content-MD5: ndTkYSaMgDT1yFZOFVxnpg==")
	s.want("put", put, 200, "")
	version := "/locked/k?versionId=" + put.header.Get("X-Amz-Version-Id")
	if a := s.do("GET", "/locked/k?legal-hold", ""); a.element("Status") != "ON" {
		t.Errorf("legal hold: %s", a.body)
	}
	s.want("removal", s.do("DELETE", version, "", "x-amz-bypass-governance-retention: true"), 403, "AccessDenied")
	s.want("malformed", s.do("PUT", "/locked/k?legal-hold", "<LegalHold><Status>on</Status></LegalHold>"), 400, "MalformedXML")
	s.want("release", s.do("PUT", "/locked/k?legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>"), 200, "")
	if a := s.do("HEAD", "/locked/k", ""); a.header.Get("X-Amz-Object-Lock-Legal-Hold") != "OFF" {
		t.Errorf("released: %v", a.header)
	}
	s.want("removal after release", s.do("DELETE", version, ""), 204, "")
	s.want("put without lock", s.do("PUT", "/bucket/k", "x", "x-amz-object-lock-legal-hold: ON", "Content-MD5: ndTkYSaMgDT1yFZOFVxnpg=="), 400, "InvalidRequest")
	s.want("neither", s.do("PUT", "/locked/k", "x", "x-amz-object-lock-legal-hold: maybe"), 400, "InvalidArgument")
	s.want("never said", s.do("PUT", "/locked/n", "x"), 200, "")
	s.want("never said", s.do("GET", "/locked/n?legal-hold", ""), 404, "NoSuchObjectLockConfiguration")
}

// TestLockOfCopiesAndUploads: a copy is protected by its own headers only, an upload by those it began with.
func TestLockOfCopiesAndUploads(t *testing.T) {
	s := lockScene(t)
	day := time.Now().Add(24 * time.Hour)
	in := &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("k"), Body: strings.NewReader("x"),
		ChecksumAlgorithm: "CRC32", ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: &day}
	if _, err := s.s3.PutObject(ctx, in); err != nil {
		t.Fatal(err)
	}
	for hold, want := range map[types.ObjectLockLegalHoldStatus]string{"": "NoSuchObjectLockConfiguration", "ON": ""} {
		copied, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("locked"), Key: aws.String("c"), CopySource: aws.String("locked/k"), ObjectLockLegalHoldStatus: hold})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.s3.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: aws.String("locked"), Key: aws.String("c"), VersionId: copied.VersionId})
		if apiCode(err) != want {
			t.Errorf("hold %q of a copy: %v", hold, err)
		}
		s.want("retention of a copy", s.do("GET", "/locked/c?retention", ""), 404, "NoSuchObjectLockConfiguration")
	}
	up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("locked"), Key: aws.String("m"), ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: &day})
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("locked"), Key: aws.String("m"), UploadId: up.UploadId, PartNumber: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("locked"), Key: aws.String("m"), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}}}); err != nil {
		t.Fatal(err)
	}
	if a := s.do("GET", "/locked/m?retention", ""); a.element("Mode") != "GOVERNANCE" {
		t.Errorf("retention of an upload: %s", a.body)
	}
}
