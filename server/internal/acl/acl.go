package acl

import (
	"errors"
	"slices"
	"strings"
)

// MaxGrants is how many grants a list may have.
const MaxGrants = 100

// Permission is what a grant gives.
type Permission string

// The permissions.
const (
	Read        Permission = "READ"
	Write       Permission = "WRITE"
	ReadACP     Permission = "READ_ACP"
	WriteACP    Permission = "WRITE_ACP"
	FullControl Permission = "FULL_CONTROL"
)

// Valid reports whether p is a permission.
func (p Permission) Valid() bool {
	return slices.Contains([]Permission{Read, Write, ReadACP, WriteACP, FullControl}, p)
}

// Groups that grants can be for.
const (
	AllUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	AuthenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	LogDelivery        = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// AnonymousID is the canonical id that AWS gives to whoever has none.
const AnonymousID = "65a011a29cdf8ec533ec3d1ccaae921c"

// ValidGroup reports whether uri is a group.
func ValidGroup(uri string) bool {
	return uri == AllUsers || uri == AuthenticatedUsers || uri == LogDelivery
}

// Grant gives one permission to an account, named by its canonical id, or to a group.
type Grant struct {
	ID         string // of an account, or ""
	Group      string // URI of a group, or ""
	Permission Permission
}

// List is an access control list.
type List []Grant

// Private is the list of what was never shared.
func Private(owner string) List { return List{{ID: owner, Permission: FullControl}} }

// Allows reports whether the list gives the permission to the account of that canonical id; "" is nobody's.
func (l List) Allows(id string, p Permission) bool {
	for _, g := range l {
		if g.Permission != p && g.Permission != FullControl {
			continue
		}
		switch {
		case g.ID != "" && g.ID == id, g.Group == AllUsers, g.Group == AuthenticatedUsers && id != "" && id != AnonymousID:
			return true
		}
	}
	return false
}

// Public reports whether the list grants anything to everybody or to everybody with an account.
func (l List) Public() bool { return slices.ContainsFunc(l, Grant.Public) }

// Public reports whether the grant is to everybody or to everybody with an account.
func (g Grant) Public() bool { return g.Group == AllUsers || g.Group == AuthenticatedUsers }

// WithoutPublic gives the list without what it grants to everybody, or to whoever has no account.
func (l List) WithoutPublic() List {
	return slices.DeleteFunc(slices.Clone(l), func(g Grant) bool { return g.Public() || g.ID == AnonymousID })
}

// OwnerOnly reports whether nobody but the owner is granted anything.
func (l List) OwnerOnly(owner string) bool {
	return !slices.ContainsFunc(l, func(g Grant) bool { return g.ID != owner })
}

// Canned gives the list of that name. object tells whether it is for an object, whose bucket is bucketOwner's: the
// bucket-owner lists mean nothing on a bucket, where they are as private.
func Canned(name, owner, bucketOwner string, object bool) (List, bool) {
	l := Private(owner)
	group := func(uri string, permissions ...Permission) {
		for _, p := range permissions {
			l = append(l, Grant{Group: uri, Permission: p})
		}
	}
	switch name {
	case "private", "aws-exec-read":
	case "public-read":
		group(AllUsers, Read)
	case "public-read-write":
		group(AllUsers, Read, Write)
	case "authenticated-read":
		group(AuthenticatedUsers, Read)
	case "log-delivery-write":
		if !object {
			group(LogDelivery, Write, ReadACP)
		}
	case "bucket-owner-read", "bucket-owner-full-control":
		if object && owner != bucketOwner {
			p := FullControl
			if name == "bucket-owner-read" {
				p = Read
			}
			l = append(l, Grant{ID: bucketOwner, Permission: p})
		}
	default:
		return nil, false
	}
	return l, true
}

// ErrGrant means that a grant header is not of the form that S3 wants.
var ErrGrant = errors.New("acl: malformed grant")

// Directory finds accounts by what clients call them; ok is false when there is none.
type Directory interface {
	CanonicalID(id string) bool
	Email(address string) (id string, ok bool)
}

// UnknownError is a grantee that no account stands behind.
type UnknownError struct {
	Kind  string // "id", "emailAddress" or "uri"
	Value string
}

func (e *UnknownError) Error() string { return "acl: unknown grantee " + e.Kind + "=" + e.Value }

// ParseGrants reads the value of an x-amz-grant-* header: `id="...", emailAddress="...", uri="..."`. The error is ErrGrant
// or *UnknownError.
func ParseGrants(value string, p Permission, dir Directory) (List, error) {
	var l List
	for part := range strings.SplitSeq(value, ",") {
		kind, who, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || len(l) == MaxGrants {
			return nil, ErrGrant
		}
		who = strings.Trim(strings.TrimSpace(who), `"'`)
		g, err := Grantee(strings.TrimSpace(kind), who, dir)
		if err != nil {
			return nil, err
		}
		g.Permission = p
		l = append(l, g)
	}
	return l, nil
}

// Grantee finds a grantee by kind ("id", "emailAddress", "uri", in any case) and value.
func Grantee(kind, value string, dir Directory) (Grant, error) {
	switch strings.ToLower(kind) {
	case "id":
		if !strings.ContainsAny(value, " \n") && dir.CanonicalID(value) { // which would break the stored form
			return Grant{ID: value}, nil
		}
		return Grant{}, &UnknownError{"id", value}
	case "emailaddress":
		if id, ok := dir.Email(value); ok {
			return Grant{ID: id}, nil
		}
		return Grant{}, &UnknownError{"emailAddress", value}
	case "uri":
		if ValidGroup(value) {
			return Grant{Group: value}, nil
		}
		return Grant{}, &UnknownError{"uri", value}
	}
	return Grant{}, ErrGrant
}

// The stored form.
const (
	encodingVersion = '1'
	idKind          = "id:"
	groupKind       = "uri:"
)

// Encode gives the stored form; it is never empty.
func (l List) Encode() []byte {
	b := []byte{encodingVersion}
	for _, g := range l {
		b = append(append(append(b, '\n'), g.Permission...), ' ')
		if g.Group != "" {
			b = append(append(b, groupKind...), g.Group...)
		} else {
			b = append(append(b, idKind...), g.ID...)
		}
	}
	return b
}

// Decode reads the stored form; nothing is the private list of owner.
func Decode(b []byte, owner string) (List, error) {
	if len(b) == 0 {
		return Private(owner), nil
	}
	lines := strings.Split(string(b), "\n")
	if lines[0] != string(encodingVersion) {
		return nil, errors.New("acl: stored list of an unknown version")
	}
	l := make(List, 0, len(lines)-1)
	for _, line := range lines[1:] {
		p, who, _ := strings.Cut(line, " ")
		g := Grant{Permission: Permission(p)}
		var ok1, ok2 bool
		g.ID, ok1 = strings.CutPrefix(who, idKind)
		g.Group, ok2 = strings.CutPrefix(who, groupKind)
		if !ok1 {
			g.ID = ""
		}
		if !ok2 {
			g.Group = ""
		}
		if ok1 == ok2 || !g.Permission.Valid() {
			return nil, errors.New("acl: stored list is malformed")
		}
		l = append(l, g)
	}
	return l, nil
}
