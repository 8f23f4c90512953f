package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"time"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// lockDoc is ObjectLockConfiguration.
type lockDoc struct {
	XMLName           xml.Name `xml:"ObjectLockConfiguration"`
	ObjectLockEnabled string
	Rule              *struct {
		DefaultRetention *struct {
			Mode        string
			Days, Years *int
		}
	}
}

// Check reads the document as AWS's schema has it; retention gives the rule's values.
func (d *lockDoc) Check() error {
	if d.ObjectLockEnabled != "Enabled" {
		return s3err.New(s3err.MalformedXML)
	}
	if d.Rule == nil {
		return nil
	}
	if d.Rule.DefaultRetention == nil || !validLockMode(d.Rule.DefaultRetention.Mode) {
		return s3err.New(s3err.MalformedXML)
	}
	rule := d.Rule.DefaultRetention
	period, limit := rule.Days, store.MaxRetentionDays
	if period == nil {
		period, limit = rule.Years, store.MaxRetentionYears
	} else if rule.Years != nil {
		return s3err.New(s3err.MalformedXML)
	}
	switch {
	case period == nil:
		return s3err.New(s3err.MalformedXML)
	case *period <= 0:
		return s3err.Newf(s3err.InvalidRetentionPeriod, "Default retention period must be a positive integer value.")
	case *period > limit:
		return s3err.Newf(s3err.InvalidRetentionPeriod, "Default retention period too large.")
	}
	return nil
}

func (d *lockDoc) retention() (out store.DefaultRetention) {
	if d.Rule == nil {
		return out
	}
	rule := d.Rule.DefaultRetention
	out.Mode = store.LockMode(rule.Mode)
	if rule.Days != nil {
		out.Days = *rule.Days
	} else {
		out.Years = *rule.Years
	}
	return out
}

func validLockMode(mode string) bool {
	return mode == string(store.Governance) || mode == string(store.Compliance)
}

