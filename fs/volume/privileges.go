package volume

import (
	"context"

	"pail/fs/attr"
)

// capabilities is the extended attribute that gives who executes a file privileges.
const capabilities = "security.capability"

// Loss is what a file loses when its content or its owner changes: capabilities always, and with SetID the setuid bit,
// and the setgid bit where the group may execute the file, or whoever makes the change is not in the group.
type Loss struct {
	SetID  bool
	Member func(gid uint32) bool // asked only where it matters
}

// Mode returns what is left of a mode.
func (l Loss) Mode(a *attr.Attr) uint32 {
	mode := a.Mode
	if !l.SetID || attr.IsDir(mode) {
		return mode
	}
	mode &^= setuid
	if mode&setgid != 0 && (mode&0o010 != 0 || !l.Member(a.GID)) {
		mode &^= setgid
	}
	return mode
}

// applies reports whether a has something to lose.
func (l Loss) applies(a *attr.Attr) bool {
	_, able := a.Xattrs[capabilities]
	return able || l.Mode(a) != a.Mode
}

func (l Loss) apply(a *attr.Attr) {
	a.Mode = l.Mode(a)
	delete(a.Xattrs, capabilities)
}

// Lose takes from the file what a change of its content costs it, and reports whether there was anything. It costs no
// request of its own where the change is not stored yet.
func (h *Handle) Lose(ctx context.Context, l Loss) (bool, error) {
	if !h.n.loses(l) {
		return false, nil
	}
	_, err := h.n.v.change(ctx, h.n, func(a *attr.Attr) error {
		l.apply(a)
		a.Ctime = h.n.v.opt.Now()
		return nil
	})
	return true, err
}

// loses reports whether an open file has something to lose.
func (n *Inode) loses(l Loss) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return l.applies(&n.mu.obj.attr)
}

// Writing reports whether the file is open for writing.
func (n *Inode) Writing() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.writers > 0
}
