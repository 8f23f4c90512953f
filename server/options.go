package server

import (
	"log/slog"
	"time"

	"pail/server/internal/s3api"
	"pail/server/internal/sigauth"
)

// Credential is a key pair that may sign requests.
type Credential = sigauth.Credential

// Keys finds the credential of an access key. It is called for every request, concurrently.
type Keys = sigauth.Keys

// Event is one answered request, see Options.Observe.
type Event = s3api.Event

// DefaultRegion is the region of a server that was not given one.
const DefaultRegion = "us-east-1"

// Options of a Server. DataDir, MetadataDir and Keys are required; the directories are made when they are missing.
type Options struct {
	DataDir, MetadataDir string
	Keys                 Keys
	Region               string        // "": DefaultRegion
	Domains              []string      // hosts below which a first label names a bucket
	LifecycleDay         time.Duration // a day of lifecycle rules; 0: 24 hours
	Log                  *slog.Logger  // nil: discarded
	Now                  func() time.Time
	Observe              func(Event) // called after every request, concurrently; nil: not called
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

// The one owner of everything, as XML shows it. The id has the form of AWS's canonical user ids.
const (
	ownerID   = "7061696c000000000000000000000000000000000000000000000000000000ff"
	ownerName = "pail"
)

// ownedKeys makes every credential the owner's.
type ownedKeys struct{ Keys }

func (k ownedKeys) Lookup(accessKey string) (Credential, bool) {
	c, ok := k.Keys.Lookup(accessKey)
	if c.CanonicalID == "" {
		c.CanonicalID = ownerID
	}
	if c.Account == "" {
		c.Account = ownerName
	}
	return c, ok
}
