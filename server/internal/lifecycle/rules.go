package lifecycle

import (
	"strings"
	"time"

	"pail/server/internal/tags"
)

// Day is how long a day of the rules is. It is 24 hours, but for tests.
const Day = 24 * time.Hour

// Object is what the rules look at.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
	Tags     tags.Set
}

// criteria is a rule's filter in one form.
type criteria struct {
	prefix           string
	tags             tags.Set
	greater, smaller *int64
}

func (r *Rule) filter() (c criteria) {
	switch f := r.Filter; {
	case r.Prefix != nil:
		c.prefix = *r.Prefix
	case f == nil:
	case f.And != nil:
		c = criteria{greater: f.And.ObjectSizeGreaterThan, smaller: f.And.ObjectSizeLessThan, tags: tagSet(f.And.Tags)}
		if f.And.Prefix != nil {
			c.prefix = *f.And.Prefix
		}
	default:
		c.greater, c.smaller = f.ObjectSizeGreaterThan, f.ObjectSizeLessThan
		if f.Prefix != nil {
			c.prefix = *f.Prefix
		}
		if f.Tag != nil {
			c.tags = tagSet([]Tag{*f.Tag})
		}
	}
	return c
}

func (c criteria) takes(o Object) bool {
	return strings.HasPrefix(o.Key, c.prefix) && (c.greater == nil || o.Size > *c.greater) &&
		(c.smaller == nil || o.Size < *c.smaller) && o.Tags.Has(c.tags)
}

// takes reports whether the rule is in force and takes the object.
func (r *Rule) takes(o Object) bool { return r.Status == statusEnabled && r.filter().takes(o) }

// after gives the time that many days after t. Real days end at midnight UTC, as S3 rounds them; shortened ones do not.
func after(t time.Time, days int, day time.Duration) time.Time {
	if day != Day {
		return t.Add(time.Duration(days) * day)
	}
	t = t.UTC().AddDate(0, 0, days)
	if midnight := t.Truncate(Day); !midnight.Equal(t) {
		return midnight.AddDate(0, 0, 1)
	}
	return t
}

// Expires tells when the current version of an object expires, and by which rule: the one that is first.
func (c *Configuration) Expires(o Object, day time.Duration) (when time.Time, rule string, ok bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Expiration == nil || !r.takes(o) {
			continue
		}
		var at time.Time
		switch e := r.Expiration; {
		case e.Days != nil:
			at = after(o.Modified, *e.Days, day)
		case e.Date != nil:
			at = e.Date.Time
		default:
			continue
		}
		if !ok || at.Before(when) {
			when, rule, ok = at, r.ID, true
		}
	}
	return when, rule, ok
}

// MarkerExpires tells when a delete marker that hides no version any more is removed.
func (c *Configuration) MarkerExpires(marker Object, day time.Duration) (when time.Time, ok bool) {
	when, _, ok = c.Expires(marker, day)
	for i := range c.Rules {
		r := &c.Rules[i]
		if e := r.Expiration; e != nil && e.ExpiredObjectDeleteMarker != nil && *e.ExpiredObjectDeleteMarker && r.takes(marker) {
			return marker.Modified, true
		}
	}
	return when, ok
}

// NoncurrentExpires tells when a version expires that stopped being current at since, and after which newer versions
// that are not current were made.
func (c *Configuration) NoncurrentExpires(o Object, since time.Time, newer int, day time.Duration) (when time.Time, ok bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		e := r.NoncurrentVersionExpiration
		if e == nil || e.NoncurrentDays == nil || !r.takes(o) || e.NewerNoncurrentVersions != nil && newer < *e.NewerNoncurrentVersions {
			continue
		}
		if at := after(since, *e.NoncurrentDays, day); !ok || at.Before(when) {
			when, ok = at, true
		}
	}
	return when, ok
}

// AbortAt tells when an upload is aborted that was begun at that time, and by which rule.
func (c *Configuration) AbortAt(key string, initiated time.Time, day time.Duration) (when time.Time, rule string, ok bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		a := r.AbortIncompleteMultipartUpload
		if a == nil || a.DaysAfterInitiation == nil || r.Status != statusEnabled || !strings.HasPrefix(key, r.filter().prefix) {
			continue
		}
		if at := after(initiated, *a.DaysAfterInitiation, day); !ok || at.Before(when) {
			when, rule, ok = at, r.ID, true
		}
	}
	return when, rule, ok
}
