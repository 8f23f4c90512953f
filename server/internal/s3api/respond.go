package s3api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"pail/server/internal/s3err"
)

// answer notes what has been written.
type answer struct {
	http.ResponseWriter
	status int
	n      int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	n, err := a.ResponseWriter.Write(p)
	a.n += int64(n)
	return n, err
}

// ReadFrom keeps net/http's way to sendfile open.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	a.WriteHeader(http.StatusOK)
	n, err := io.Copy(a.ResponseWriter, src)
	a.n += n
	return n, err
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// doc takes an empty document from the pool; send gives it back.
func (r *request) doc() *xmlBuf {
	x := r.api.buffers.Get().(*xmlBuf)
	x.b = x.b[:0]
	return x
}

// send answers status with the document.
func (r *request) send(status int, x *xmlBuf) error {
	r.sendBytes(status, x.b)
	r.recycle(x)
	return nil
}

// recycle gives a document back to the pool.
func (r *request) recycle(x *xmlBuf) {
	if cap(x.b) <= 4<<20 {
		r.api.buffers.Put(x)
	}
}

func (r *request) sendBytes(status int, b []byte) {
	h := r.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	r.w.WriteHeader(status)
	if r.http.Method != http.MethodHead {
		_, _ = r.w.Write(b) // a client that is gone needs no answer
	}
}

// empty answers status without a body.
func (r *request) empty(status int) error {
	if status != http.StatusNoContent {
		r.w.Header().Set("Content-Length", "0")
	}
	r.w.WriteHeader(status)
	return nil
}

// fail answers an error. It reports whether the answer had already begun, and so the connection must be cut.
func (r *request) fail(err error) (cut bool) {
	e := r.translate(err)
	r.code = string(e.Code)
	if r.w.status != 0 {
		r.api.log.Debug("answer cut", "op", r.opName, "request", r.id, "error", err)
		return true
	}
	r.markerHeaders(err)
	h := r.w.Header()
	set(h, "X-Amz-Bucket-Region", e.Field("Region")) // that should have signed; SDKs take it from HeadBucket, which has no body
	if r.expects() {
		h.Set("Connection", "close") // see goOn
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	switch {
	case e.Status == http.StatusNotModified:
		r.w.WriteHeader(e.Status)
	case r.site != nil:
		r.sendPage(e)
	case r.http.Method == http.MethodHead:
		if r.opName == "HeadBucket" {
			r.regionHeader()
		}
		h.Del("Content-Type")
		h.Del("Content-Length")
		r.w.WriteHeader(e.Status)
	default:
		r.sendBytes(e.Status, e.AppendXML(nil, s3err.Context{Resource: r.resource(), RequestID: r.id, HostID: r.api.hostID}))
	}
	return false
}

// clientTimeout is how long a client may be silent in the middle of a body, unless Options say otherwise, and how long
// the server waits altogether for the next bodyProgress bytes of it; drainIdle is how long it may be silent after its
// answer, and answerIdle how long it may take to read answerChunk bytes of an answer.
const (
	clientTimeout = 60 * time.Second
	bodyProgress  = 64 << 10

	drainIdle   = 5 * time.Second
	drainBytes  = 32 << 20 // that are read after the answer at most
	answerIdle  = 5 * time.Minute
	answerChunk = 8 << 20
)

// bodyReader is the request's body: it counts, marks errors as the client's, and bounds how long a client may be silent
// and how slowly it may send. Only the time that the server waits counts, not what it does in between.
type bodyReader struct {
	rc       *http.ResponseController
	body     io.ReadCloser
	idle     time.Duration
	n        int64
	deadline time.Time
	waited   time.Duration // since progress
	progress int64         // n then
	done     bool          // io.EOF was seen
}

// bodyError is a request body that ended early.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "request body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

func (b *bodyReader) Read(p []byte) (int, error) {
	now := time.Now()
	if b.deadline.Sub(now) < b.idle/2 {
		b.deadline = now.Add(b.idle)
		_ = b.rc.SetReadDeadline(b.deadline) // a writer without deadlines (a test's recorder) has none to bound
	}
	n, err := b.body.Read(p)
	b.n += int64(n)
	if err == nil && b.tooSlow(time.Since(now)) {
		err = os.ErrDeadlineExceeded
	}
	if errors.Is(err, io.EOF) {
		b.done = true
		// net/http goes on reading, to notice a client that goes away; a deadline would look like that to it.
		_ = b.rc.SetReadDeadline(time.Time{})
	} else if err != nil {
		err = &bodyError{err}
	}
	return n, err
}

// tooSlow counts the time that the client let the server wait, and reports whether it sends too little for it.
func (b *bodyReader) tooSlow(waited time.Duration) bool {
	b.waited += waited
	if b.n-b.progress >= bodyProgress {
		b.waited, b.progress = 0, b.n
	}
	return b.waited > b.idle
}

// leave bounds the time that net/http takes after the answer to read what is left of the body. A client that waits for
// "100 Continue" sends nothing more.
func (b *bodyReader) leave(expects bool) {
	if b.done || b.body == http.NoBody {
		return
	}
	if expects && b.n == 0 {
		_ = b.rc.SetReadDeadline(time.Now())
		return
	}
	_ = b.rc.SetReadDeadline(time.Now().Add(drainIdle))
	// A connection that is closed while its client still sends is reset, and many a client then never sees the answer.
	_ = b.rc.Flush()
	n, _ := io.CopyN(io.Discard, b.body, drainBytes)
	b.n += n
}

func (b *bodyReader) Close() error { return b.body.Close() }

// timedOut reports whether the error is a client that fell silent.
func (e *bodyError) timedOut() bool { return errors.Is(e.err, os.ErrDeadlineExceeded) }

func itoa(n int) string { return strconv.Itoa(n) }
