package attr

import (
	"maps"
	"reflect"
	"testing"
	"time"
)

func TestMergeTakesWhatWasChanged(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	base := Attr{
		Mode: Regular | 0o644, UID: 1, GID: 2, Mtime: at(1), Atime: at(1), Ctime: at(1),
		Xattrs: map[string][]byte{"user.kept": []byte("k"), "user.gone": []byte("g"), "user.new": []byte("old")},
	}
	theirs := base
	theirs.Mode, theirs.UID, theirs.Mtime, theirs.Ctime, theirs.Links = Regular|0o640, 5, at(7), at(7), 2
	theirs.Xattrs = maps.Clone(base.Xattrs)
	theirs.Xattrs["user.theirs"] = []byte("t")
	if got := Merge(base, base, theirs); !reflect.DeepEqual(got, theirs) {
		t.Errorf("without changes: %+v, want %+v", got, theirs)
	}

	mine := base
	mine.Mode, mine.GID, mine.Atime, mine.Ctime = Regular|0o600, 6, at(8), at(9)
	mine.Xattrs = map[string][]byte{"user.kept": []byte("k"), "user.new": []byte("n")}
	want := Attr{
		Mode: Regular | 0o600, UID: 5, GID: 6, Mtime: at(7), Atime: at(8), Ctime: at(9), Links: 2,
		Xattrs: map[string][]byte{"user.kept": []byte("k"), "user.new": []byte("n"), "user.theirs": []byte("t")},
	}
	got := Merge(base, mine, theirs)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it is %+v, want %+v", got, want)
	}
	if again := Merge(base, mine, got); !reflect.DeepEqual(again, got) {
		t.Errorf("merged twice it is %+v", again)
	}
	if len(theirs.Xattrs) != 4 {
		t.Errorf("theirs was changed: %v", theirs.Xattrs)
	}
}

func TestMergeKeepsACLAndModeTogether(t *testing.T) {
	theirs := Attr{Mode: Regular | 0o644, Xattrs: map[string][]byte{ACLAccess: aclValue(entry{aclUserObj, 6, noID}, entry{aclUser, 6, 1000}, entry{aclGroupObj, 4, noID}, entry{aclMask, 4, noID}, entry{aclOther, 4, noID})}}
	base := Attr{Mode: Regular | 0o644}
	mine := Attr{Mode: Regular | 0o600}
	got := Merge(base, mine, theirs)
	acl, ok := ParseACL(got.Xattrs[ACLAccess])
	if !ok || acl.Perm() != 0o600 || got.Mode != Regular|0o600 {
		t.Errorf("mode %o with ACL %o", got.Mode, acl.Perm())
	}
}
