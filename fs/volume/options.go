package volume

import (
	"log/slog"
	"os"
	"time"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/s3client"
)

// Defaults of Options.
const (
	DefaultTTL         = time.Second
	DefaultMaxEntries  = 200_000
	DefaultParallel    = 8
	DefaultHeads       = 64
	DefaultFreeSpace   = 1 << 50 // what statfs says is free when nothing is known
	DefaultMetaTimeout = 5 * time.Minute
)

// Options configure a Volume. Client, Stage and Readahead are required; the caller closes them after the volume.
type Options struct {
	Client    s3client.Client
	Caps      s3client.Capabilities
	Keys      keymap.Map
	Stage     *stage.Area
	Readahead *readahead.Pool
	Upload    upload.Options                            // but for its Client, which is the volume's
	Kept      func(key string, etag s3client.ETag) bool // whether Readahead has the beginning of a version without the network; nil: never
	// Lend lends a local file with all bytes of a version, which the volume does not change and nobody else may; nil: there
	// is none. Handles of a read-only volume pass it on.
	Lend    func(key string, etag s3client.ETag, size int64) (f *os.File, giveBack func(), ok bool)
	Journal *journal.Journal // where Flush and Fsync leave what is to be sent; nil: they wait until it is stored
	MIME    *attr.MIME       // Content-Type of new files; nil knows none

	Defaults   attr.Defaults // of objects that carry no mode or owner
	Override   Override
	CompatDir  bool // look for "dir_$folder$" also where no listing shows it: one more request per name that is not there
	NoSpecials bool // what is no directory is a regular file, whatever its metadata says, and nothing else can be made
	ReadOnly   bool
	LazyUnlink bool // removals of many files in a row do not wait; one that fails is told by fsync or rmdir of the directory
	ReadLeases bool // what was learned under a lease is not asked for again, where the service has leases for reads
	LazyExcl   bool // O_EXCL keeps out other users of this mount; who was quicker elsewhere is found out by the first commit

	// TTL is how long attributes and the fact that a name exists are believed, NegativeTTL the same for the fact that
	// it does not. Zero believes nothing; what this mount changed itself is known at once either way.
	TTL, NegativeTTL time.Duration
	MaxEntries       int           // names whose attributes are kept; 0 means DefaultMaxEntries
	Parallel         int           // requests at once of one directory operation; 0 means DefaultParallel
	Heads            int           // HEADs at once for what listings do not tell; 0 means DefaultHeads
	MetaTimeout      time.Duration // for an operation that no signal may interrupt, and no data is moved; 0 means the default
	BucketSize       uint64        // bytes that statfs shows; 0 means DefaultFreeSpace

	Log *slog.Logger     // nil discards
	Now func() time.Time // nil means time.Now
}

// Override replaces what is shown, not what is stored.
type Override struct {
	UID, GID  *uint32
	Umask     *uint32 // permission bits of files and directories become 0777 &^ Umask
	RootUmask *uint32 // the same for the root directory only
}

func (o Options) withDefaults() Options {
	if o.MaxEntries <= 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	if o.Heads <= 0 {
		o.Heads = DefaultHeads
	}
	if o.MetaTimeout <= 0 {
		o.MetaTimeout = DefaultMetaTimeout
	}
	if o.BucketSize == 0 {
		o.BucketSize = DefaultFreeSpace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
