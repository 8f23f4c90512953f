package pebbledb

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"pail/server/internal/meta"
)

// reader reads a snapshot or an indexed batch.
type reader struct {
	source    pebble.Reader
	iterators []*iterator // open
}

func (r *reader) Get(key []byte) ([]byte, error) {
	v, closer, err := r.source.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, meta.ErrNotFound
	}
	if err != nil {
		return nil, damaged(err, key)
	}
	own := bytes.Clone(v)
	return own, closer.Close()
}

func (r *reader) Iter(lower, upper []byte) meta.Iterator {
	it, err := r.source.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return &failed{err}
	}
	open := &iterator{Iterator: it, reader: r}
	r.iterators = append(r.iterators, open)
	return open
}

// closeIterators closes what fn left open: Pebble must not lose track of an iterator.
func (r *reader) closeIterators() {
	for _, it := range r.iterators {
		it.Iterator.Close()
	}
	r.iterators = nil
}

type iterator struct {
	*pebble.Iterator
	reader *reader
}

func (it *iterator) Err() error { return damaged(it.Error(), nil) }

func (it *iterator) Close() error {
	for i, open := range it.reader.iterators {
		if open == it {
			it.reader.iterators = append(it.reader.iterators[:i], it.reader.iterators[i+1:]...)
			return it.Iterator.Close()
		}
	}
	return nil
}

// failed is an iterator that could not be made.
type failed struct{ err error }

func (f *failed) First() bool        { return false }
func (f *failed) SeekGE([]byte) bool { return false }
func (f *failed) Next() bool         { return false }
func (f *failed) Valid() bool        { return false }
func (f *failed) Key() []byte        { return nil }
func (f *failed) Value() []byte      { return nil }
func (f *failed) Err() error         { return f.err }
func (f *failed) Close() error       { return nil }

type txn struct {
	reader
	batch   *pebble.Batch
	deletes int
}

// run calls fn, also to its panic, and closes its iterators.
func (t *txn) run(fn func(meta.Txn) error) error {
	defer t.closeIterators()
	return fn(t)
}

func (t *txn) Set(key, value []byte) error { return t.batch.Set(key, value, nil) }

func (t *txn) Delete(key []byte) error {
	t.deletes++
	return t.batch.Delete(key, nil)
}
