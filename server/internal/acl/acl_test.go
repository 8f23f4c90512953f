package acl

import (
	"errors"
	"slices"
	"testing"
)

type people map[string]string

func (p people) CanonicalID(id string) bool {
	for _, v := range p {
		if v == id {
			return true
		}
	}
	return false
}

func (p people) Email(a string) (string, bool) { id, ok := p[a]; return id, ok }

func TestCannedLists(t *testing.T) {
	for _, c := range []struct {
		name   string
		object bool
		who    string
		p      Permission
		want   bool
	}{
		{"private", true, "o", FullControl, true},
		{"private", true, "x", Read, false},
		{"private", true, "", Read, false},
		{"public-read", true, "", Read, true},
		{"public-read", true, "", Write, false},
		{"public-read-write", false, "", Write, true},
		{"public-read-write", false, "", ReadACP, false},
		{"authenticated-read", true, "x", Read, true},
		{"authenticated-read", true, "", Read, false},
		{"authenticated-read", true, AnonymousID, Read, false},
		{"bucket-owner-read", true, "b", Read, true},
		{"bucket-owner-read", true, "b", WriteACP, false},
		{"bucket-owner-full-control", true, "b", WriteACP, true},
		{"bucket-owner-full-control", false, "b", WriteACP, false},
	} {
		l, ok := Canned(c.name, "o", "b", c.object)
		if !ok || l.Allows(c.who, c.p) != c.want {
			t.Errorf("%s %q %s: %v", c.name, c.who, c.p, l)
		}
	}
	if _, ok := Canned("public", "o", "b", true); ok {
		t.Error("an unknown name is taken")
	}
	l, _ := Canned("public-read-write", "o", "b", true)
	if !l.Public() || l.OwnerOnly("o") || l.WithoutPublic().Public() || !l.WithoutPublic().OwnerOnly("o") {
		t.Error("what is public")
	}
}

func TestStoredForm(t *testing.T) {
	for _, l := range []List{{}, Private("o"), {{Group: AllUsers, Permission: Read}, {ID: "x", Permission: WriteACP}}} {
		got, err := Decode(l.Encode(), "o")
		if err != nil || !slices.Equal(got, l) {
			t.Errorf("%v: %v %v", l, got, err)
		}
	}
	if l, err := Decode(nil, "o"); err != nil || !slices.Equal(l, Private("o")) {
		t.Error("the default")
	}
	for _, bad := range []string{"2", "1\n", "1\nREAD", "1\nREAD x:y", "1\nEAT id:x"} {
		if _, err := Decode([]byte(bad), "o"); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestGrantHeaders(t *testing.T) {
	dir := people{"a@b": "A"}
	l, err := ParseGrants(`id="A", emailAddress=a@b, uri="`+AllUsers+`"`, Read, dir)
	if err != nil || !slices.Equal(l, List{{ID: "A", Permission: Read}, {ID: "A", Permission: Read}, {Group: AllUsers, Permission: Read}}) {
		t.Errorf("%v %v", l, err)
	}
	for _, bad := range []string{"", "A", "name=A"} {
		if _, err := ParseGrants(bad, Read, dir); !errors.Is(err, ErrGrant) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, unknown := range []string{"id=B", "emailAddress=x@y", "uri=http://x"} {
		var e *UnknownError
		if _, err := ParseGrants(unknown, Read, dir); !errors.As(err, &e) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
}

// FuzzDecode: a stored list that can be read is written as it was read.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("1\nREAD uri:" + AllUsers + "\nFULL_CONTROL id:x"))
	f.Add([]byte("1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Decode(b, "o")
		if err != nil || len(b) == 0 {
			return
		}
		again, err := Decode(l.Encode(), "o")
		if err != nil || !slices.Equal(l, again) {
			t.Fatalf("%q: %v %v %v", b, l, again, err)
		}
	})
}

// FuzzGrants: no header makes a list with a grantee that nobody knows.
func FuzzGrants(f *testing.F) {
	f.Add(`id="A", emailAddress=a@b`)
	f.Fuzz(func(t *testing.T, v string) {
		l, err := ParseGrants(v, Read, people{"a@b": "A"})
		for _, g := range l {
			if err == nil && g.ID != "A" && !ValidGroup(g.Group) {
				t.Fatalf("%q: %v", v, g)
			}
		}
	})
}
