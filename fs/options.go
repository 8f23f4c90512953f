package fs

import (
	"log/slog"
	"strings"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Subtype is what follows "fuse." in the type that /proc/mounts and df -T show.
const Subtype = "pail"

// Defaults of Options.
const (
	DefaultEntryTimeout = time.Second
	DefaultAttrTimeout  = time.Second
	DefaultReadAhead    = 4 << 20
)

// Options say how a volume is shown.
type Options struct {
	// Source is the first field of /proc/mounts, by convention BUCKET or BUCKET:/PREFIX.
	Source string

	AllowOther bool // other users than the caller of Mount may use the mount
	ReadOnly   bool

	// OwnPermissions leaves permission checks to the service: the kernel checks none (the opposite of FUSE's
	// default_permissions).
	OwnPermissions bool

	// NoXattrs answers every extended attribute request with "not supported", without asking the volume.
	NoXattrs bool

	// NoACLs has no POSIX ACLs: they are neither shown nor enforced nor taken. The ls of many systems asks for that of every
	// file, one after the other, which is the most of its work in a large directory.
	NoACLs bool

	// KernelFlags are words of mount(8) for the kernel: noatime, nodiratime, relatime, strictatime, nosuid, suid,
	// nodev, dev, noexec, exec, sync, dirsync. nosuid and nodev are set unless suid and dev take them back.
	KernelFlags []string

	// EntryTimeout and AttrTimeout are how long the kernel may use a name and its attributes without asking; 0 is the
	// default of one second. Less than a millisecond is not at all for names, and for attributes a tick of the kernel's clock.
	// NegativeTimeout is the same for a name that is not there; 0 is not at all.
	EntryTimeout, AttrTimeout, NegativeTimeout time.Duration

	// ReadAhead is the kernel's window in bytes, 0 for DefaultReadAhead; only root may set it.
	ReadAhead int

	// PassThrough is a directory on the local disk with files that volume.Options.Lend gives. The kernel reads these itself
	// in mounts that are read-only, if it can and we may have it so: Linux 6.9, and root. "": it does not.
	PassThrough string

	Log   *slog.Logger // nil discards
	Debug bool         // log every FUSE request
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.EntryTimeout <= 0 {
		o.EntryTimeout = DefaultEntryTimeout
	}
	if o.AttrTimeout <= 0 {
		o.AttrTimeout = DefaultAttrTimeout // 0 would cost a GETATTR for every read(2)
	}
	if o.ReadAhead <= 0 {
		o.ReadAhead = DefaultReadAhead
	}
	return o
}

// acls reports whether there are POSIX ACLs, which bring the kernel's own checks of permissions with them.
func (o Options) acls() bool { return !o.NoACLs && !o.NoXattrs && !o.OwnPermissions }

// node returns the options of the node tree.
func (o Options) node(root *node) *fusefs.Options {
	if o.EntryTimeout < time.Millisecond {
		o.EntryTimeout = 0 // the kernel would take it for a tick
	}
	opts := &fusefs.Options{
		MountOptions:   o.kernel(),
		EntryTimeout:   &o.EntryTimeout,
		AttrTimeout:    &o.AttrTimeout,
		RootStableAttr: &fusefs.StableAttr{Ino: root.v.Ino()},
		// Mode 0000 is a mode like any other.
		NullPermissions: true,
	}
	if o.NegativeTimeout > 0 {
		opts.NegativeTimeout = &o.NegativeTimeout
	}
	return opts
}

// kernel returns the options of the FUSE connection. READDIRPLUS_AUTO lets the kernel ask for attributes with the names
// only where it has seen that somebody wants them; ATOMIC_O_TRUNC makes open(O_TRUNC) one request instead of two.
func (o Options) kernel() fuse.MountOptions {
	return fuse.MountOptions{
		FsName:        strings.ReplaceAll(o.Source, ",", "_"),
		Name:          Subtype,
		AllowOther:    o.AllowOther,
		MaxWrite:      1 << 20,
		MaxBackground: 64,
		DisableSplice: true, // slower than a write, and fails noisily at 1 MiB
		DisableXAttrs: o.NoXattrs,
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_READDIRPLUS_AUTO | fuse.CAP_DONT_MASK |
			fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_SETXATTR_EXT,
		EnableAcl:    o.acls(),
		Debug:        o.Debug,
		Logger:       slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		PanicHandler: panicHandler(o.Log),
	}
}
