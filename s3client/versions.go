package s3client

import "context"

// Version is an object that a key may have; without an ETag, whatever it has.
type Version struct {
	Key  string
	ETag ETag
	Any  func() bool // not nil: asked when the request is made ready the first time, whether it is to remove whatever the key has
}

// Expected returns the ETag that a request which is sent now is to name; "" for none.
func (v Version) Expected() ETag {
	if v.Any != nil && v.Any() {
		return ""
	}
	return v.ETag
}

// VersionDeleter is a Client that can remove keys on condition.
type VersionDeleter interface {
	// DeleteVersions is Delete, but for keys that have another object than the one named: these stay, and are each an error
	// that is ErrPrecondition. A service that knows no such condition removes them all the same.
	DeleteVersions(ctx context.Context, list ...Version) error
}

// DeleteVersions removes keys on condition where c is a VersionDeleter, else without.
func DeleteVersions(ctx context.Context, c Client, list ...Version) error {
	if d, ok := c.(VersionDeleter); ok {
		return d.DeleteVersions(ctx, list...)
	}
	return c.Delete(ctx, KeysOf(list)...)
}

// KeysOf returns the keys of versions.
func KeysOf(list []Version) []string {
	keys := make([]string, len(list))
	for i, v := range list {
		keys[i] = v.Key
	}
	return keys
}

// AnyVersion returns the versions that are whatever the keys have.
func AnyVersion(keys ...string) []Version {
	list := make([]Version, len(keys))
	for i, key := range keys {
		list[i].Key = key
	}
	return list
}
