package store

import (
	"bytes"
	"crypto/md5"
	"errors"
	"hash/crc32"
	"testing"

	"pail/server/internal/blob"
)

// failingWriter takes so many writes.
type failingWriter struct {
	left int
	got  []byte
}

var errFull = errors.New("full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left == 0 {
		return 0, errFull
	}
	w.left--
	w.got = append(w.got, p...)
	return len(p), nil
}

func TestIntakeWritesAndHashesInOrder(t *testing.T) {
	const pieces, size = 40, 100
	for _, writes := range []int{pieces, pieces - 1, 3, 0} {
		pool := blob.NewBuffers(intakeBuffers, size)
		w, sum := &failingWriter{left: writes}, crc32.NewIEEE()
		d := newIntake(pool, w, sum, true)
		var want []byte
		p := pool.Get()
		for i := range pieces {
			copy(p, bytes.Repeat([]byte{byte(i)}, size))
			want = append(want, p[:size-i%3]...)
			d.add(p[:size-i%3])
			p = d.buffer()
		}
		d.add(p[:0])
		err := d.stop()
		if again := d.stop(); again != err {
			t.Errorf("stop gives %v and then %v", err, again)
		}
		if failed := writes < pieces; failed != errors.Is(err, errFull) {
			t.Errorf("after %d writes: %v", writes, err)
		}
		if n := len(w.got); !bytes.Equal(w.got, want[:n]) || sum.Sum32() != crc32.ChecksumIEEE(want[:n]) {
			t.Errorf("%d writes: other bytes were written or summed than added", writes)
		}
		if writes == pieces && !bytes.Equal(d.md5.Sum(nil), sumOf(want)) {
			t.Error("MD5 differs")
		}
		for range d.taken {
			pool.Get()[0] = 1 // each came back
		}
	}
}

func sumOf(p []byte) []byte {
	sum := md5.Sum(p)
	return sum[:]
}

// Without MD5 everything else is as with it.
func TestIntakeWithoutMD5(t *testing.T) {
	pool := blob.NewBuffers(intakeBuffers, 100)
	w := &failingWriter{left: 20}
	d := newIntake(pool, w, nil, false)
	var want []byte
	p := pool.Get()
	for i := range 20 {
		copy(p, bytes.Repeat([]byte{byte(i)}, 100))
		want = append(want, p...)
		d.add(p)
		p = d.buffer()
	}
	d.add(p[:0])
	if err := d.stop(); err != nil || d.md5 != nil || !bytes.Equal(w.got, want) {
		t.Errorf("%d bytes of %d, MD5 %v, %v", len(w.got), len(want), d.md5, err)
	}
}
