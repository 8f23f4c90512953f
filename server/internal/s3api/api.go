package s3api

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pail/server/internal/accesslog"
	"pail/server/internal/s3err"
	"pail/server/internal/sigauth"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// Options are the parts of an API. Store and Verifier must be set.
type Options struct {
	Store    *store.Store
	Verifier *sigauth.Verifier
	Keys     *sse.Keys        // the Store's; nil: there are none
	Region   string           // "" means us-east-1
	Accounts Accounts         // nil: there is one, whose name nobody knows
	Several  bool             // Accounts are several, and policies may name these only
	Domains  []string         // hosts below which a first label is a bucket (virtual-host style)
	Log      *slog.Logger     // nil discards
	Now      func() time.Time // nil means time.Now
	Observe  Observer         // nil observes nothing

	WebsiteDomains []string // hosts below which the first labels are a bucket whose website is asked for

	AccessLogInterval time.Duration // between deliveries of access logs; 0: accesslog.DefaultInterval

	// ClientTimeout is how long a client may be silent in the middle of a body, or send next to nothing; 0 is a minute.
	ClientTimeout time.Duration

	// Of new buckets.
	Ownership   string // of objects; "" is BucketOwnerEnforced
	BlockPublic bool   // they get a public access block with all four flags

	// Encrypt makes AES256 the default encryption of buckets that have no other.
	Encrypt bool
	// InsecureCustomerKeys takes customers' keys over plain HTTP, from other machines too.
	InsecureCustomerKeys bool
}

// Observer is told of every request. Its methods are called concurrently and must not block.
type Observer interface {
	// Start is called when the operation is known; op is a name of the operation table, or "Unknown".
	Start(op string)
	// Done is called once for each Start, after the answer.
	Done(Event)
}

// Event is one answered request.
type Event struct {
	Op       string
	Status   int
	Code     string // S3's error code, "" on success
	Duration time.Duration
	In, Out  int64 // bytes of the two bodies, as they travelled
}

// API is the handler. It is safe for concurrent use.
type API struct {
	store    *store.Store
	verifier *sigauth.Verifier
	keys     *sse.Keys
	log      *slog.Logger
	now      func() time.Time
	observe  Observer

	region   string
	domains  []string
	websites []string // domains of websites
	routes   *routes
	idBase   uint64 // request ids are idBase + count
	hostID   string
	idle     time.Duration

	count   atomic.Uint64
	buffers sync.Pool // of *xmlBuf
	configs *configCache

	listeners atomic.Int64 // that are being served

	accounts    Accounts
	several     bool
	accesses    *accessCache
	accessLog   *accesslog.Writer
	ownership   string
	blockPublic bool

	encrypt              bool
	insecureCustomerKeys bool
}

// New makes the handler of an S3 service.
func New(opt Options) *API {
	a := &API{store: opt.Store, verifier: opt.Verifier, log: opt.Log, now: opt.Now, observe: opt.Observe,
		region: opt.Region, routes: newRoutes(ops())}
	a.configs = newConfigCache(opt.Store)
	a.accounts, a.several, a.accesses = opt.Accounts, opt.Several, newAccessCache(opt.Store, a.logTarget)
	a.ownership, a.blockPublic = opt.Ownership, opt.BlockPublic
	a.keys, a.encrypt, a.insecureCustomerKeys = opt.Keys, opt.Encrypt, opt.InsecureCustomerKeys
	if a.keys == nil {
		a.keys = new(sse.Keys)
	}
	if a.ownership == "" {
		a.ownership = ownershipEnforced
	}
	a.idle = cmp.Or(opt.ClientTimeout, clientTimeout)
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.observe == nil {
		a.observe = noObserver{}
	}
	if a.region == "" {
		a.region = defaultRegion
	}
	a.domains, a.websites = domainNames(opt.Domains), domainNames(opt.WebsiteDomains)
	a.accessLog = accesslog.New(accesslog.Options{Put: a.putLog, Now: a.now, Interval: opt.AccessLogInterval, Log: a.log})
	var seed [40]byte
	_, _ = rand.Read(seed[:]) // never fails (crypto/rand)
	a.idBase = binary.BigEndian.Uint64(seed[:8])
	a.hostID = base64.StdEncoding.EncodeToString(seed[8:])
	a.buffers.New = func() any { return &xmlBuf{b: make([]byte, 0, 4096)} }
	return a
}

func domainNames(list []string) (names []string) {
	for _, d := range list {
		names = append(names, strings.ToLower(strings.Trim(d, ".")))
	}
	return names
}

type noObserver struct{}

func (noObserver) Start(string) {}
func (noObserver) Done(Event)   {}

// ServeHTTP answers one S3 request, or one of a website below WebsiteDomains.
func (a *API) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	if bucket, ok := a.websiteBucket(hr.Host); ok {
		a.handle(w, hr, request{bucket: bucket, site: new(site)})
		return
	}
	a.handle(w, hr, request{})
}

