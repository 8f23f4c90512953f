package s3api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pail/server/internal/lease"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// leaseHolder is the header that names the holder of leases whose request it is.
const leaseHolder = "X-Pail-Lease-Holder"

// leaseAuthority is the header of an answer that says that a lease is for reads, as was asked for. A server of before there
// were such, which takes no notice of what was asked, does not say it.
const leaseAuthority = "X-Pail-Lease-Authority"

const (
	leasePing     = time.Second // between lines of a stream about leases
	minHolderName = 16
	maxHolderName = 64
)

// leaseLine is a line of JSON in a stream about leases. Prefix and key are URL-encoded.
type leaseLine struct {
	Time    int64   `json:"time"` // milliseconds since the stream began
	Recall  *string `json:"recall,omitempty"`
	Key     string  `json:"key,omitempty"`
	Revoked *string `json:"revoked,omitempty"`
}

// holderID is the holder that the request names, which is one of its account: another's name is of no use; "": none.
func (r *request) holderID() string {
	name := r.header(leaseHolder)
	if name == "" || r.identity.Anonymous {
		return ""
	}
	return r.identity.CanonicalID + "/" + name
}

// nameLeaseHolder tells the store which holder's leases are not in the request's way.
func (r *request) nameLeaseHolder() {
	if id := r.holderID(); id != "" {
		r.http = r.http.WithContext(store.WithLeaseHolder(r.http.Context(), id))
	}
}

// leaseRequest checks what requests about leases have in common. As they are about keys that nobody can be asked about one
// by one, they are for the bucket's owner, and only where no policy could deny any of them.
func (r *request) leaseRequest() (holder, prefix string, err error) {
	if !r.api.store.Leases() {
		return "", "", s3err.Newf(s3err.NotImplemented, "Leases are not implemented where several servers share the metadata.")
	}
	if !r.mayLease(r.access) {
		return "", "", s3err.New(s3err.AccessDenied)
	}
	if name := r.header(leaseHolder); len(name) < minHolderName || len(name) > maxHolderName {
		return "", "", invalidArgument("x-pail-lease-holder", name, "x-pail-lease-holder must have between 16 and 64 characters")
	}
	prefix = r.arg("prefix")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		return "", "", invalidArgument("prefix", prefix, "The prefix of a lease ends in a slash.")
	}
	return r.holderID(), prefix, checkKey(prefix)
}

func (r *request) mayLease(a *access) bool { return r.isOwner(a) && !a.policy.HasDeny() }

// mayLeaseStill reports whether who has a stream may go on: with the same credentials, in the same bucket, which this server has
// still.
func (r *request) mayLeaseStill(holder *lease.Holder) bool {
	ctx := r.http.Context()
	if r.api.store.CheckHolder(ctx, r.bucket, holder) != nil || !r.api.verifier.StillValid(r.identity) {
		return false
	}
	a, err := r.api.accesses.get(ctx, r.bucket)
	return err == nil && r.mayLease(a)
}

func putLease(r *request) error {
	holder, prefix, err := r.leaseRequest()
	if err != nil {
		return err
	}
	what := lease.Names
	switch asked := r.arg("authority"); asked {
	case "", "names":
	case "reads":
		what = lease.Reads
	default:
		return invalidArgument("authority", asked, "The authority of a lease is names or reads.")
	}
	if err := r.api.store.GrantLease(r.http.Context(), r.bucket, holder, prefix, what); err != nil {
		return leaseError(err)
	}
	if what == lease.Reads {
		r.w.Header().Set(leaseAuthority, "reads")
	}
	return r.empty(http.StatusOK)
}

func deleteLease(r *request) error {
	holder, prefix, err := r.leaseRequest()
	if err != nil {
		return err
	}
	if err := r.api.store.ReturnLease(r.http.Context(), r.bucket, holder, prefix); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

func leaseError(err error) error {
	switch {
	case errors.Is(err, lease.ErrHeld):
		return s3err.Newf(s3err.OperationAborted, "Another holder has a lease that overlaps.").Wrap(err)
	case errors.Is(err, lease.ErrNoHolder):
		return s3err.Newf(s3err.InvalidRequest, "The holder of leases has no stream of events.").Wrap(err)
	case errors.Is(err, lease.ErrTooMany):
		return s3err.New(s3err.SlowDown).Wrap(err)
	}
	return err
}

// listenLeases is the stream of a holder: an answer without end, with a line each second and one for each event. With its
// end, which is that of the connection or of the server, the holder has no leases any more.
func listenLeases(r *request) error {
	id, _, err := r.leaseRequest()
	if err != nil {
		return err
	}
	holder, err := r.api.store.JoinLeases(r.http.Context(), r.bucket, id)
	if err != nil {
		return leaseError(err)
	}
	defer holder.Leave()
	r.beginStream("application/x-ndjson")
	r.streamLeases(holder)
	return nil
}

// streamLeases writes until the end of the holder. Each line comes of a look at the bucket, which fails where another server has
// taken over, or the bucket is gone, and at what the holder may.
func (r *request) streamLeases(holder *lease.Holder) {
	stopping, _ := r.http.Context().Value(stoppingKey{}).(<-chan struct{})
	begun := time.Now()
	ticker := time.NewTicker(leasePing)
	defer ticker.Stop()
	line := leaseLine{}
	for r.pushLease(line) {
		var event *lease.Event
		select {
		case e := <-holder.Events():
			event = &e
		case <-ticker.C:
		case <-holder.Over():
			return
		case <-r.http.Context().Done():
			return
		case <-stopping:
			return
		}
		now := time.Since(begun).Milliseconds()
		if !r.mayLeaseStill(holder) {
			return
		}
		line = nextLeaseLine(line.Time, now, event, holder.Events())
	}
}

// nextLeaseLine is the line that comes behind one of a time, with an event if there is one. From its own time on the holder
// relies on its leases for a while, so it is now, which was before the events were looked at, only where the line is behind all
// that happened before.
func nextLeaseLine(last, now int64, event *lease.Event, more <-chan lease.Event) (line leaseLine) {
	if event == nil {
		select {
		case e := <-more:
			event = &e
		default:
		}
	}
	if event != nil {
		line = newLeaseLine(*event)
	}
	if line.Time = last; len(more) == 0 {
		line.Time = now
	}
	return line
}

func newLeaseLine(e lease.Event) leaseLine {
	prefix := url.QueryEscape(e.Prefix)
	if e.Revoked {
		return leaseLine{Revoked: &prefix}
	}
	return leaseLine{Recall: &prefix, Key: url.QueryEscape(e.Key)}
}

func (r *request) pushLease(line leaseLine) bool {
	b, err := json.Marshal(line)
	return err == nil && r.push(append(b, '\n'))
}
