package tags

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pail/server/internal/s3err"
)

func code(err error) s3err.Code {
	var e *s3err.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Set
		code s3err.Code
	}{
		{"", nil, ""},
		{"foo=bar&bar", Set{{"foo", "bar"}, {"bar", ""}}, ""},
		{"a%20b=c+d&e=%2F", Set{{"a b", "c d"}, {"e", "/"}}, ""},
		{"a=1&a=2", nil, s3err.InvalidArgument},
		{"a=%zz", nil, s3err.InvalidArgument},
		{"=x", nil, s3err.InvalidTag},
		{"a=%00", nil, s3err.InvalidTag},
		{"aws:x=1", nil, s3err.InvalidTag},
		{"%ff=1", nil, s3err.InvalidTag},
		{"a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1", nil, s3err.BadRequest},
	} {
		got, err := ParseHeader(c.in)
		if code(err) != c.code || c.code == "" && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v, %v", c.in, got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	many := func(n int) (s Set) {
		for i := range n {
			s = append(s, Tag{fmt.Sprint(i), ""})
		}
		return s
	}
	for _, c := range []struct {
		set   Set
		limit int
		ok    bool
	}{
		{many(10), MaxObjectTags, true}, {many(11), MaxObjectTags, false},
		{many(50), MaxBucketTags, true}, {many(51), MaxBucketTags, false},
		{Set{{strings.Repeat("ä", 128), strings.Repeat("ß", 256)}}, MaxObjectTags, true},
		{Set{{strings.Repeat("a", 129), ""}}, MaxObjectTags, false},
		{Set{{"a", strings.Repeat("a", 257)}}, MaxObjectTags, false},
		{Set{{"a", ""}, {"a", "b"}}, MaxObjectTags, false},
		{Set{{"a", "b?"}}, MaxObjectTags, false},
	} {
		err := c.set.Check(c.limit)
		want := s3err.InvalidTag
		if len(c.set) > c.limit {
			want = s3err.BadRequest
		}
		if (err == nil) != c.ok || err != nil && code(err) != want {
			t.Errorf("%v: %v", c.set, err)
		}
	}
}

func TestHas(t *testing.T) {
	s := Set{{"a", "1"}, {"b", ""}}
	if !s.Has(nil) || !s.Has(Set{{"b", ""}}) || s.Has(Set{{"a", "2"}}) || s.Has(Set{{"c", ""}}) {
		t.Error("Has is wrong")
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, s := range []string{"", "a=b&c=d", "a%20=+", "&&=", "a=1&a=1", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		set, err := ParseHeader(v)
		if err != nil {
			return
		}
		again, err := ParseHeader(set.Encode())
		if err != nil || !reflect.DeepEqual(again, set) {
			t.Errorf("%q becomes %v, and then %v, %v", v, set, again, err)
		}
	})
}
