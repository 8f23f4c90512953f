package lifecycle

import (
	"encoding/xml"
	"time"
)

// Configuration is the body of PutBucketLifecycleConfiguration, in the old form (Prefix in the rule) and the new one
// (Filter).
type Configuration struct {
	XMLName xml.Name `xml:"LifecycleConfiguration"`
	Rules   []Rule   `xml:"Rule"`
}

// Rule says what becomes of the objects that its filter takes.
type Rule struct {
	ID                             string                  `xml:",omitempty"`
	Prefix                         *string                 `xml:",omitempty"`
	Filter                         *Filter                 `xml:",omitempty"`
	Status                         string                  // Enabled or Disabled
	Transitions                    []Transition            `xml:"Transition"`
	Expiration                     *Expiration             `xml:",omitempty"`
	NoncurrentVersionTransitions   []NoncurrentTransition  `xml:"NoncurrentVersionTransition"`
	NoncurrentVersionExpiration    *NoncurrentExpiration   `xml:",omitempty"`
	AbortIncompleteMultipartUpload *AbortIncompleteUploads `xml:",omitempty"`
}

// Filter has one of its fields, or none, which takes all.
type Filter struct {
	Prefix                *string `xml:",omitempty"`
	Tag                   *Tag    `xml:",omitempty"`
	ObjectSizeGreaterThan *int64  `xml:",omitempty"`
	ObjectSizeLessThan    *int64  `xml:",omitempty"`
	And                   *And    `xml:",omitempty"`
}

// And takes what all of its fields take.
type And struct {
	Prefix                *string `xml:",omitempty"`
	Tags                  []Tag   `xml:"Tag"`
	ObjectSizeGreaterThan *int64  `xml:",omitempty"`
	ObjectSizeLessThan    *int64  `xml:",omitempty"`
}

// Tag is a tag that an object must have.
type Tag struct{ Key, Value string }

// Expiration is of current versions. It has exactly one of its fields.
type Expiration struct {
	Days                      *int  `xml:",omitempty"`
	Date                      *Date `xml:",omitempty"`
	ExpiredObjectDeleteMarker *bool `xml:",omitempty"`
}

// NoncurrentExpiration deletes versions that have not been current for NoncurrentDays, but for the newest
// NewerNoncurrentVersions of them.
type NoncurrentExpiration struct {
	NoncurrentDays          *int `xml:",omitempty"`
	NewerNoncurrentVersions *int `xml:",omitempty"`
}

// AbortIncompleteUploads aborts multipart uploads.
type AbortIncompleteUploads struct {
	DaysAfterInitiation *int `xml:",omitempty"`
}

// Transition and NoncurrentTransition are kept and given back, and have no effect: all objects are stored alike.
type Transition struct {
	Days         *int  `xml:",omitempty"`
	Date         *Date `xml:",omitempty"`
	StorageClass string
}

// NoncurrentTransition is as Transition.
type NoncurrentTransition struct {
	NoncurrentDays          *int `xml:",omitempty"`
	NewerNoncurrentVersions *int `xml:",omitempty"`
	StorageClass            string
}

// Parse reads a configuration that was checked before.
func Parse(document []byte) (*Configuration, error) {
	c := new(Configuration)
	return c, xml.Unmarshal(document, c)
}

// Date is a time in one of the forms of ISO 8601 that S3 takes.
type Date struct{ time.Time }

var dateLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02"}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Date) UnmarshalText(text []byte) (err error) {
	for _, layout := range dateLayouts {
		if d.Time, err = time.Parse(layout, string(text)); err == nil {
			d.Time = d.UTC()
			return nil
		}
	}
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) {
	return []byte(d.UTC().Format("2006-01-02T15:04:05.000Z")), nil
}
