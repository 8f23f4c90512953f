package store

import (
	"bytes"
	"reflect"
	"testing"
)

func (e *env) tags(bucket, key string) []Tag {
	e.t.Helper()
	o, err := e.HeadObject(ctx, bucket, key, ReadInput{})
	if err != nil {
		e.t.Fatal(err)
	}
	return o.Attrs.Tags
}

func TestTags(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e *env) {
		first, second := []Tag{{"b", "1"}, {"a", ""}}, []Tag{{"c", "x"}}
		body := data(3000, 1)
		put, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(body), Size: -1, Attrs: Attrs{ContentType: "t", Tags: first}})
		wantErr(t, err, nil)
		if got := e.tags("b", "k"); !reflect.DeepEqual(got, first) {
			t.Errorf("put with tags has %v", got)
		}
		after, err := e.SetTags(ctx, "b", "k", "", second)
		wantErr(t, err, nil)
		if put.Attrs.Tags, put.LastModified = second, put.LastModified.UTC(); !reflect.DeepEqual(after, put) {
			t.Errorf("SetTags makes\n%+v of\n%+v", after, put)
		}
		e.has("k", body)
		for _, c := range []struct {
			replaceTags *[]Tag
			replace     *Attrs
			want        []Tag
		}{{nil, nil, second}, {&first, nil, first}, {nil, &Attrs{Tags: first}, second}, {&[]Tag{}, &Attrs{}, nil}} {
			_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "c", DstKey: "k", Replace: c.replace, ReplaceTags: c.replaceTags})
			wantErr(t, err, nil)
			if got := e.tags("c", "k"); !reflect.DeepEqual(got, c.want) {
				t.Errorf("copy has %v, want %v", got, c.want)
			}
		}
		_, err = e.SetTags(ctx, "b", "k", "", nil)
		wantErr(t, err, nil)
		if got := e.tags("b", "k"); got != nil {
			t.Errorf("there are still %v", got)
		}
		_, err = e.SetTags(ctx, "b", "none", "", nil)
		wantErr(t, err, ErrNoSuchKey)
		_, err = e.SetTags(ctx, "none", "k", "", nil)
		wantErr(t, err, ErrNoSuchBucket)
	})
}
