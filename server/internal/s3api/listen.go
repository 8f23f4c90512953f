package s3api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// Bounds of listeners.
const (
	listenQueue    = 10_000 // events that wait for one listener
	maxListeners   = 1000
	listenPing     = 5 * time.Second // between signs of life of a quiet bucket
	maxListenPing  = time.Hour
	listenerSilent = 30 * time.Second // for which a listener may not read
)

type stoppingKey struct{}

// WithStopping lets long answers end when stopping is closed: the context is the base of requests' contexts.
func WithStopping(ctx context.Context, stopping <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey{}, stopping)
}

// listenQuery says what a listener wants to hear of.
type listenQuery struct {
	prefix, suffix string
	patterns       []string
	ping           time.Duration // 0: blanks every listenPing
}

func (r *request) listenQuery() (q listenQuery, err error) {
	q = listenQuery{prefix: r.arg("prefix"), suffix: r.arg("suffix"), patterns: r.query["events"]}
	for _, p := range q.patterns {
		if !strings.HasPrefix(p, "s3:") {
			return q, invalidArgument("events", p, "A specified event is not supported for notifications.")
		}
	}
	if v := r.arg("ping"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || time.Duration(n)*time.Second > maxListenPing {
			return q, invalidArgument("ping", v, "ping is a number of seconds between 1 and 3600")
		}
		q.ping = time.Duration(n) * time.Second
	}
	return q, nil
}

func (q *listenQuery) wants(e store.Event) bool {
	if !strings.HasPrefix(e.Key, q.prefix) || !strings.HasSuffix(e.Key, q.suffix) {
		return false
	}
	for _, p := range q.patterns {
		start, any := strings.CutSuffix(p, "*")
		if p == e.Name || any && strings.HasPrefix(e.Name, start) {
			return true
		}
	}
	return false
}

// listenBucket is MinIO's ListenBucketNotification: an answer without end, one line of JSON for each change, and blanks
// between them so that a dead connection is noticed. The answer ends when the listener falls behind, when the bucket is
// gone for it, or when the server stops: the client asks again, and lists what it may have missed.
func listenBucket(r *request) error {
	q, err := r.listenQuery()
	if err != nil {
		return err
	}
	if r.api.listeners.Add(1) > maxListeners {
		r.api.listeners.Add(-1)
		return s3err.New(s3err.SlowDown)
	}
	defer r.api.listeners.Add(-1)
	l, err := r.api.store.Listen(r.http.Context(), r.bucket, listenQueue)
	if err != nil {
		return err
	}
	defer l.Close()
	r.beginStream("text/event-stream")
	r.stream(l, q)
	return nil
}

// beginStream begins an answer without end.
func (r *request) beginStream(contentType string) {
	h := r.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	h.Set("X-Accel-Buffering", "no") // nginx would hold it back
	r.w.WriteHeader(http.StatusOK)
}

// stream writes until one of the ends of listenBucket.
func (r *request) stream(l *store.Listener, q listenQuery) {
	stopping, _ := r.http.Context().Value(stoppingKey{}).(<-chan struct{})
	alive, sign := listenPing, []byte(" ")
	if q.ping > 0 {
		alive, sign = q.ping, []byte("{\"Records\":[]}\n")
	}
	ticker := time.NewTicker(alive)
	defer ticker.Stop()
	ok := r.push(nil)
	for ok {
		select {
		case e, more := <-l.Events():
			if ok = more; more && q.wants(e) {
				ok = r.push(r.eventLine(e))
			}
		case <-ticker.C:
			ok = r.push(sign)
		case <-r.http.Context().Done():
			return
		case <-stopping:
			return
		}
	}
}

// push sends bytes at once, and reports whether the client still takes them.
func (r *request) push(b []byte) bool {
	rc := http.NewResponseController(r.w)
	_ = rc.SetWriteDeadline(time.Now().Add(listenerSilent))
	if len(b) > 0 {
		if _, err := r.w.Write(b); err != nil {
			return false
		}
	}
	return rc.Flush() == nil
}

// eventRecord is S3's event message structure, version 2.1.
type eventRecord struct {
	EventVersion string        `json:"eventVersion"`
	EventSource  string        `json:"eventSource"`
	AwsRegion    string        `json:"awsRegion"`
	EventTime    string        `json:"eventTime"`
	EventName    string        `json:"eventName"`
	S3           eventRecordS3 `json:"s3"`
}

type eventRecordS3 struct {
	SchemaVersion string `json:"s3SchemaVersion"`
	Bucket        struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"` // URL-encoded
		Size      int64  `json:"size"`
		ETag      string `json:"eTag,omitempty"`
		VersionID string `json:"versionId,omitempty"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

func (r *request) eventLine(e store.Event) []byte {
	record := eventRecord{EventVersion: "2.1", EventSource: "pail:s3", AwsRegion: r.api.region, EventName: e.Name,
		EventTime: string(appendTime(nil, e.Time))}
	s := &record.S3
	s.SchemaVersion = "1.0"
	s.Bucket.Name, s.Bucket.ARN = e.Bucket, "arn:aws:s3:::"+e.Bucket
	s.Object.Key, s.Object.Size, s.Object.ETag, s.Object.VersionID = url.QueryEscape(e.Key), e.Size, e.ETag, e.VersionID
	s.Object.Sequencer = fmt.Sprintf("%016X", e.Sequence)
	line, err := json.Marshal(map[string]any{"Records": []eventRecord{record}})
	if err != nil {
		return nil
	}
	return append(line, '\n')
}
