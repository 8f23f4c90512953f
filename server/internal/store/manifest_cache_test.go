package store

import (
	"errors"
	"testing"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
)

// hugeManifests puts n manifests of 10,000 parts, which no two lie side by side in a blob, into a database, and gives the
// rows of their objects.
func hugeManifests(t testing.TB, n int) (meta.DB, []*objectRow) {
	m := &manifest{algorithm: "SHA256"}
	for i := range MaxParts {
		m.extents = append(m.extents, extent{blob: blob.ID{byte(i), byte(i >> 8)}, off: 1, len: 5 << 20})
		m.parts = append(m.parts, manifestPart{n: i + 1, size: 5 << 20, sum: make([]byte, 32)})
	}
	document := m.encode()
	db := memdb.New()
	var rows []*objectRow
	err := db.Update(ctx, func(x meta.Txn) error {
		rows = nil
		for i := range n {
			row := &objectRow{size: totalLen(m.extents), parts: MaxParts}
			row.body.kind, row.body.id = bodyManifest, meta.ID{1, byte(i)}
			rows = append(rows, row)
			if err := save(x, meta.ManifestKey(row.body.id, 0), document); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, rows
}

// countedReader counts what is read.
type countedReader struct {
	meta.Reader
	n int
}

func (r *countedReader) Get(key []byte) ([]byte, error) {
	r.n++
	return r.Reader.Get(key)
}

// TestManifestsAreKept: the manifest of a huge object is decoded once, not for each range, in bounded memory.
func TestManifestsAreKept(t *testing.T) {
	db, rows := hugeManifests(t, 40)
	c := newManifestCache(4 << 20)
	err := db.View(ctx, func(r meta.Reader) error {
		counted := &countedReader{Reader: r}
		for range 100 {
			m, err := c.load(counted, rows[0])
			if err != nil || len(m.extents) != MaxParts || m.size() != rows[0].size {
				t.Fatalf("%v", err)
			}
		}
		if counted.n != 1 {
			t.Errorf("100 reads of one object read its manifest %d times", counted.n)
		}
		other := *rows[0]
		other.size++
		if _, err := c.load(counted, &other); !errors.Is(err, meta.ErrDamaged) {
			t.Errorf("a manifest that does not fit: %v", err)
		}
		for _, row := range rows {
			if _, err := c.load(counted, row); err != nil {
				t.Fatal(err)
			}
		}
		if c.bytes > c.limit || c.bytes < c.limit/2 || c.lru.Len() >= len(rows) {
			t.Errorf("%d manifests in %d bytes of %d", c.lru.Len(), c.bytes, c.limit)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkLoadHugeManifest(b *testing.B) {
	db, rows := hugeManifests(b, 1)
	for name, load := range map[string]func(meta.Reader, *objectRow) (*manifest, error){
		"decoded": loadManifest, "kept": newManifestCache(manifestMemory).load,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := db.View(ctx, func(r meta.Reader) error {
					m, err := load(r, rows[0])
					if err == nil && m.starts == nil {
						b.Error("no manifest")
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
