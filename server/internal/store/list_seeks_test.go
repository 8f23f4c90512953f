package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
)

// movesDB counts how often iterators move.
type movesDB struct {
	meta.DB
	seeks, steps atomic.Int64
}

func (d *movesDB) View(ctx context.Context, fn func(meta.Reader) error) error {
	return d.DB.View(ctx, func(r meta.Reader) error { return fn(&movesReader{r, d}) })
}

type movesReader struct {
	meta.Reader
	db *movesDB
}

func (r *movesReader) Iter(lower, upper []byte) meta.Iterator {
	return &movesIterator{r.Reader.Iter(lower, upper), r.db}
}

type movesIterator struct {
	meta.Iterator
	db *movesDB
}

func (i *movesIterator) First() bool { i.db.seeks.Add(1); return i.Iterator.First() }
func (i *movesIterator) Next() bool  { i.db.steps.Add(1); return i.Iterator.Next() }
func (i *movesIterator) SeekGE(key []byte) bool {
	i.db.seeks.Add(1)
	return i.Iterator.SeekGE(key)
}

// TestListingsPassWhatTheySkip: a listing with delimiter moves once for each common prefix and once for each object, of
// however many keys.
func TestListingsPassWhatTheySkip(t *testing.T) {
	const directories, files, top = 20, 40, 5
	db := &movesDB{DB: memdb.New()}
	e := newEnv(t, db)
	for d := range directories {
		for f := range files {
			e.put(fmt.Sprintf("dir%02d/key%04d", d, f), nil)
		}
	}
	for i := range top {
		e.put(fmt.Sprintf("top%d", i), nil)
	}
	page := func(q ListQuery) (r ListResult, seeks, steps int64) {
		seeks, steps = db.seeks.Load(), db.steps.Load()
		r, err := e.ListObjects(ctx, "b", q)
		if err != nil {
			t.Fatal(err)
		}
		return r, db.seeks.Load() - seeks, db.steps.Load() - steps
	}
	r, seeks, steps := page(ListQuery{Delimiter: "/", Max: 1000})
	if len(r.Prefixes) != directories || len(r.Objects) != top || seeks != directories+1 || steps != top {
		t.Errorf("%d prefixes, %d objects: %d seeks, %d steps", len(r.Prefixes), len(r.Objects), seeks, steps)
	}
	r, seeks, steps = page(ListQuery{Delimiter: "/", Max: 10, After: "dir04/"})
	if len(r.Prefixes) != 10 || r.Prefixes[0] != "dir05/" || seeks != 11 || steps != 0 {
		t.Errorf("a page in the middle: %v, %d seeks, %d steps", r.Prefixes, seeks, steps)
	}
	r, seeks, steps = page(ListQuery{Prefix: "dir07/", Max: 30})
	if len(r.Objects) != 30 || seeks != 1 || steps > 30 {
		t.Errorf("a page of a directory: %d objects, %d seeks, %d steps", len(r.Objects), seeks, steps)
	}
}
