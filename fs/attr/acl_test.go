package attr

import (
	"encoding/binary"
	"testing"
)

// entry is tag, permissions and id of an ACL entry.
type entry struct {
	tag, perm uint16
	id        uint32
}

func aclValue(entries ...entry) []byte {
	v := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		v = binary.LittleEndian.AppendUint16(v, e.tag)
		v = binary.LittleEndian.AppendUint16(v, e.perm)
		v = binary.LittleEndian.AppendUint32(v, e.id)
	}
	return v
}

const noID = 0xffffffff

func TestACLGoesWithPermissionBits(t *testing.T) {
	minimal := aclValue(entry{aclUserObj, 6, noID}, entry{aclGroupObj, 4, noID}, entry{aclOther, 0, noID})
	extended := aclValue(entry{aclUserObj, 7, noID}, entry{aclUser, 6, 1000}, entry{aclGroupObj, 1, noID}, entry{aclMask, 5, noID}, entry{aclOther, 4, noID})
	for _, c := range []struct {
		name    string
		value   []byte
		perm    uint32
		minimal bool
	}{
		{"minimal", minimal, 0o640, true},
		{"the mask stands for the group", extended, 0o754, false},
	} {
		acl, ok := ParseACL(c.value)
		if !ok || acl.Perm() != c.perm || acl.Minimal() != c.minimal {
			t.Errorf("%s: ok %v, perm %o, minimal %v", c.name, ok, acl.Perm(), acl.Minimal())
		}
		changed, ok := ParseACL(acl.WithPerm(0o123))
		if !ok || changed.Perm() != 0o123 {
			t.Errorf("%s: after chmod 123: ok %v, perm %o", c.name, ok, changed.Perm())
		}
	}
	acl, _ := ParseACL(extended)
	if changed, _ := ParseACL(acl.WithPerm(0)); changed.value[changed.group] != 1 {
		t.Error("chmod changes the owning group where there is a mask")
	}
}

func TestParseACLRefuses(t *testing.T) {
	for name, value := range map[string][]byte{
		"nothing":            nil,
		"another version":    {1, 0, 0, 0},
		"half an entry":      aclValue(entry{aclUserObj, 6, noID})[:9],
		"no owner":           aclValue(entry{aclGroupObj, 4, noID}, entry{aclOther, 0, noID}),
		"two owners":         aclValue(entry{aclUserObj, 6, noID}, entry{aclUserObj, 6, noID}, entry{aclGroupObj, 4, noID}, entry{aclOther, 0, noID}),
		"a user but no mask": aclValue(entry{aclUserObj, 6, noID}, entry{aclUser, 6, 1}, entry{aclGroupObj, 4, noID}, entry{aclOther, 0, noID}),
		"unknown tag":        aclValue(entry{0x40, 6, noID}, entry{aclUserObj, 6, noID}, entry{aclGroupObj, 4, noID}, entry{aclOther, 0, noID}),
		"unknown permission": aclValue(entry{aclUserObj, 8, noID}, entry{aclGroupObj, 4, noID}, entry{aclOther, 0, noID}),
	} {
		if _, ok := ParseACL(value); ok {
			t.Errorf("%s: taken", name)
		}
	}
}
