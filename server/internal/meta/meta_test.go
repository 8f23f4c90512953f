package meta

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var names = []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "a\x01", "a/", "a/b", "a0", "b",
	"\xfe", "\xff", "\xff\x00", "\xff\xff"}

func TestObjectKeysAreInByteOrder(t *testing.T) {
	for _, a := range names {
		for _, b := range names {
			if got := bytes.Compare(ObjectKey(7, a), ObjectKey(7, b)); got != strings.Compare(a, b) {
				t.Errorf("object keys of %q and %q compare %d", a, b, got)
			}
			if a < b && bytes.Compare(UploadKey(7, a, ID{15: 9}), UploadKey(7, b, ID{})) >= 0 {
				t.Errorf("upload keys of %q and %q are out of order", a, b)
			}
		}
		if bytes.Compare(ObjectKey(7, a), ObjectKey(8, "")) >= 0 {
			t.Errorf("%q of bucket 7 is not before bucket 8", a)
		}
		if name, ok := ObjectName(ObjectKey(7, a)); !ok || string(name) != a {
			t.Errorf("ObjectName of %q = %q, %v", a, name, ok)
		}
	}
}

func FuzzUploadKey(f *testing.F) {
	for _, n := range names {
		f.Add(n, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		name, id, ok := ParseUploadKey(UploadKey(1, a, ID{1, 2}))
		if !ok || name != a || id != (ID{1, 2}) {
			t.Errorf("%q comes back as %q, %v, %v", a, name, id, ok)
		}
		if got := bytes.Compare(UploadKey(1, a, ID{}), UploadKey(1, b, ID{})); got != strings.Compare(a, b) {
			t.Errorf("keys of %q and %q compare %d", a, b, got)
		}
		if strings.HasPrefix(a, b) != bytes.HasPrefix(UploadKey(1, a, ID{}), UploadPrefix(1, b)) {
			t.Errorf("prefix %q of %q is lost", b, a)
		}
		ParseUploadKey([]byte(a)) // must not panic
	})
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff": "b", "a\xff\xff": "b", "a\x00": "a\x01", "a/": "a0"} {
		if got := PrefixEnd([]byte(prefix)); string(got) != want {
			t.Errorf("PrefixEnd(%q) = %q, want %q", prefix, got, want)
		}
	}
	for _, prefix := range []string{"", "\xff", "\xff\xff"} {
		if got := PrefixEnd([]byte(prefix)); got != nil {
			t.Errorf("PrefixEnd(%q) = %q, want none", prefix, got)
		}
	}
}

func TestKeysComeBack(t *testing.T) {
	id := ID{1, 2, 3, 15: 16}
	if n, ok := PartNumber(PartKey(id, 10000)); !ok || n != 10000 {
		t.Errorf("PartNumber = %d, %v", n, ok)
	}
	for _, key := range [][]byte{DataKey(id), BlobKey(id), ManifestKey(id, 3), PartKey(id, 3), CompletedKey(id)} {
		if got, ok := KeyID(key); !ok || got != id {
			t.Errorf("KeyID(%q) = %v, %v", key, got, ok)
		}
	}
	if table, got, ok := ParseRefsKey(DataRefsKey(id)); !ok || table != Data || got != id {
		t.Errorf("ParseRefsKey = %c, %v, %v", table, got, ok)
	}
	if table, got, ok := ParseRefsKey(ManifestRefsKey(id)); !ok || table != Manifests || got != id {
		t.Errorf("ParseRefsKey = %c, %v, %v", table, got, ok)
	}
	if name, ok := BucketName(BucketKey("b")); !ok || name != "b" {
		t.Errorf("BucketName = %q, %v", name, ok)
	}
	if b, ok := ParseBucketID(ObjectKey(1<<40, "x")); !ok || b != 1<<40 {
		t.Errorf("ParseBucketID = %d, %v", b, ok)
	}
	for _, short := range [][]byte{nil, {'o'}, {'u'}, {'p'}, {'b'}, {'r', 'd'}} {
		_, _, u := ParseUploadKey(short)
		_, o := ObjectName(short)
		_, p := PartNumber(short)
		_, i := KeyID(short)
		_, _, r := ParseRefsKey(short)
		if u || o || p || i || r {
			t.Errorf("a key is read from %q", short)
		}
	}
}

