package integration

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"pail/integration/harness"
	"pail/integration/load"
	"pail/server/pgtest"
)

// call is an operation on a key. What a key holds is known by its ETag, "" for nothing; each body is another one.
type call struct {
	kind  string // put, create, replace, delete, read
	etag  string // that is written
	match string // of replace: what must be there
}

// outcome is what a client learnt.
type outcome struct {
	code string // "": done; "unknown": nothing
	etag string // that was read
}

// register is a key as it must behave. A call whose outcome is not known returns at the end of time: that it comes last,
// where it has no effect on anybody, is one of the orders to be tried.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		held, c, o := state.(string), input.(call), output.(outcome)
		next, done := held, true
		switch c.kind {
		case "put":
			next = c.etag
		case "delete":
			next = ""
		case "create":
			if done = held == ""; done {
				next = c.etag
			}
		case "replace":
			if done = held == c.match; done {
				next = c.etag
			}
		}
		switch o.code {
		case "unknown":
			return true, next
		case "":
			return done && (c.kind != "read" || o.etag == held), next
		case "PreconditionFailed":
			return !done && held != "", held
		case "NoSuchKey":
			return !done && held == "", held
		}
		return o.code == "ConditionalRequestConflict", held
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %+v", input, output) },
}

// history is what clients have done and learnt, by key.
type history struct {
	began time.Time
	mu    sync.Mutex
	calls map[string][]porcupine.Operation
}

// isStandby reports whether a server has refused, as it stands by, so that nothing has happened.
func isStandby(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.Contains(api.ErrorMessage(), "stands by")
}

// record does a call and notes it. A read that fails has told nothing.
func (h *history) record(client int, key string, c call, do func() (etag string, err error)) error {
	begin := time.Since(h.began)
	etag, err := do()
	end := time.Since(h.began)
	o := outcome{etag: etag}
	if err != nil {
		o.code = code(err)
	}
	if isStandby(err) {
		return err
	}
	switch o.code {
	case "", "PreconditionFailed", "NoSuchKey", "ConditionalRequestConflict":
		if err != nil && o.code == "" {
			o.code, end = "unknown", math.MaxInt64
		}
	default:
		o.code, end = "unknown", math.MaxInt64
	}
	if c.kind == "read" {
		if o.code == "unknown" {
			return err
		}
		o.code = ""
	}
	h.note(client, key, c, o, begin, end)
	return err
}

func (h *history) note(client int, key string, c call, o outcome, begin, end time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[key] = append(h.calls[key], porcupine.Operation{ClientId: client, Input: c, Output: o, Call: int64(begin), Return: int64(end)})
}

// check finds for each key an order of the calls that explains what the clients learnt.
func (h *history) check(t *testing.T) {
	t.Helper()
	calls, unknown := 0, 0
	for key, list := range h.calls {
		calls += len(list)
		for _, op := range list {
			if op.Output.(outcome).code == "unknown" {
				unknown++
			}
		}
		result, info := porcupine.CheckOperationsVerbose(register, list, 5*time.Minute)
		if result == porcupine.Ok {
			continue
		}
		path := fmt.Sprintf("%s/pail-history-%s.html", os.TempDir(), strings.ReplaceAll(key, "/", "-"))
		if err := porcupine.VisualizePath(register, info, path); err != nil {
			t.Error(err)
		}
		t.Errorf("%s: %d calls have no order that explains them (%s): %s", key, len(list), result, path)
	}
	t.Logf("%d calls on %d keys, the outcome of %d not known to their clients", calls, len(h.calls), unknown)
}

// linearLoad lets clients use all servers at random until stopped.
type linearLoad struct {
	*history
	clients []*s3.Client
	keys    int           // that are in use at a time
	change  time.Duration // after which others are used, so that no history becomes too long to be checked
}

// key gives a key that is in use now.
func (l *linearLoad) key() (prefix, key string) {
	prefix = fmt.Sprintf("%d/", int(time.Since(l.began)/l.change))
	return prefix, fmt.Sprintf("%s%d", prefix, rand.IntN(l.keys))
}

