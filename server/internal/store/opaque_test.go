package store

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"pail/server/internal/checksum"
	"pail/server/internal/meta/memdb"
)

// opaque begins an upload whose ETags are no MD5s.
func (e *env) opaque(key string) string {
	e.t.Helper()
	id, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: key, Algorithm: checksum.CRC64NVME, OpaqueTags: true})
	if err != nil {
		e.t.Fatal(err)
	}
	return id
}

// An ETag that is no MD5 is the same when the same is sent again, and no other part's.
func TestOpaqueTags(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		a, b := data(6000, 1), data(6000, 2)
		id, another := e.opaque("k"), e.opaque("k")
		first := e.part("k", id, 1, a)
		text := fmt.Sprintf("pail part %s 1 6000 CRC64NVME %x", id, first.Sum.Value)
		if want := fmt.Sprintf("%x", md5.Sum([]byte(text))); first.ETag != want {
			t.Errorf("ETag %s, not %s", first.ETag, want)
		}
		if again := e.part("k", id, 1, a); again.ETag != first.ETag || !again.Sum.Equal(first.Sum) {
			t.Errorf("sent again, %+v is %+v", first, again)
		}
		seen := map[string]string{first.ETag: "the part", md5hex(a): "the MD5"}
		for what, p := range map[string]CompletedPart{
			"other bytes": e.part("k", id, 3, b), "another number": e.part("k", id, 2, a), "another upload": e.part("k", another, 1, a),
		} {
			if was, ok := seen[p.ETag]; ok {
				t.Errorf("%s: the ETag is that of %s", what, was)
			}
			seen[p.ETag] = what
		}
		other := e.part("k", another, 2, a)
		list := []CompletedPart{first, e.part("k", id, 2, a)}
		o := e.complete("k", id, list...)
		e.has("k", append(bytes.Clone(a), a...))
		if o.ETag != tagOfParts(t, list...) || o.ChecksumType != checksum.FullObject {
			t.Errorf("%+v", o)
		}
		if again := e.complete("k", id, list...); again.ETag != o.ETag {
			t.Errorf("completed again, %s is %s", o.ETag, again.ETag)
		}
		same := e.complete("k", another, e.part("k", another, 1, a), other)
		if e.has("k", append(bytes.Clone(a), a...)); same.ETag == o.ETag {
			t.Error("two objects have the same ETag")
		}
	})
}

// tagOfParts is the ETag of an object of parts, as clients compute it.
func tagOfParts(t *testing.T, parts ...CompletedPart) string {
	t.Helper()
	h := md5.New()
	for _, p := range parts {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil || len(sum) != md5.Size {
			t.Fatalf("%q: %v", p.ETag, err)
		}
		h.Write(sum)
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(parts))
}

// What was sent first may be done last. The completion names what was sent last, and gets no other bytes.
func TestOpaqueTagsOfPartsThatComeLate(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		a, b := data(6000, 1), data(6000, 2)
		id := e.opaque("k")
		e.part("k", id, 1, a)
		p := e.part("k", id, 1, b)
		e.part("k", id, 1, a)
		_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "k", UploadID: id, Parts: []CompletedPart{{N: 1, ETag: p.ETag}}})
		if !errors.Is(err, ErrInvalidPart) {
			t.Errorf("an earlier state of the part: %v", err)
		}
		e.part("k", id, 1, b)
		e.complete("k", id, CompletedPart{N: 1, ETag: p.ETag})
		e.has("k", b)
	})
}

// Without a checksum nothing would tell two bodies apart.
func TestOpaqueTagsNeedAChecksum(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		_, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "k", OpaqueTags: true})
		wantErr(t, err, ErrChecksumAlgorithm)
	})
}

