package server

import (
	"log/slog"
	"time"

	"pail/server/internal/accesslog"
	"pail/server/internal/s3api"
	"pail/server/internal/sigauth"
)

// Credential is a key pair that may sign requests.
type Credential = sigauth.Credential

// Keys finds the credential of an access key. It is called for every request, concurrently.
type Keys = sigauth.Keys

// Event is one answered request, see Options.Observe.
type Event = s3api.Event

// DefaultAccessLogInterval is the time between deliveries of access logs.
const DefaultAccessLogInterval = accesslog.DefaultInterval

// DefaultRegion is the region of a server that was not given one.
const DefaultRegion = "us-east-1"

// Options of a Server. DataDir, MetadataDir and Keys are required; the directories are made when they are missing.
type Options struct {
	DataDir, MetadataDir string
	Database             string // address of a PostgreSQL database for the metadata; MetadataDir has only small files then
	Keys                 Keys
	Region               string        // "": DefaultRegion
	Domains              []string      // hosts below which a first label names a bucket
	WebsiteDomains       []string      // hosts below which a first label names a bucket whose website is asked for
	LifecycleDay         time.Duration // a day of lifecycle rules; 0: 24 hours
	Log                  *slog.Logger  // nil: discarded
	Now                  func() time.Time
	Observe              func(Event)   // called after every request, concurrently; nil: not called
	ClientTimeout        time.Duration // how long a client may be silent within a body; 0: a minute

	AccessLogInterval time.Duration // 0: DefaultAccessLogInterval

	// Server-side encryption; see encryption.go.
	MasterKeyFile        string // keys of SSE-S3, made at first use; "": MetadataDir/master-keys
	KMSKeyFile           string // named keys of SSE-KMS; "": there are none but aws/s3
	DefaultEncryption    bool   // buckets without a default encryption have AES256, as at AWS
	InsecureCustomerKeys bool   // keys of SSE-C are taken over plain HTTP from other machines too

	// Standby lets the server wait for directories that another one owns, and take them over.
	Standby bool
	// Patience is how long an owner may give no sign of life, although it holds its lock; 0: 10 s.
	Patience time.Duration

	// What CreateBucket gives buckets unless it is told otherwise.
	ObjectOwnership   string // BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter; "": BucketOwnerEnforced
	BlockPublicAccess bool   // a public access block with all four flags, as at AWS
}

// KeyList is a fixed list of credentials.
type KeyList []Credential

// Lookup finds a credential by its access key.
func (l KeyList) Lookup(accessKey string) (Credential, bool) {
	for _, c := range l {
		if c.AccessKey == accessKey {
			return c, true
		}
	}
	return Credential{}, false
}
