package volume

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"pail/fs/attr"
	"pail/fs/keymap"
)

// maxXattr is the longest value that Linux passes (XATTR_SIZE_MAX).
const maxXattr = 64 << 10

// xattrName says why there is no attribute of that name: it has to be in a namespace of xattr(7).
func xattrName(name string) error {
	for _, space := range []string{"user.", "trusted.", "security."} {
		if rest, ok := strings.CutPrefix(name, space); ok {
			if rest == "" {
				return ErrInvalid
			}
			return nil
		}
	}
	if attr.IsACL(name) {
		return nil
	}
	return ErrNotSupported
}

// Getxattr returns the value of an extended attribute.
func (v *Volume) Getxattr(ctx context.Context, n *Inode, name string) ([]byte, error) {
	if err := xattrName(name); err != nil {
		return nil, err
	}
	st, err := v.Getattr(ctx, n)
	if err != nil {
		return nil, err
	}
	value, ok := st.Xattrs[name]
	if !ok {
		return nil, ErrNoAttr
	}
	return slices.Clone(value), nil
}

// Listxattr returns the names of all extended attributes in order.
func (v *Volume) Listxattr(ctx context.Context, n *Inode) ([]string, error) {
	st, err := v.Getattr(ctx, n)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(st.Xattrs)), nil
}

// Setxattr sets an extended attribute; flags are 0, XattrCreate or XattrReplace, and XattrDropSetgid. All metadata of an
// object together may have 2 KiB: ErrNoSpace.
func (v *Volume) Setxattr(ctx context.Context, n *Inode, name string, value []byte, flags int) error {
	switch {
	case flags&^(XattrCreate|XattrReplace|XattrDropSetgid) != 0 || name == "":
		return ErrInvalid
	case len(name) > keymap.MaxName:
		return ErrNameTooLong
	case xattrName(name) != nil:
		return xattrName(name)
	case len(value) > maxXattr:
		return ErrTooBig
	}
	value = slices.Clone(value)
	same := errors.New("it has that value")
	_, err := v.change(ctx, n, func(a *attr.Attr) error {
		_, exists := a.Xattrs[name]
		mode := a.Mode
		if flags&XattrDropSetgid != 0 && name == attr.ACLAccess {
			a.Mode &^= setgid
		}
		switch {
		case exists && flags&XattrCreate != 0:
			return ErrExist
		case !exists && flags&XattrReplace != 0:
			return ErrNoAttr
		}
		if exists && bytes.Equal(a.Xattrs[name], value) && a.Mode == mode {
			return same // changes no time, as on ext4, and needs no request
		}
		if a.Xattrs == nil {
			a.Xattrs = map[string][]byte{}
		}
		a.Xattrs[name] = value
		a.Ctime = v.opt.Now()
		return checkACL(a, name)
	})
	if errors.Is(err, same) {
		return nil
	}
	return err
}

// checkACL makes an ACL that was just set under name and the mode agree. One that says no more than the mode is not
// kept. Programs that copy permissions (cp -p) set the ACL alone, and rely on the mode to follow.
func checkACL(a *attr.Attr, name string) error {
	if !attr.IsACL(name) {
		return nil
	}
	if attr.IsSymlink(a.Mode) {
		return ErrNotSupported
	}
	acl, ok := attr.ParseACL(a.Xattrs[name])
	switch {
	case !ok:
		return ErrInvalid
	case name == attr.ACLDefault && !attr.IsDir(a.Mode):
		return ErrPermission
	case name == attr.ACLDefault:
		return nil
	}
	a.Mode = a.Mode&^0o777 | acl.Perm()
	if acl.Minimal() {
		delete(a.Xattrs, name)
	}
	return nil
}

// Removexattr removes an extended attribute.
func (v *Volume) Removexattr(ctx context.Context, n *Inode, name string) error {
	if err := xattrName(name); err != nil {
		return err
	}
	_, err := v.change(ctx, n, func(a *attr.Attr) error {
		if _, ok := a.Xattrs[name]; !ok {
			return ErrNoAttr
		}
		delete(a.Xattrs, name)
		a.Ctime = v.opt.Now()
		return nil
	})
	return err
}