// Parts that are copied have the ETags that they have in other uploads, but where bytes are copied.
func TestOpaqueTagsOfCopies(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.minPart = 1
		var sizes []int
		for i := range fewPieces + 1 {
			sizes = append(sizes, 100+i)
		}
		pieces := e.multipart("pieces", sizes...)
		e.put("blob", data(9000, 1))
		id, plain := e.opaque("k"), e.upload("k", checksum.CRC64NVME, "")
		for i, src := range []string{"blob", "pieces"} {
			n := i + 1
			p, as := e.copyPart("k", id, n, src, 0, -1), e.copyPart("k", plain, n, src, 0, -1)
			if same := p.ETag == as.ETag; same != (src == "blob") {
				t.Errorf("%s: the ETag is %s, and %s elsewhere", src, p.ETag, as.ETag)
			}
			if n == 2 {
				e.complete("k", id, e.copyPart("k", id, 1, "blob", 5, 1000), p)
			}
		}
		e.has("k", append(data(9000, 1)[5:1005:1005], pieces...))
	})
}

// An object of such parts is copied, patched and appended to as any, and found whole by the check.
func TestOpaqueTagsOfWhatBecomesOfTheObject(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		e.versioning(Enabled)
		want := append(data(6000, 1), data(7000, 2)...)
		id := e.opaque("k")
		o := e.complete("k", id, e.part("k", id, 1, want[:6000]), e.part("k", id, 2, want[6000:]))
		e.copy("copy", "k")
		if c, err := e.HeadObject(ctx, "b", "copy", ReadInput{}); err != nil || c.ETag != o.ETag {
			t.Errorf("the copy is %+v, %v", c, err)
		}
		change := overwrite(len(want), 5990, data(20, 3))
		patched, err := e.PatchObject(ctx, change.input("k", o.ETag))
		wantErr(t, err, nil)
		e.has("k", change.apply(want))
		longer, err := e.appendTo("copy", int64(len(want)), data(5000, 4))
		wantErr(t, err, nil)
		e.has("copy", append(bytes.Clone(want), data(5000, 4)...))
		if patched.ETag == o.ETag || longer.ETag == o.ETag || patched.ETag == longer.ETag {
			t.Errorf("of %s, %s and %s some are the same", o.ETag, patched.ETag, longer.ETag)
		}
		old, err := e.HeadObject(ctx, "b", "k", ReadInput{VersionID: o.VersionID})
		if err != nil || old.ETag != o.ETag {
			t.Errorf("the version before is %+v, %v", old, err)
		}
		e.check()
	})
}

// MD5 is computed for those who ask for it.
func TestMD5IsComputedWhereItIsNeeded(t *testing.T) {
	e := newEnv(t, memdb.New())
	for name, c := range map[string]struct {
		encryption []byte
		opaque     bool
		needed     bool
	}{
		"plain": {nil, false, true}, "opaque": {nil, true, false},
		"S3": {withMaster(), false, true}, "KMS": {withDefaultKey(), false, false}, "KMS, opaque": {withDefaultKey(), true, false},
	} {
		id, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: name, Algorithm: checksum.CRC64NVME, OpaqueTags: c.opaque, Extra: Extra{Encryption: c.encryption}})
		if err != nil {
			t.Fatal(err)
		}
		p := data(5000, 1)
		for _, asked := range []bool{false, true} {
			var got Computed
			verify := func(c Computed) error { got = c; return nil }
			if _, err := e.PutPart(ctx, PartInput{Bucket: "b", Key: name, UploadID: id, N: 1, Body: bytes.NewReader(p), Size: 5000, Verify: verify, MD5: asked}); err != nil {
				t.Fatal(err)
			}
			checkMD5(t, name+", a part", got.MD5, p, asked || c.needed)
			if c.opaque {
				continue
			}
			for _, n := range []int{10, 5000} {
				if _, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: name, Body: bytes.NewReader(p[:n]), Size: int64(n), Verify: verify, MD5: asked, Extra: Extra{Encryption: c.encryption}}); err != nil {
					t.Fatal(err)
				}
				checkMD5(t, fmt.Sprintf("%s, %d bytes", name, n), got.MD5, p[:n], asked || c.needed)
			}
		}
	}
}

func checkMD5(t *testing.T, what string, got, p []byte, want bool) {
	t.Helper()
	if want != (got != nil) || want && fmt.Sprintf("%x", got) != md5hex(p) {
		t.Errorf("%s: the MD5 is %x", what, got)
	}
}
