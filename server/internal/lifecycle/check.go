package lifecycle

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pail/server/internal/s3err"
	"pail/server/internal/tags"
)

// Bounds of a configuration.
const (
	maxRules      = 1000
	maxID         = 255  // characters
	maxPrefix     = 1024 // bytes
	maxNewer      = 100
	maxDays       = 1<<31 - 1
	statusEnabled = "Enabled"
)

var transitionClasses = []string{"GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"}

func malformed() error { return s3err.New(s3err.MalformedXML) }

func argument(format string, args ...any) error {
	return s3err.Newf(s3err.InvalidArgument, format, args...)
}

func request(format string, args ...any) error {
	return s3err.Newf(s3err.InvalidRequest, format, args...)
}

// Check tells what S3 would refuse in the configuration. It gives each rule without an ID one.
func (c *Configuration) Check() error {
	if len(c.Rules) == 0 || len(c.Rules) > maxRules {
		return malformed()
	}
	seen := map[string]bool{}
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.ID == "" {
			r.ID = rand.Text()
		}
		if utf8.RuneCountInString(r.ID) > maxID {
			return argument("ID length should not exceed allowed limit of %d", maxID)
		}
		if seen[r.ID] {
			return argument("Rule ID must be unique. Found same ID for more than one rule")
		}
		seen[r.ID] = true
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) check() error {
	if r.Status != statusEnabled && r.Status != "Disabled" || (r.Prefix == nil) == (r.Filter == nil) {
		return malformed()
	}
	if r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil &&
		len(r.Transitions) == 0 && len(r.NoncurrentVersionTransitions) == 0 {
		return request("At least one action needs to be specified in a rule")
	}
	if err := r.Filter.check(); err != nil {
		return err
	}
	f := r.filter()
	if len(f.prefix) > maxPrefix {
		return request("The maximum size of a prefix is %d.", maxPrefix)
	}
	if f.smaller != nil && f.greater != nil && *f.smaller <= *f.greater {
		return request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'")
	}
	for _, check := range []func(criteria) error{r.checkExpiration, r.checkNoncurrent, r.checkAbort, r.checkTransitions} {
		if err := check(f); err != nil {
			return err
		}
	}
	return nil
}

// check tells whether the filter has one field at most. An empty prefix beside another field is none.
func (f *Filter) check() error {
	if f == nil {
		return nil
	}
	n, list := 0, []Tag(nil)
	for _, given := range []bool{f.Prefix != nil && *f.Prefix != "", f.Tag != nil, f.ObjectSizeGreaterThan != nil, f.ObjectSizeLessThan != nil, f.And != nil} {
		if given {
			n++
		}
	}
	if n > 1 || !positive(f.ObjectSizeGreaterThan, 0) || !positive(f.ObjectSizeLessThan, 1) {
		return malformed()
	}
	if f.Tag != nil {
		list = []Tag{*f.Tag}
	}
	if f.And != nil {
		list = f.And.Tags
		if len(list) == 0 && f.And.Prefix == nil && f.And.ObjectSizeGreaterThan == nil && f.And.ObjectSizeLessThan == nil {
			return malformed()
		}
		if !positive(f.And.ObjectSizeGreaterThan, 0) || !positive(f.And.ObjectSizeLessThan, 1) {
			return malformed()
		}
	}
	return tagSet(list).Check(tags.MaxObjectTags)
}

func positive(n *int64, least int64) bool { return n == nil || *n >= least }

func tagSet(list []Tag) (set tags.Set) {
	for _, t := range list {
		set = append(set, tags.Tag{Key: t.Key, Value: t.Value})
	}
	return set
}

func (r *Rule) checkExpiration(f criteria) error {
	e := r.Expiration
	if e == nil {
		return nil
	}
	n := 0
	for _, given := range []bool{e.Days != nil, e.Date != nil, e.ExpiredObjectDeleteMarker != nil} {
		if given {
			n++
		}
	}
	if n != 1 {
		return malformed()
	}
	if e.Days != nil && !isCount(*e.Days) {
		return argument("'Days' for Expiration action must be a positive integer")
	}
	if e.ExpiredObjectDeleteMarker != nil && len(f.tags) > 0 {
		return request("Rule with ExpiredObjectDeleteMarker cannot have a tag filter")
	}
	return checkMidnight(e.Date)
}

func isCount(n int) bool { return n > 0 && n <= maxDays }

func checkMidnight(d *Date) error {
	if d != nil && !d.Equal(d.Truncate(24*time.Hour)) {
		return argument("'Date' must be at midnight GMT")
	}
	return nil
}

func (r *Rule) checkNoncurrent(criteria) error {
	e := r.NoncurrentVersionExpiration
	if e == nil {
		return nil
	}
	if e.NoncurrentDays == nil {
		return malformed()
	}
	if !isCount(*e.NoncurrentDays) {
		return argument("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
	}
	if n := e.NewerNoncurrentVersions; n != nil && (*n < 1 || *n > maxNewer) {
		return argument("'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer not greater than %d", maxNewer)
	}
	return nil
}

func (r *Rule) checkAbort(f criteria) error {
	a := r.AbortIncompleteMultipartUpload
	switch {
	case a == nil:
		return nil
	case a.DaysAfterInitiation == nil:
		return malformed()
	case !isCount(*a.DaysAfterInitiation):
		return argument("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
	case len(f.tags) > 0:
		return request("AbortIncompleteMultipartUpload cannot be specified with Tags")
	case f.greater != nil || f.smaller != nil:
		return request("AbortIncompleteMultipartUpload cannot be specified with Object Size")
	}
	return nil
}

func (r *Rule) checkTransitions(f criteria) error {
	classes := map[string]bool{}
	for _, t := range r.Transitions {
		if (t.Days == nil) == (t.Date == nil) || !slices.Contains(transitionClasses, t.StorageClass) {
			return malformed()
		}
		if classes[t.StorageClass] {
			return request("'StorageClass' must be different for 'Transition' actions in same 'Rule' with prefix '%s'", f.prefix)
		}
		classes[t.StorageClass] = true
		if t.Days != nil && (*t.Days < 0 || *t.Days > maxDays) {
			return argument("'Days' in the Transition action must be nonnegative")
		}
		if t.Days != nil && strings.HasSuffix(t.StorageClass, "_IA") && *t.Days < 30 {
			return argument("'Days' in Transition action must be greater than or equal to 30 for storageClass '%s'", t.StorageClass)
		}
		if err := checkMidnight(t.Date); err != nil {
			return err
		}
		if e := r.Expiration; e != nil && (e.Days != nil && t.Date != nil || e.Date != nil && t.Days != nil) {
			return request("Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for prefix '%s'", f.prefix)
		}
		if e := r.Expiration; e != nil && e.Days != nil && t.Days != nil && *e.Days <= *t.Days {
			return argument("'Days' in the Expiration action for filter '(prefix=%s)' must be greater than 'Days' in the Transition action", f.prefix)
		}
	}
	for _, t := range r.NoncurrentVersionTransitions {
		if t.NoncurrentDays == nil || !slices.Contains(transitionClasses, t.StorageClass) {
			return malformed()
		}
		if *t.NoncurrentDays < 0 || *t.NoncurrentDays > maxDays {
			return argument("'NoncurrentDays' in the NoncurrentVersionTransition action must be nonnegative")
		}
	}
	return nil
}
