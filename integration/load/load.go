package load

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Load changes objects and remembers what may be there. A key must be used by one goroutine at a time.
type Load struct {
	Bucket   string
	Versions string // a bucket with versioning, "" for none

	mu       sync.Mutex
	news     sync.Cond
	seed     int
	acks     int
	sent     map[string][]Content // what a key may hold: what was acknowledged last, and what was sent since
	tags     map[string]string    // ETag of what was acknowledged last, where nothing was sent since
	versions map[version]Content  // that were acknowledged
	removed  map[version]bool     // versions, with an acknowledgement
}

type version struct{ key, id string }

// New makes one that knows of no object.
func New(bucket, versions string) *Load {
	l := &Load{Bucket: bucket, Versions: versions, sent: map[string][]Content{}, tags: map[string]string{},
		versions: map[version]Content{}, removed: map[version]bool{}}
	l.news.L = &l.mu
	return l
}

func (l *Load) newContent(size int) Content {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seed++
	return Content{l.seed % 200, size}
}

// known is what the next change of a key can be conditional on: neither, when a change had no answer.
type known struct {
	free bool
	tag  string
}

// change runs an operation that makes the key hold c, and gives its ETag if it knows.
func (l *Load) change(key string, c Content, op func(known) (tag string, err error)) error {
	l.mu.Lock()
	if l.sent[key] == nil {
		l.sent[key] = []Content{Gone}
	}
	now := known{len(l.sent[key]) == 1 && l.sent[key][0] == Gone, l.tags[key]}
	l.sent[key] = append(l.sent[key], c)
	delete(l.tags, key)
	l.mu.Unlock()
	tag, err := op(now)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[key] = []Content{c}
	if tag != "" {
		l.tags[key] = tag
	}
	l.ackLocked()
	return nil
}

func (l *Load) ackLocked() {
	l.acks++
	l.news.Broadcast()
}

// holds gives what the key holds, where that is known.
func (l *Load) holds(key string) (Content, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent[key]
	if len(sent) != 1 || sent[0] == Gone {
		return Content{}, false
	}
	return sent[0], true
}

// WaitAcks returns after n further acknowledgements, or reports false after a time.
func (l *Load) WaitAcks(n int, within time.Duration) bool {
	l.mu.Lock()
	n += l.acks
	l.mu.Unlock()
	return l.wait(within, func() bool { return l.acks >= n })
}

// wait asks at once and after each acknowledgement, until done says so or the time is over. l.mu is held for done.
func (l *Load) wait(within time.Duration, done func() bool) bool {
	late := false
	timer := time.AfterFunc(within, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.news.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !done() {
		if late {
			return false
		}
		l.news.Wait()
	}
	return true
}

// Len is the number of keys that were used.
func (l *Load) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

func once(o *s3.Options) { o.RetryMaxAttempts = 1 }