// handle serves the request, of which what the listener or the Host header tells is known.
func (a *API) handle(w http.ResponseWriter, hr *http.Request, known request) {
	start := a.now()
	state := &struct { // one piece of memory
		request
		answer
		bodyReader
		headers [3]string
	}{
		answer:     answer{ResponseWriter: w},
		bodyReader: bodyReader{rc: http.NewResponseController(w), body: hr.Body, idle: a.idle},
		headers:    [3]string{"pail", a.nextID(), a.hostID},
	}
	r := &state.request
	*r = known
	r.api, r.w, r.body, r.id, r.opName = a, &state.answer, &state.bodyReader, state.headers[1], "Unknown"
	// The body is wrapped in a copy of the request: net/http looks at the type of the one it made to know whether a
	// client still waits for "100 Continue".
	r.http = hr.WithContext(a.store.PinConfigs(hr.Context()))
	r.http.Body = r.body
	h := w.Header()
	h["Server"] = state.headers[0:1:1]
	h["X-Amz-Request-Id"] = state.headers[1:2:2]
	h["X-Amz-Id-2"] = state.headers[2:3:3]
	cut := r.run()
	r.body.leave(r.expects())
	e := Event{Op: r.opName, Status: r.w.status, Code: r.code, Duration: a.now().Sub(start), In: r.body.n, Out: r.w.n}
	a.observe.Done(e)
	r.logAccess(start, &e)
	if a.log.Enabled(hr.Context(), slog.LevelDebug) {
		a.log.Debug("request", "op", e.Op, "method", hr.Method, "uri", redactURI(hr.RequestURI), "status", e.Status,
			"code", e.Code, "in", e.In, "out", e.Out, "took", e.Duration, "remote", hr.RemoteAddr, "request", r.id)
	}
	if cut {
		panic(http.ErrAbortHandler) // net/http closes the connection, and logs nothing
	}
}

func (a *API) nextID() string {
	var id [8]byte
	var text [16]byte
	binary.BigEndian.PutUint64(id[:], a.idBase+a.count.Add(1))
	hex.Encode(text[:], id[:])
	return string(bytes.ToUpper(text[:]))
}

// run serves the request to its end. It reports whether the connection must be cut because the answer had begun.
func (r *request) run() (cut bool) {
	defer func() {
		if p := recover(); p != nil {
			r.api.log.Error("panic in a request", "op", r.opName, "request", r.id, "panic", p, "stack", string(debug.Stack()))
			cut = r.fail(s3err.New(s3err.InternalError))
		}
	}()
	err := r.route()
	r.api.observe.Start(r.opName)
	if err == nil {
		r.corsHeaders()
		err = r.serve()
	}
	if err != nil {
		return r.fail(err)
	}
	return false
}

// route parses the URL and finds the operation.
func (r *request) route() error {
	if r.site != nil {
		return r.parseSite()
	}
	if err := r.parse(); err != nil {
		return err
	}
	o, err := r.api.routes.find(r.scope(), r.http.Method, r.query, r.http.Header)
	if s3err.Is(err, s3err.MethodNotAllowed) {
		r.w.Header().Set("Allow", r.api.routes.allow(r.scope(), r.query))
	}
	if err != nil {
		return r.otherService(err)
	}
	r.op, r.opName = o, o.name
	return nil
}

// otherService gives the error for a call of another of AWS's services, which all post to "/": IAM, STS and SNS a form, newer
// ones JSON. It is err for what is none.
func (r *request) otherService(err error) error {
	media, _, _ := strings.Cut(r.header("Content-Type"), ";")
	form := strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
	if r.http.Method != http.MethodPost || r.scope() != onService || !form && r.header("X-Amz-Target") == "" {
		return err
	}
	return s3err.Newf(s3err.NotImplemented, "Only Amazon S3 is served here: calls of IAM, STS, SNS and other services are not implemented.")
}

// serve authenticates, authorizes and answers.
func (r *request) serve() error {
	if r.site != nil {
		return r.serveSite()
	}
	if r.op.public || r.op.form {
		r.noteAccess()
		return r.op.serve(r)
	}
	var err error
	if r.identity, r.payload, err = r.api.verifier.Authenticate(r.http); err != nil {
		r.noteAccess()
		return err
	}
	if r.op.serve == nil {
		return s3err.Newf(s3err.NotImplemented, "%s is not implemented.", r.op.name).With("Operation", r.op.name)
	}
	if err := authorize(r); err != nil {
		return err
	}
	r.charge()
	if err := r.checkHeaders(); err != nil {
		return err
	}
	r.nameLeaseHolder()
	r.goOn()
	return r.op.serve(r)
}

// goOn answers "100 Continue" to a client that asked for it before an empty body, where net/http does not. RFC 9110 lets
// a server leave that out, but botocore then reads the next answer on the connection wrongly.
func (r *request) goOn() {
	if r.expects() && r.http.ContentLength == 0 {
		r.w.ResponseWriter.WriteHeader(http.StatusContinue)
	}
}

// expects reports whether the client waits for "100 Continue".
func (r *request) expects() bool { return r.http.Header.Get("Expect") != "" }