const callTimeout = 3 * time.Second

// work makes calls with one server after another.
func (l *linearLoad) work(ctx context.Context, id int) {
	known := map[string]string{} // what this client has seen last
	for i := 0; ctx.Err() == nil; i++ {
		prefix, key := l.key()
		at := l.clients[rand.IntN(len(l.clients))]
		short, cancel := context.WithTimeout(context.Background(), callTimeout)
		body := fmt.Appendf(nil, "%d %d ", id, i)
		if rand.IntN(4) == 0 {
			body = append(body, bytes.Repeat([]byte("x"), 100_000)...) // in a file
		}
		var err error
		switch rand.IntN(10) {
		case 0, 1:
			err = l.put(short, at, id, key, body)
		case 2:
			err = l.multipart(short, at, id, key, body)
		case 3, 4:
			err = l.create(short, at, id, key, body)
		case 5:
			err = l.replace(short, at, id, key, body, known[key])
		case 6:
			err = l.record(id, key, call{kind: "delete"}, func() (string, error) {
				_, err := at.DeleteObject(short, &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: &key}, once)
				return "", err
			})
		case 7:
			err = l.list(short, at, id, prefix)
		default:
			known[key], err = l.read(short, at, id, key)
		}
		cancel()
		if err != nil && (code(err) == "" || isStandby(err)) {
			load.Pause(ctx, 20*time.Millisecond)
		}
	}
}

func etagOf(body []byte) string {
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:])
}

func (l *linearLoad) put(ctx context.Context, at *s3.Client, id int, key string, body []byte) error {
	return l.record(id, key, call{kind: "put", etag: etagOf(body)}, func() (string, error) {
		_, err := at.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body)}, once)
		return "", err
	})
}

func (l *linearLoad) create(ctx context.Context, at *s3.Client, id int, key string, body []byte) error {
	return l.record(id, key, call{kind: "create", etag: etagOf(body)}, func() (string, error) {
		_, err := at.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body), IfNoneMatch: aws.String("*")}, once)
		return "", err
	})
}

func (l *linearLoad) replace(ctx context.Context, at *s3.Client, id int, key string, body []byte, match string) error {
	if match == "" {
		return nil
	}
	return l.record(id, key, call{kind: "replace", etag: etagOf(body), match: match}, func() (string, error) {
		_, err := at.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body), IfMatch: aws.String(`"` + match + `"`)}, once)
		return "", err
	})
}

// multipart makes an object of one part; each step may reach another server, and only the last one changes the key.
func (l *linearLoad) multipart(ctx context.Context, at *s3.Client, id int, key string, body []byte) error {
	bucket := aws.String("bucket")
	up, err := at.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &key}, once)
	if err != nil {
		return err
	}
	other := l.clients[rand.IntN(len(l.clients))]
	part, err := other.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(body)}, once)
	if err != nil {
		return err
	}
	sum := md5.Sum(body)
	return l.record(id, key, call{kind: "put", etag: etagOf(sum[:]) + "-1"}, func() (string, error) {
		_, err := at.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: &key, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32}}}}, once)
		return "", err
	})
}

func (l *linearLoad) read(ctx context.Context, at *s3.Client, id int, key string) (etag string, err error) {
	err = l.record(id, key, call{kind: "read"}, func() (string, error) {
		out, err := at.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key}, once)
		if err != nil {
			return "", err
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		if etag = strings.Trim(*out.ETag, `"`); err == nil && !strings.HasSuffix(etag, "-1") && etag != etagOf(body) {
			etag = "other bytes"
		}
		return etag, err
	})
	return etag, err
}

// list reads all keys that are in use at once.
func (l *linearLoad) list(ctx context.Context, at *s3.Client, id int, prefix string) error {
	begin := time.Since(l.began)
	out, err := at.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: &prefix}, once)
	if err != nil {
		return err
	}
	end := time.Since(l.began)
	held := map[string]string{}
	for _, o := range out.Contents {
		held[*o.Key] = strings.Trim(*o.ETag, `"`)
	}
	for n := range l.keys {
		key := fmt.Sprintf("%s%d", prefix, n)
		l.note(id, key, call{kind: "read"}, outcome{etag: held[key]}, begin, end)
	}
	return nil
}