func putObjectLockConfiguration(r *request) error {
	var doc lockDoc
	if err := r.readConfig(&doc); err != nil {
		return err
	}
	err := r.api.store.SetObjectLock(r.http.Context(), r.bucket, doc.retention())
	if errors.Is(err, store.ErrBucketState) {
		return s3err.Newf(s3err.InvalidBucketState, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
	}
	if err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

func getObjectLockConfiguration(r *request) error {
	b, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	if err != nil {
		return err
	}
	if !b.ObjectLock {
		return s3err.New(s3err.ObjectLockConfigurationNotFoundError).With("BucketName", r.bucket)
	}
	x := r.doc()
	x.root("ObjectLockConfiguration")
	x.text("ObjectLockEnabled", "Enabled")
	if d := b.Retention; d.Mode != store.LockNone {
		x.open("Rule")
		x.open("DefaultRetention")
		x.text("Mode", string(d.Mode))
		if d.Days > 0 {
			x.int("Days", int64(d.Days))
		} else {
			x.int("Years", int64(d.Years))
		}
		x.close("DefaultRetention")
		x.close("Rule")
	}
	x.close("ObjectLockConfiguration")
	return r.send(http.StatusOK, x)
}

// retentionDoc is Retention. An empty one ends a retention.
type retentionDoc struct {
	XMLName         xml.Name `xml:"Retention"`
	Mode            string
	RetainUntilDate string
}

// retention checks the document against the time.
func (d *retentionDoc) retention(now time.Time) (store.Retention, error) {
	if d.Mode == "" && d.RetainUntilDate == "" {
		return store.Retention{}, nil
	}
	until, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(d.RetainUntilDate))
	if err != nil || !validLockMode(d.Mode) {
		return store.Retention{}, s3err.New(s3err.MalformedXML)
	}
	return store.Retention{Mode: store.LockMode(d.Mode), Until: until.UTC()}, inFuture(until, now)
}

func inFuture(until, now time.Time) error {
	if until.After(now) {
		return nil
	}
	return s3err.Newf(s3err.InvalidArgument, "The retain until date must be in the future!").
		With("ArgumentName", "RetainUntilDate").With("ArgumentValue", string(appendTime(nil, until)))
}

func putObjectRetention(r *request) error {
	if err := r.requireLock(); err != nil {
		return err
	}
	var doc retentionDoc
	if err := r.readXML(&doc); err != nil {
		return err
	}
	to, err := doc.retention(r.api.now())
	if err != nil {
		return err
	}
	lock := http.Header{"X-Amz-Object-Lock-Mode": {doc.Mode}, "X-Amz-Object-Lock-Retain-Until-Date": {strings.TrimSpace(doc.RetainUntilDate)}}
	if err := r.authorizeBody(bodyValues{lock: lock}); err != nil {
		return err
	}
	if err := r.api.store.SetRetention(r.http.Context(), r.bucket, r.key, r.arg("versionId"), to, r.bypass()); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

// bypass reports whether the request asks to pass over a governance retention.
func (r *request) bypass() bool {
	return strings.EqualFold(r.header("X-Amz-Bypass-Governance-Retention"), "true")
}

// requireLock answers for a bucket without object lock.
func (r *request) requireLock() error {
	b, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	if err == nil && !b.ObjectLock {
		err = store.ErrNoObjectLock
	}
	return err
}

// locked describes the object, of which there must be something to say in a bucket with object lock.
func (r *request) locked() (store.Object, error) {
	if err := r.requireLock(); err != nil {
		return store.Object{}, err
	}
	return r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, readInput(r))
}

func getObjectRetention(r *request) error {
	o, err := r.locked()
	if err != nil {
		return err
	}
	if o.Retention.Mode == store.LockNone {
		return s3err.New(s3err.NoSuchObjectLockConfiguration)
	}
	x := r.doc()
	x.root("Retention")
	x.text("Mode", string(o.Retention.Mode))
	x.text("RetainUntilDate", lockTime(o.Retention.Until))
	x.close("Retention")
	return r.send(http.StatusOK, x)
}

// lockTime writes a time as exactly as it was given.
func lockTime(t time.Time) string {
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return string(appendTime(nil, t))
}

// holdDoc is LegalHold.
type holdDoc struct {
	XMLName xml.Name `xml:"LegalHold"`
	Status  string
}

func validHold(status string) bool {
	return status == string(store.HoldOn) || status == string(store.HoldOff)
}

func putObjectLegalHold(r *request) error {
	if err := r.requireLock(); err != nil {
		return err
	}
	var doc holdDoc
	if err := r.readXML(&doc); err != nil {
		return err
	}
	if !validHold(doc.Status) {
		return s3err.New(s3err.MalformedXML)
	}
	if err := r.authorizeBody(bodyValues{lock: http.Header{"X-Amz-Object-Lock-Legal-Hold": {doc.Status}}}); err != nil {
		return err
	}
	if err := r.api.store.SetLegalHold(r.http.Context(), r.bucket, r.key, r.arg("versionId"), store.LegalHold(doc.Status)); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

func getObjectLegalHold(r *request) error {
	o, err := r.locked()
	if err != nil {
		return err
	}
	if o.LegalHold == store.HoldNone {
		return s3err.New(s3err.NoSuchObjectLockConfiguration)
	}
	x := r.doc()
	x.root("LegalHold")
	x.text("Status", string(o.LegalHold))
	x.close("LegalHold")
	return r.send(http.StatusOK, x)
}

// lockHeaders reads the protection that a new object is to have.
func (r *request) lockHeaders(x *store.Extra) error {
	return parseLock(r.http.Header.Get, r.api.now(), x)
}

// parseLock reads the protection of a new object from headers, or from the fields of a form, whose names are the same.
func parseLock(get func(name string) string, now time.Time, x *store.Extra) error {
	mode, date, hold := get("X-Amz-Object-Lock-Mode"), get("X-Amz-Object-Lock-Retain-Until-Date"), get("X-Amz-Object-Lock-Legal-Hold")
	if (mode == "") != (date == "") {
		return s3err.Newf(s3err.InvalidArgument, "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	}
	if hold != "" {
		if !validHold(hold) {
			return invalidArgument("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'")
		}
		x.LegalHold = store.LegalHold(hold)
	}
	if mode == "" {
		return nil
	}
	if !validLockMode(mode) {
		return invalidArgument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
	}
	until, ok := parseTime(date)
	if !ok {
		return invalidArgument("x-amz-object-lock-retain-until-date", date, "The retain until date must be provided in ISO 8601 format")
	}
	x.Retention = store.Retention{Mode: store.LockMode(mode), Until: until.UTC()}
	return inFuture(until, now)
}
