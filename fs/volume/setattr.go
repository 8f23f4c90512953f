package volume

import (
	"bytes"
	"context"
	"io"

	"pail/fs/attr"
)

// emptyBody is the body of a marker.
func emptyBody() io.ReadSeeker { return bytes.NewReader(nil) }

// Setattr changes attributes and size. A new size is stored with the next Flush where h, or else any handle, is open
// for writing, and at once otherwise.
func (v *Volume) Setattr(ctx context.Context, n *Inode, set SetAttr, h *Handle) (Stat, error) {
	if set.Size == nil {
		return v.change(ctx, n, v.apply(set))
	}
	err := v.resize(ctx, n, toInt64(*set.Size), h, func() error {
		if !set.attributes() && (set.Loss == nil || !n.loses(*set.Loss)) {
			return nil
		}
		_, err := v.change(ctx, n, v.apply(set))
		return err
	})
	if err != nil {
		return Stat{}, err
	}
	return v.Getattr(ctx, n)
}

// attributes reports whether there is more to set than the size, and what that costs.
func (s SetAttr) attributes() bool {
	return s.Mode != nil || s.UID != nil || s.GID != nil || s.Atime != nil || s.Mtime != nil
}

// apply returns the change that set asks for.
func (v *Volume) apply(set SetAttr) func(*attr.Attr) error {
	return func(a *attr.Attr) error {
		if set.Loss != nil {
			set.Loss.apply(a) // by the group that it had
		}
		if set.Mode != nil && !attr.IsSymlink(a.Mode) {
			a.Mode = a.Mode&attr.TypeMask | *set.Mode&attr.PermMask
			if acl, ok := attr.ParseACL(a.Xattrs[attr.ACLAccess]); ok {
				a.Xattrs[attr.ACLAccess] = acl.WithPerm(a.Mode & 0o777)
			}
		}
		if set.UID != nil {
			a.UID = *set.UID
		}
		if set.GID != nil {
			a.GID = *set.GID
		}
		if set.Atime != nil {
			a.Atime = *set.Atime
		}
		if set.Mtime != nil {
			a.Mtime = *set.Mtime
		}
		a.Ctime = v.opt.Now()
		return nil
	}
}

// resize truncates through h, or a handle of its own. then runs before the new size is stored.
func (v *Volume) resize(ctx context.Context, n *Inode, size int64, h *Handle, then func() error) error {
	later := true // a Flush is still to come
	if h == nil || h.n != n || !h.flags.Write {
		n.mu.Lock()
		later = n.mu.writers > 0
		n.mu.Unlock()
		own, err := v.Open(ctx, n, OpenFlags{Write: true, Truncate: size == 0})
		if err != nil {
			return err
		}
		defer own.Release()
		own.passing = later
		h = own
	}
	if err := h.Truncate(ctx, size); err != nil {
		return err
	}
	if err := then(); err != nil || later {
		return err
	}
	return h.Flush(ctx)
}