// golden lists a key of each kind and a record with each kind of field. Format version 1 must read it for ever.
func golden() string {
	id := ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	var e Encoder
	e.Uint(1, 300)
	e.Int(2, -5)
	e.Blob(3, []byte{0, 255})
	e.String(200, "text")
	e.Uint(4, 0)
	var b strings.Builder
	for _, k := range []struct {
		name string
		key  []byte
	}{
		{"format", FormatKey()}, {"bucket", BucketKey("b")}, {"counter", CounterKey("n")}, {"data", DataKey(id)},
		{"blob", BlobKey(id)}, {"manifest", ManifestKey(id, 0)}, {"data-refs", DataRefsKey(id)},
		{"manifest-refs", ManifestRefsKey(id)}, {"object", ObjectKey(258, "a\x00b")},
		{"upload", UploadKey(258, "a\x00b", id)}, {"part", PartKey(id, 258)}, {"completed", CompletedKey(id)},
		{"record", Seal([]byte("key"), e.Bytes())},
	} {
		fmt.Fprintf(&b, "%s %s\n", k.name, hex.EncodeToString(k.key))
	}
	return b.String()
}

func TestFormatIsThatOfVersion1(t *testing.T) {
	path := filepath.Join("testdata", "v1.golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(golden()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if golden() != string(want) {
		t.Errorf("the format changed:\n%s\nwant\n%s", golden(), want)
	}
}

func TestEveryFlippedBitIsDamage(t *testing.T) {
	key := []byte("key")
	record := Seal(key, []byte("payload"))
	if p, err := Unseal(key, record); err != nil || string(p) != "payload" {
		t.Fatalf("Unseal = %q, %v", p, err)
	}
	for i := range len(record) * 8 {
		bad := bytes.Clone(record)
		bad[i/8] ^= 1 << (i % 8)
		_, err := Unseal(key, bad)
		var d *DamagedError
		if !errors.Is(err, ErrDamaged) || !errors.As(err, &d) || string(d.Key) != "key" {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	for n := range record {
		if _, err := Unseal(key, record[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := Unseal([]byte("kez"), record); !errors.Is(err, ErrDamaged) {
		t.Errorf("record under another key: %v", err)
	}
}

func TestRecordOfALaterVersion(t *testing.T) {
	record := Seal([]byte("k"), nil)
	record[0] = 2
	copy(record[1:5], []byte{0, 0, 0, 0})
	sum := recordSum([]byte("k"), record)
	for i := range 4 {
		record[1+i] = byte(sum >> (8 * i))
	}
	if _, err := Unseal([]byte("k"), record); !errors.Is(err, ErrVersion) {
		t.Errorf("Unseal = %v, want ErrVersion", err)
	}
}

func TestFieldsComeBack(t *testing.T) {
	var e Encoder
	e.Uint(1, 1<<63)
	for _, v := range []int64{-1 << 63, -1, 1, 1<<63 - 1} {
		e.Int(2, v)
	}
	e.String(3, "s")
	e.Blob(3, []byte("t"))
	var got []string
	d := NewDecoder(e.Bytes())
	for d.Next() {
		switch d.Tag() {
		case 1:
			got = append(got, fmt.Sprint(d.Uint()))
		case 2:
			got = append(got, fmt.Sprint(d.Int()))
		case 3:
			got = append(got, d.String())
		}
	}
	want := "9223372036854775808 -9223372036854775808 -1 1 9223372036854775807 s t"
	if s := strings.Join(got, " "); s != want || d.Err() != nil {
		t.Errorf("got %s, %v, want %s", s, d.Err(), want)
	}
}

func FuzzDecoder(f *testing.F) {
	var e Encoder
	e.Uint(1, 300)
	e.String(2, "text")
	f.Add(e.Bytes())
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, p []byte) {
		d := NewDecoder(p)
		n := 0
		for d.Next() {
			if d.Tag()%2 == 0 {
				n += len(d.Blob())
			} else {
				d.Uint()
			}
		}
		if n > len(p) {
			t.Errorf("%d bytes of fields in %d", n, len(p))
		}
	})
}

func TestRememberedStringsAreThoseOfTheRecord(t *testing.T) {
	var known Strings
	for i, want := range []string{"a", "a", "", "b", "a", "bb"} {
		var e Encoder
		e.String(3, want)
		e.String(3+32, "other "+want) // a tag that shares the place
		d := known.Decoder(e.Bytes())
		for d.Next() {
			if got := d.String(); got != want && got != "other "+want {
				t.Errorf("record %d: tag %d is %q", i, d.Tag(), got)
			}
		}
		if err := d.Err(); err != nil {
			t.Error(err)
		}
	}
}
