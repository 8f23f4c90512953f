package opt

import (
	"log/slog"
	"time"
)

// Mount is what a command line asks for. Sizes are in bytes. A zero value means "not given" only where it says so.
type Mount struct {
	Bucket     string
	Prefix     string // "" or "a/b/"
	Mountpoint string // as given

	Help       bool // -h: nothing else was checked
	Version    bool // --version: nothing else was checked
	Foreground bool // -f, or -d
	Fake       bool // helper's -f: check everything, mount nothing
	Verbose    bool // helper's -v
	Uploads    Uploads

	ReadOnly           bool
	CompatDir          bool // look for markers "dir_$folder$"
	NoSpecials         bool // all that is no directory is a regular file
	AllowOther         bool
	DefaultPermissions bool
	NonEmpty           bool     // mount on a directory that is not empty
	KernelOptions      []string // nodev, noatime...: for the kernel, in the order given
	FSName             string   // "": not given
	UID, GID           *uint32  // owner of everything; nil: what the metadata says
	Umask              *uint32  // permission bits to take from all files and directories; nil: what the metadata says
	MountpointUmask    *uint32  // the same for the root directory

	Passwd             string // passwd_file; "" looks at the usual places
	Profile            string
	ProfileGiven       bool
	RequireToken       bool
	IAMRole            string // "": no role; "auto": the machine's only one
	ECS                bool
	IMDSv1Only         bool
	Public             bool
	Endpoint           string   // http(s) URL without a slash at its end
	Fallbacks          []string // further ones of the same service
	ServicePath        string   // begins and ends in "/"
	Region             string
	RegionGiven        bool // else another region that the service names may be used
	PathStyle          bool
	SigV2              bool
	RequesterPays      bool
	ACL                string // canned ACL; "": send none
	StorageClass       string // as the header has it; "": send none, which means STANDARD
	SSE                SSE
	MIMEFile           string
	ContentMD5         bool
	UnsignedPayload    bool
	CABundle           string // "": the system's
	NoCheckCertificate bool
	VerifyHostname     bool
	ClientCert         ClientCert
	Proxy              string // "": as the environment says
	ProxyCredFile      string
	IPVersion          int // 0, 4 or 6
	InstanceName       string

	Retries          int
	ConnectTimeout   time.Duration
	ReadWriteTimeout time.Duration
	MaxRequests      int // at once (max_thread_count)
	MaxHeads         int // at once, besides (multireq_max)

	CacheEntries      int // max_stat_cache_size
	AttrTTL           time.Duration
	NegativeCache     bool
	KernelAttrTTL     time.Duration // attr_timeout; <0: not given
	KernelEntryTTL    time.Duration // entry_timeout; <0: not given
	KernelNegativeTTL time.Duration // negative_timeout; <0: not given

	MemoryLimit        int64  // 0: a share of the machine's
	TempDir            string // tmpdir
	CacheDir           string // use_cache; "": none
	PassThrough        bool
	CacheSize          int64 // 0: as much as the disk has
	KeepFreeBytes      int64 // ensure_diskfree
	KeepFreePercent    int   // free_space_ratio
	Writeback          bool
	JournalDir         string // of Writeback; "": the place of this user's
	JournalSize        int64  // 0: as much as the disk has
	MultipartSize      int64
	MultipartThreshold int64
	CopyPartSize       int64
	SingleCopyLimit    int64
	LazyExcl           bool // excl_on_close
	SyncUnlink         bool
	ReadLeases         bool
	NoMultipart        bool
	NoMixUpload        bool
	NoCopy             bool
	BucketSize         uint64 // 0: not given
	Xattrs             bool
	NoACLs             bool

	LogFile  string // "": standard error in the foreground, else syslog
	LogLevel slog.Level
	LogTime  bool

	Warnings []string // one line each, for the user
}

// Uploads asks for the utility mode of s3fs on unfinished multipart uploads, in place of a mount.
type Uploads struct {
	List  bool
	Abort bool
	Age   time.Duration // abort those that are older; 0: all
	JSON  bool          // an object a line, for programs
}

// SSE is server-side encryption.
type SSE struct {
	Mode      string   // "", "S3", "C", "KMS"
	KMSKeyID  string   // of KMS
	KeyFile   string   // of C: first line writes, all read; "" takes Keys
	Keys      Secrets  // of C, from AWSSSECKEYS
	ReadFiles []string // load_sse_c: more keys that only read
}

// ClientCert is the certificate that a server may ask for.
type ClientCert struct {
	Cert, CertType string // file; type "PEM"
	Key, KeyType   string // file; "": in Cert
	Password       Secret
}

// Secret is a string that prints as "[secret]".
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Secrets is a list of them.
type Secrets []Secret
