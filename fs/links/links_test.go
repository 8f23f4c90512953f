package links_test

import (
	"maps"
	"strings"
	"testing"

	"pail/fs/links"
	"pail/s3client"
)

func TestPointerIsReadBack(t *testing.T) {
	id := links.NewID(0xabcdef)
	if n := links.Number(id); n != 0xabcdef {
		t.Errorf("the number of %s is %x", id, n)
	}
	p := links.Pointer{Key: "a b/ü/" + links.Inode(id), Name: links.NewName()}
	keep := s3client.Meta{"mode": "33188"}
	meta := p.Meta(keep)
	if got, ok := links.ParsePointer(meta); !ok || got != p || meta["mode"] != "33188" || len(keep) != 1 {
		t.Errorf("%v becomes %v, %v", p, got, ok)
	}
	if p.ID() != id || p.List() != "a b/ü/.pail/links/"+id || !strings.Contains(string(p.Body()), p.Key) {
		t.Errorf("ID %q, list %q, body %q", p.ID(), p.List(), p.Body())
	}
}

func TestOriginIsReadBack(t *testing.T) {
	o := links.Origin{Pointer: links.Pointer{Key: "a b/ü/" + links.Inode(links.NewID(1)), Name: links.NewName()}, Version: "\"e 1\"-2"}
	of := s3client.Meta{"ctime": "12.000000345", "mode": "33188"}
	meta := o.Meta(of)
	if got, ok := links.ParseOrigin(meta); !ok || got != o || meta["mode"] != "33188" || len(of) != 2 {
		t.Errorf("%v becomes %v, %v", o, got, ok)
	}
	if _, ok := links.ParsePointer(meta); ok {
		t.Error("older mounts take a copy for a pointer")
	}
	if got, ok := links.ParseName(meta); !ok || got != o.Pointer {
		t.Errorf("as a name it is %v, %v", got, ok)
	}
	if got, ok := links.ParseName(o.Pointer.Meta(nil)); !ok || got != o.Pointer {
		t.Errorf("the pointer is %v, %v", got, ok)
	}
	meta["ctime"] = "13"
	if got, ok := links.ParseOrigin(meta); ok {
		t.Errorf("what was changed since is taken for %v", got)
	}
	for _, value := range []string{"", "a b c d", meta[links.OriginName][1:], meta[links.OriginName] + " x"} {
		if got, ok := links.ParseOrigin(s3client.Meta{links.OriginName: value, "ctime": "d"}); ok {
			t.Errorf("%q is taken for %v", value, got)
		}
	}
}

// A pointer comes from strangers: it leads to files of this kind only.
func TestPointersLeadToInodesOnly(t *testing.T) {
	id := links.NewID(1)
	for _, key := range []string{
		"", "a", ".pail/inodes/", ".pail/links/" + id, "x.pail/inodes/" + id, ".pail/inodes/" + id + "/", ".pail/inodes/../" + id,
		".pail/inodes/" + id[1:], ".pail/inodes/" + id[:17], ".pail/inodes/" + id + ".", strings.ToUpper(".pail/inodes/" + id),
	} {
		if p, ok := links.ParsePointer(links.Pointer{Key: key, Name: "n"}.Meta(nil)); ok {
			t.Errorf("%q is taken for %v", key, p)
		}
	}
	for _, meta := range []s3client.Meta{nil, {"pail-inode": ".pail/inodes/" + id}, {"pail-inode": "%zz", "pail-name": "n"}} {
		if p, ok := links.ParsePointer(meta); ok {
			t.Errorf("%v is taken for %v", meta, p)
		}
	}
}

func TestNamesAreReadBack(t *testing.T) {
	n := links.Names{Keys: map[string]string{"one": "a/b", "two": "\xf0\x9f\x98\x80\x01\""}, Closed: true}
	got, err := links.ParseNames(n.Encode())
	if err != nil || !maps.Equal(got.Keys, n.Keys) || got.Closed != n.Closed {
		t.Errorf("%v becomes %v, %v", n, got, err)
	}
	for _, body := range []string{"", "{}", "[]", "null", `{"names":{"a":1}}`} {
		if got, err := links.ParseNames([]byte(body)); err == nil {
			t.Errorf("%q is read as %v", body, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"names":{"a":"b"},"closed":true}`), ".pail/inodes/0000000000000001-abc", "name")
	f.Fuzz(func(t *testing.T, body []byte, key, name string) {
		if n, err := links.ParseNames(body); err == nil {
			if again, err := links.ParseNames(n.Encode()); err != nil || len(again.Keys) != len(n.Keys) {
				t.Errorf("%q is not read back: %v", body, err)
			}
		}
		if p, ok := links.ParsePointer(s3client.Meta{"pail-inode": key, "pail-name": name}); ok {
			if back, ok := links.ParsePointer(p.Meta(nil)); !ok || back != p || p.ID() == "" {
				t.Errorf("%v is not read back: %v", p, back)
			}
		}
		if o, ok := links.ParseOrigin(s3client.Meta{links.OriginName: key, "ctime": name}); ok {
			if back, ok := links.ParseOrigin(o.Meta(s3client.Meta{"ctime": name})); !ok || back != o || o.ID() == "" {
				t.Errorf("%v is not read back: %v", o, back)
			}
		}
	})
}
