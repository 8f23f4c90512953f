package store

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
	"pail/server/internal/meta"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// sampleRows has each kind of row with each of its fields.
func sampleRows() map[string]any {
	id := meta.ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	when := time.Unix(1_800_000_000, 123456789).UTC()
	attrs := Attrs{ContentType: "a", CacheControl: "b", ContentDisposition: "c", ContentEncoding: "d", ContentLanguage: "e",
		Expires: "f", StorageClass: "g", WebsiteRedirect: "h", Meta: map[string]string{"k": "v", "empty": ""}}
	sum := checksum.Sum{Algorithm: checksum.CRC32, Value: []byte{1, 2, 3, 4}, Parts: 2}
	object := &objectRow{size: 300, modified: when, etag: [16]byte{0xee}, parts: 2, owner: "o", attrs: attrs, sum: sum,
		sumType: checksum.Composite, body: body{bodyManifest, id}}
	answer := *object
	answer.body = body{}
	return map[string]any{
		"bucket": bucketRow{id: 7, created: when, region: "r", owner: "o"},
		"object": object,
		"refs":   refsRow{count: 3, size: 300},
		"manifest": &manifest{extents: []extent{{blob.ID(id), 0, 100}, {blob.ID(id), 1 << 33, 200}}, algorithm: checksum.CRC32,
			parts: []manifestPart{{1, 100, []byte{1, 2, 3, 4}}, {10000, 200, []byte{}}}},
		"upload": &uploadRow{initiated: when, owner: "o", attrs: attrs, algorithm: checksum.CRC32, sumType: checksum.FullObject},
		"part": &partRow{size: 300, modified: when, etag: [16]byte{0xee}, sum: checksum.Sum{Algorithm: checksum.CRC32, Value: []byte{9}},
			extents: []extent{{blob.ID(id), 5, 300}}},
		"completed": &completedRow{bucket: 7, key: "k", when: when, object: &answer},
	}
}

// decodeAny decodes a row of that kind.
func decodeAny(kind string, p []byte) (v any, err error) {
	switch kind {
	case "bucket":
		return decodeBucket(p)
	case "object", "marker":
		return decodeObject(p)
	case "null":
		return decodeNull(p)
	case "refs":
		return decodeRefs(p)
	case "manifest":
		return decodeManifest(p)
	case "upload":
		return decodeUpload(p)
	case "part":
		return decodePart(p)
	default:
		return decodeCompleted(p)
	}
}

// sampleVersionRows has rows with the fields that came with versions, tags, locks and encryption.
func sampleVersionRows() map[string]any {
	rows := sampleRows()
	id := meta.ID{15: 1}
	until := time.Unix(1_900_000_000, 5).UTC()
	tags := []Tag{{Key: "t", Value: "v"}, {Key: "empty", Value: ""}}
	object := *rows["object"].(*objectRow)
	object.id, object.attrs.Tags = id, tags
	object.extra = Extra{ACL: []byte("acl"), Encryption: []byte("key"), Retention: Retention{Compliance, until}, LegalHold: HoldOff}
	upload := *rows["upload"].(*uploadRow)
	upload.attrs.Tags = tags
	upload.extra = Extra{ACL: []byte("acl"), Encryption: []byte("key"), Retention: Retention{Governance, until}, LegalHold: HoldOn}
	return map[string]any{
		"bucket": bucketRow{id: 7, created: until, owner: "o", versioning: Suspended, lock: true, retention: DefaultRetention{Mode: Compliance, Years: 3}},
		"object": &object,
		"marker": &objectRow{id: id, null: true, marker: true, modified: until, owner: "o"},
		"null":   nullRow(id),
		"upload": &upload,
	}
}

// TestRowsAreThoseOfVersion1 reads rows as the first version wrote them: they must be readable for ever. Fields that came
// later have a file of their own.
func TestRowsAreThoseOfVersion1(t *testing.T) {
	for _, golden := range []struct {
		file  string
		rows  map[string]any
		kinds []string
	}{
		{"rows-v1.golden", sampleRows(), []string{"bucket", "object", "refs", "manifest", "upload", "part", "completed"}},
		{"rows-v1-versions.golden", sampleVersionRows(), []string{"bucket", "object", "marker", "null", "upload"}},
	} {
		t.Run(golden.file, func(t *testing.T) {
			compareRows(t, filepath.Join("testdata", golden.file), golden.rows, golden.kinds)
		})
	}
}

func compareRows(t *testing.T, path string, rows map[string]any, kinds []string) {
	var lines []string
	for _, kind := range kinds {
		p := rows[kind].(interface{ encode() []byte }).encode()
		lines = append(lines, fmt.Sprintf("%s %s\n", kind, hex.EncodeToString(p)))
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.SplitAfter(strings.TrimSuffix(string(golden), "\n"), "\n") {
		kind, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		p, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeAny(kind, p)
		if err != nil || !reflect.DeepEqual(got, rows[kind]) {
			t.Errorf("%s is read as\n%+v, %v, want\n%+v", kind, got, err, rows[kind])
		}
		if strings.TrimSpace(lines[i]) != strings.TrimSpace(line) {
			t.Errorf("%s is written as\n%swant\n%s", kind, lines[i], line)
		}
	}
}

func FuzzRows(f *testing.F) {
	for kind, row := range sampleRows() {
		f.Add(kind, row.(interface{ encode() []byte }).encode())
	}
	for kind, row := range sampleVersionRows() {
		f.Add(kind, row.(interface{ encode() []byte }).encode())
	}
	f.Add("manifest", []byte{0x03, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, kind string, p []byte) {
		v, err := decodeAny(kind, p)
		if err != nil {
			return
		}
		first := v.(interface{ encode() []byte }).encode()
		again, err := decodeAny(kind, first)
		if err != nil {
			t.Fatalf("%s: %+v cannot be read again: %v", kind, v, err)
		}
		if second := again.(interface{ encode() []byte }).encode(); string(first) != string(second) {
			t.Errorf("%s: %+v becomes %+v", kind, v, again)
		}
	})
}
