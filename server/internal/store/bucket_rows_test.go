package store

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestBucketRowsAreThoseOfVersion1 holds the rows of configurations and usage, and the tags of objects, to how they were
// first written.
func TestBucketRowsAreThoseOfVersion1(t *testing.T) {
	config := configRow{document: []byte("<CORSConfiguration/>")}
	usage := usageRow{Objects: 3, Bytes: 1 << 33, Quota: 1 << 40}
	tagged := &objectRow{attrs: Attrs{Tags: []Tag{{Key: "k", Value: "v"}, {Key: "empty"}}}}
	text := fmt.Sprintf("config %x\nusage %x\ntags %x\n", config.encode(), usage.encode(), tagged.encode())
	path := filepath.Join("testdata", "rows-v1-buckets.golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil || string(golden) != text {
		t.Fatalf("rows are written as\n%swant\n%s%v", text, golden, err)
	}
	var lines [3]string
	if _, err := fmt.Sscanf(text, "config %s\nusage %s\ntags %s\n", &lines[0], &lines[1], &lines[2]); err != nil {
		t.Fatal(err)
	}
	raw := make([][]byte, 3)
	for i, line := range lines {
		if raw[i], err = hex.DecodeString(line); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := decodeConfig(raw[0]); err != nil || !reflect.DeepEqual(got, config) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := decodeUsage(raw[1]); err != nil || got != usage {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := decodeObject(raw[2]); err != nil || !reflect.DeepEqual(got, tagged) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzUsageRow(f *testing.F) {
	f.Add(usageRow{Objects: 3, Bytes: 5, Quota: 7}.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		u, err := decodeUsage(p)
		if err != nil {
			return
		}
		if again, err := decodeUsage(u.encode()); err != nil || again != u {
			t.Errorf("%+v becomes %+v, %v", u, again, err)
		}
	})
}
