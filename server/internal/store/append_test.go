package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pail/server/internal/checksum"
)

func (e *env) appendTo(key string, off int64, p []byte) (Object, error) {
	return e.AppendObject(ctx, PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(p), Size: int64(len(p)), Algorithm: checksum.CRC64NVME}, off)
}

func TestAppend(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		var want []byte
		var last Object
		for i, n := range []int{10, 5, 3000, 7, 0, 2000} {
			p := data(n, byte(i))
			o, err := e.appendTo("k", int64(len(want)), p)
			wantErr(t, err, nil)
			want = append(want, p...)
			h := checksum.CRC64NVME.New()
			h.Write(want)
			if o.Size != int64(len(want)) || o.ETag == last.ETag || !bytes.Equal(o.Checksum.Value, h.Sum(nil)) {
				t.Errorf("after %d bytes: %+v", n, o)
			}
			e.has("k", want)
			last = o
		}
		for _, off := range []int64{0, 4, int64(len(want)) + 1} {
			_, err := e.appendTo("k", off, data(5, 9))
			wantErr(t, err, ErrWriteOffset)
		}
		_, err := e.appendTo("none", 1, data(5, 9))
		wantErr(t, err, ErrWriteOffset)
		_, err = e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "b", DstKey: "copy"})
		wantErr(t, err, nil)
		e.put("k", data(2500, 1))
		_, err = e.appendTo("k", 2500, data(4, 2))
		wantErr(t, err, nil)
		e.has("k", append(data(2500, 1), data(4, 2)...))
		e.has("copy", want)
		e.check()
	})
}

func TestAppendKeepsWhatTheObjectHas(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		attrs := Attrs{ContentType: "text/x", Meta: map[string]string{"a": "b"}, Tags: []Tag{{"k", "v"}}}
		_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(10, 1)), Size: 10, Owner: "me", Attrs: attrs})
		wantErr(t, err, nil)
		o, err := e.appendTo("k", 10, data(10, 2))
		if err != nil || o.Attrs.ContentType != "text/x" || o.Attrs.Meta["a"] != "b" || len(o.Attrs.Tags) != 1 || o.Owner != "me" || !o.Checksum.IsZero() {
			t.Errorf("%+v, %v", o, err)
		}
		bad := errors.New("bad digest")
		_, err = e.AppendObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(3, 1)), Size: 3, Verify: func(Computed) error { return bad }}, 20)
		wantErr(t, err, bad)
		_, err = e.AppendObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(data(3, 1)), Size: 3, Cond: Conditions{IfMatch: []string{"x"}}}, 20)
		wantErr(t, err, ErrPrecondition)
	})
}

// Of appends to the same offset one wins, and the others are told.
func TestAppendsCompete(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		done := make(chan int)
		for w := range 4 {
			go func() {
				won := 0
				for i := range 20 {
					if _, err := e.appendTo("k", int64(i*3), []byte(fmt.Sprintf("%d%02d", w, i))); err == nil {
						won++
					}
				}
				done <- won
			}()
		}
		won := 0
		for range 4 {
			won += <-done
		}
		if got := e.get("k"); len(got) != 3*won {
			t.Errorf("%d appends made %d bytes", won, len(got))
		}
	})
}
