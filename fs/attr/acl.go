package attr

import "encoding/binary"

// The names under which Linux keeps POSIX access control lists (acl(5)).
const (
	ACLAccess  = "system.posix_acl_access"
	ACLDefault = "system.posix_acl_default"
)

// IsACL reports whether an extended attribute of that name is an ACL.
func IsACL(name string) bool { return name == ACLAccess || name == ACLDefault }

// The binary form of an ACL: a version, then entries of tag, permissions and id, all little-endian
// (linux/posix_acl_xattr.h).
const (
	aclVersion   = 2
	aclHeader    = 4
	aclEntry     = 8
	aclUserObj   = 0x01
	aclUser      = 0x02
	aclGroupObj  = 0x04
	aclGroup     = 0x08
	aclMask      = 0x10
	aclOther     = 0x20
	aclPermsMask = 07
)

// An ACL is the value of one of the two xattrs. Its owner, other, and mask (or else owning group) entries are the
// permission bits of the file, so that setting either changes both.
type ACL struct {
	value              []byte
	user, group, other int // where these entries' permissions are
	mask               int // 0 where there is none
}

// ParseACL reads an ACL. ok is false when value is none.
func ParseACL(value []byte) (acl ACL, ok bool) {
	if len(value) < aclHeader || (len(value)-aclHeader)%aclEntry != 0 || binary.LittleEndian.Uint32(value) != aclVersion {
		return ACL{}, false
	}
	acl.value = append([]byte(nil), value...)
	seen := map[uint16]*int{aclUserObj: &acl.user, aclGroupObj: &acl.group, aclOther: &acl.other, aclMask: &acl.mask}
	named := false
	for i := aclHeader; i < len(value); i += aclEntry {
		tag, perms := binary.LittleEndian.Uint16(value[i:]), binary.LittleEndian.Uint16(value[i+2:])
		if perms&^aclPermsMask != 0 {
			return ACL{}, false
		}
		if tag == aclUser || tag == aclGroup {
			named = true
			continue
		}
		at := seen[tag]
		if at == nil || *at != 0 {
			return ACL{}, false
		}
		*at = i + 2
	}
	if acl.user == 0 || acl.group == 0 || acl.other == 0 || named && acl.mask == 0 {
		return ACL{}, false
	}
	return acl, true
}

// Perm returns the permission bits (rwxrwxrwx) that go with the ACL.
func (a ACL) Perm() uint32 {
	at := func(i int) uint32 { return uint32(a.value[i]) & aclPermsMask }
	return at(a.user)<<6 | at(a.groupClass())<<3 | at(a.other)
}

// WithPerm returns the value of the ACL after a chmod to perm.
func (a ACL) WithPerm(perm uint32) []byte {
	value := append([]byte(nil), a.value...)
	value[a.user], value[a.groupClass()], value[a.other] = byte(perm>>6&aclPermsMask), byte(perm>>3&aclPermsMask), byte(perm&aclPermsMask)
	return value
}

// Inherit returns, for a default ACL, the access ACL of what is made in its directory with the mode perm, and the
// permission bits that go with it: none that either of the two lacks (acl(5), "OBJECT CREATION AND DEFAULT ACLs").
func (a ACL) Inherit(perm uint32) (access ACL, bits uint32) {
	bits = a.Perm() & perm
	access = a
	access.value = a.WithPerm(bits)
	return access, bits
}

// Value returns the value of the xattr.
func (a ACL) Value() []byte { return append([]byte(nil), a.value...) }

// Minimal reports whether the ACL says nothing that the permission bits do not.
func (a ACL) Minimal() bool { return len(a.value) == aclHeader+3*aclEntry }

func (a ACL) groupClass() int {
	if a.mask != 0 {
		return a.mask
	}
	return a.group
}
