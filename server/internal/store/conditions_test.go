package store

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

var (
	row0     = &objectRow{size: 5, modified: time.Unix(1000, 500), etag: [16]byte{0xab}}
	etag0    = row0.etagText()
	earlier  = time.Unix(999, 0)
	same     = time.Unix(1000, 0)
	later    = time.Unix(1001, 0)
	yes, no  = []string{"x", etag0}, []string{"x", "y"}
	anything = []string{"*"}
)

// outcome is nil, ErrNoSuchKey, ErrNotModified, or a *PreconditionError given by its condition.
func checkOutcome(t *testing.T, what string, c Conditions, err error, want any) {
	t.Helper()
	var p *PreconditionError
	switch w := want.(type) {
	case string:
		if !errors.As(err, &p) || p.Condition != w || !errors.Is(err, ErrPrecondition) {
			t.Errorf("%s %+v: %v, want a failed %s", what, c, err, w)
		}
	case error:
		if !errors.Is(err, w) {
			t.Errorf("%s %+v: %v, want %v", what, c, err, w)
		}
	default:
		if err != nil {
			t.Errorf("%s %+v: %v", what, c, err)
		}
	}
}

func TestReadConditions(t *testing.T) {
	const src = "x-amz-copy-source-"
	for _, c := range []struct {
		cond         Conditions
		read, source any
	}{
		{Conditions{}, nil, nil},
		{Conditions{IfMatch: yes}, nil, nil},
		{Conditions{IfMatch: []string{`"` + etag0 + `"`}}, nil, nil},
		{Conditions{IfMatch: anything}, nil, nil},
		{Conditions{IfMatch: no}, ifMatch, src + ifMatch},
		{Conditions{IfNoneMatch: no}, nil, nil},
		{Conditions{IfNoneMatch: yes}, ErrNotModified, src + ifNoneMatch},
		{Conditions{IfNoneMatch: anything}, ErrNotModified, src + ifNoneMatch},
		{Conditions{IfModifiedSince: earlier}, nil, nil},
		{Conditions{IfModifiedSince: same}, ErrNotModified, src + ifModifiedSince},
		{Conditions{IfModifiedSince: later}, ErrNotModified, src + ifModifiedSince},
		{Conditions{IfUnmodifiedSince: earlier}, ifUnmodifiedSince, src + ifUnmodifiedSince},
		{Conditions{IfUnmodifiedSince: same}, nil, nil},
		{Conditions{IfUnmodifiedSince: later}, nil, nil},
		{Conditions{IfMatch: yes, IfUnmodifiedSince: earlier}, nil, nil},
		{Conditions{IfMatch: no, IfUnmodifiedSince: later}, ifMatch, src + ifMatch},
		{Conditions{IfNoneMatch: yes, IfModifiedSince: earlier}, ErrNotModified, src + ifNoneMatch},
		{Conditions{IfNoneMatch: no, IfModifiedSince: later}, nil, nil},
		{Conditions{IfMatch: no, IfNoneMatch: yes}, ifMatch, src + ifMatch},
		{Conditions{IfMatch: yes, IfNoneMatch: yes}, ErrNotModified, src + ifNoneMatch},
	} {
		checkOutcome(t, "read", c.cond, c.cond.forRead(row0), c.read)
		checkOutcome(t, "source", c.cond, c.cond.forSource(row0), c.source)
	}
}