// linear runs clients against servers for a while, with a fault about every second, and checks what the clients learnt.
func (r *replicas) linear(short time.Duration, fault func()) {
	r.t.Helper()
	lasting := short
	if v := os.Getenv("PAIL_HA"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			r.t.Fatal(err)
		}
		lasting = d
	}
	l := &linearLoad{history: &history{began: time.Now(), calls: map[string][]porcupine.Operation{}}, clients: r.clients(), keys: 4, change: 2 * time.Second}
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for id := range 6 {
		clients.Go(func() { l.work(ctx, id) })
	}
	for time.Since(l.began) < lasting {
		load.Pause(ctx, time.Second/2+rand.N(time.Second/2))
		fault()
	}
	stop()
	clients.Wait()
	l.check(r.t)
	for _, s := range r.servers {
		s.Stop(r.t)
	}
	r.fsck()
}

// killOrPause kills a server and starts it again, or stops it for a while.
func (r *replicas) killOrPause(paused time.Duration) {
	victim := r.servers[rand.IntN(len(r.servers))]
	if rand.IntN(2) == 0 {
		victim.Kill()
		victim.Restart(r.t)
		return
	}
	victim.Pause()
	load.Pause(context.Background(), paused)
	victim.Resume()
}

// TestActiveReplicasAreLinearizable kills and stops servers that share a database while clients use all of them.
func TestActiveReplicasAreLinearizable(t *testing.T) {
	t.Parallel()
	r := startActive(t, 3, pgtest.Start(t))
	r.linear(6*time.Second, func() { r.killOrPause(time.Duration(rand.IntN(1500)) * time.Millisecond) })
}

// pair is a primary of PostgreSQL and its synchronous standby.
type pair struct {
	t                *testing.T
	primary, standby *pgtest.Node
}

func startPair(t *testing.T) *pair {
	t.Helper()
	primary := pgtest.Start(t)
	standby, err := primary.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Stop)
	return &pair{t, primary, standby}
}

// failOver kills the primary and promotes the standby.
func (p *pair) failOver() {
	p.t.Helper()
	p.primary.Kill()
	if err := p.standby.Promote(); err != nil {
		p.t.Fatal(err)
	}
	p.primary, p.standby = p.standby, p.primary
}

// mend makes the former primary the standby of the one that it was replaced by.
func (p *pair) mend() {
	p.t.Helper()
	if err := p.standby.Follow(p.primary); err != nil {
		p.t.Fatal(err)
	}
}

// TestDatabaseFailoverIsLinearizable kills the primary of servers that share a database, and promotes its synchronous
// standby, while servers are killed and stopped: one is stopped over the failover, in the midst of what it has under way.
func TestDatabaseFailoverIsLinearizable(t *testing.T) {
	t.Parallel()
	db := startPair(t)
	r := startActive(t, 3, db.primary, db.standby)
	faults := 0
	r.linear(8*time.Second, func() {
		switch faults++; faults % 5 {
		case 2:
			stopped := r.servers[rand.IntN(len(r.servers))]
			stopped.Pause()
			db.failOver()
			load.Pause(context.Background(), time.Duration(rand.IntN(1500))*time.Millisecond)
			stopped.Resume()
		case 0:
			db.mend()
		default:
			r.killOrPause(time.Duration(rand.IntN(1500)) * time.Millisecond)
		}
	})
}

// TestStandbysAreLinearizable does the same with an owner and its standbys: an owner is stopped for longer than they wait.
func TestStandbysAreLinearizable(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, 3, harness.ServerOptions{Args: []string{"--patience", "3s"}})
	r.linear(6*time.Second, func() { r.killOrPause(3500 * time.Millisecond) })
}
