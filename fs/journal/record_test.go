package journal

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewriteGolden = flag.Bool("rewrite", false, "write testdata anew")

// goldenChanges are a change of every kind and place.
func goldenChanges() []record {
	return []record{
		{puts: []change{
			{kind: kindPut, id: 1, seq: 1, info: []byte("name: a"), place: placeInline, extents: []Extent{{0, 3}, {10, 2}}, data: []byte("hello"), sum: 0x9a71bb4c},
			{kind: kindPut, id: 2, seq: 2, info: []byte("name: b"), place: placeFile, extents: []Extent{{4096, 1 << 30}}, file: 7, sum: 0xdeadbeef},
		}},
		{
			puts:    []change{{kind: kindPut, id: 1, seq: 3, info: []byte("name: c"), place: placeKept}},
			forgets: []change{{kind: kindForget, id: 2, seq: 2}},
		},
	}
}

// TestGoldenSegment holds the format still: what this version wrote, every later one has to read.
func TestGoldenSegment(t *testing.T) {
	const salt = 0x01020304
	b := appendHeader(nil, "http://s3.example/bucket/prefix/", salt)
	for _, r := range goldenChanges() {
		r.encode()
		sealRecord(r.bytes, salt, int64(len(b)))
		b = append(b, r.bytes...)
	}
	path := filepath.Join("testdata", "segment-v1.hex")
	if *rewriteGolden {
		if err := os.WriteFile(path, []byte(hex.Dump(b)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if hex.Dump(b) != string(golden) {
		t.Errorf("a segment is\n%s", hex.Dump(b))
	}
	owner, gotSalt, at, err := parseHeader(b)
	if owner != "http://s3.example/bucket/prefix/" || gotSalt != salt || err != nil {
		t.Fatalf("header: %q, %x, %v", owner, gotSalt, err)
	}
	for _, want := range goldenChanges() {
		payload, synced, size, err := parseRecord(b[at:], salt)
		if err != nil || synced != int64(at) {
			t.Fatalf("record at %d: %v, synced %d", at, err, synced)
		}
		at += size
		got, err := parseChanges(payload)
		if err != nil || len(got) != len(want.puts)+len(want.forgets) {
			t.Fatalf("%d changes, %v", len(got), err)
		}
		for i, c := range append(want.puts, want.forgets...) {
			if got[i].id != c.id || got[i].seq != c.seq || got[i].kind != c.kind || !bytes.Equal(got[i].data, c.data) ||
				!bytes.Equal(got[i].info, c.info) || got[i].file != c.file || got[i].sum != c.sum || len(got[i].extents) != len(c.extents) {
				t.Errorf("change %+v, want %+v", got[i], c)
			}
		}
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	b := appendHeader(nil, "o", 1)
	b[8] = 2
	if _, _, _, err := parseHeader(b); err != errCorrupt {
		t.Errorf("a header with a wrong checksum: %v", err)
	}
}

// FuzzSegment feeds any bytes to the readers: they must not panic, nor take what they cannot give back as it was.
func FuzzSegment(f *testing.F) {
	whole := appendHeader(nil, "owner", 5)
	for _, r := range goldenChanges() {
		r.encode()
		sealRecord(r.bytes, 5, int64(len(whole)))
		whole = append(whole, r.bytes...)
		f.Add(r.bytes[recordHead:])
	}
	f.Add(whole)
	f.Add([]byte(strings.Repeat("\xff", 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, salt, at, err := parseHeader(b); err == nil {
			for at < len(b) {
				_, _, size, err := parseRecord(b[at:], salt)
				if err != nil {
					_, _ = resume(b, salt, at)
					break
				}
				at += size
			}
		}
		list, err := parseChanges(b)
		if err != nil {
			return
		}
		var again []byte
		for i := range list {
			again = appendChange(again, &list[i])
		}
		same, err := parseChanges(again)
		if err != nil || len(same) != len(list) {
			t.Errorf("%x is read as %+v, which is not read again: %v", b, list, err)
		}
	})
}