func TestWriteConditions(t *testing.T) {
	five, six := int64(5), int64(6)
	for _, c := range []struct {
		cond            Conditions
		existing, fresh any
	}{
		{Conditions{}, nil, nil},
		{Conditions{IfMatch: yes}, nil, ErrNoSuchKey},
		{Conditions{IfMatch: anything}, nil, ErrNoSuchKey},
		{Conditions{IfMatch: no}, ifMatch, ErrNoSuchKey},
		{Conditions{IfNoneMatch: anything}, ifNoneMatch, nil},
		{Conditions{IfNoneMatch: yes}, ifNoneMatch, nil},
		{Conditions{IfNoneMatch: no}, nil, nil},
		{Conditions{IfUnmodifiedSince: earlier}, ifUnmodifiedSince, nil},
		{Conditions{IfUnmodifiedSince: same}, nil, nil},
		{Conditions{IfMatch: yes, IfUnmodifiedSince: earlier}, nil, ErrNoSuchKey},
		{Conditions{IfModifiedSince: same}, ifModifiedSince, nil},
		{Conditions{IfModifiedSince: earlier}, nil, nil},
		{Conditions{Size: &five}, nil, nil},
		{Conditions{Size: &six}, ifMatchSize, nil},
		{Conditions{LastModified: same}, nil, nil},
		{Conditions{LastModified: later}, ifMatchModified, nil},
	} {
		checkOutcome(t, "existing", c.cond, c.cond.forWrite(row0), c.existing)
		checkOutcome(t, "missing", c.cond, c.cond.forWrite(nil), c.fresh)
		if c.cond.empty() != (c.existing == nil && c.fresh == nil && c.cond.IfNoneMatch == nil &&
			c.cond.IfUnmodifiedSince.IsZero() && c.cond.IfModifiedSince.IsZero() && c.cond.Size == nil && c.cond.LastModified.IsZero()) {
			t.Errorf("empty() of %+v", c.cond)
		}
	}
}

func TestConditionalPutAndDelete(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		put := func(p []byte, c Conditions) error {
			_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(p), Size: int64(len(p)), Cond: c})
			return err
		}
		first, second := data(10, 1), data(5000, 2)
		wantErr(t, put(first, Conditions{IfMatch: anything}), ErrNoSuchKey)
		wantErr(t, put(first, Conditions{IfNoneMatch: anything}), nil)
		wantErr(t, put(second, Conditions{IfNoneMatch: anything}), ErrPrecondition)
		wantErr(t, put(second, Conditions{IfMatch: []string{md5hex(second)}}), ErrPrecondition)
		e.has("k", first)
		wantErr(t, put(second, Conditions{IfMatch: []string{md5hex(first)}}), nil)
		e.has("k", second)
		_, err := e.DeleteObject(ctx, "b", "k", DeleteInput{Cond: Conditions{IfMatch: []string{md5hex(first)}}})
		wantErr(t, err, ErrPrecondition)
		e.has("k", second)
		_, err = e.DeleteObject(ctx, "b", "k", DeleteInput{Cond: Conditions{IfMatch: []string{md5hex(second)}}})
		wantErr(t, err, nil)
		e.has("k", nil)
		_, err = e.GetObject(ctx, "b", "k", ReadInput{Cond: Conditions{IfMatch: anything}})
		wantErr(t, err, ErrNoSuchKey)
		e.put("k", first)
		_, err = e.GetObject(ctx, "b", "k", ReadInput{Cond: Conditions{IfNoneMatch: anything}})
		wantErr(t, err, ErrNotModified)
		o, err := e.HeadObject(ctx, "b", "k", ReadInput{Cond: Conditions{IfNoneMatch: anything}})
		wantErr(t, err, ErrNotModified)
		if o.ETag != md5hex(first) {
			t.Error("a 304 does not know its ETag")
		}
	})
}

// TestConditionIsDecidedAtTheEnd: the object changes while the body is being sent.
func TestConditionIsDecidedAtTheEnd(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		winner := data(20, 3)
		_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Size: -1, Cond: Conditions{IfNoneMatch: anything},
			Body: readFunc(func() { e.put("k", winner) })})
		wantErr(t, err, ErrPrecondition)
		e.has("k", winner)
	})
}

// readFunc is an empty body that does something when it is read.
type readFunc func()

func (f readFunc) Read([]byte) (int, error) { f(); return 0, io.EOF }
