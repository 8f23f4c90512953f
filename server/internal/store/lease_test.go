package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"pail/server/internal/lease"
	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
	"pail/server/internal/meta/pebbledb/pebbletest"
)

// onEachEngineWithLeases is onEachEngine without those that several Stores share.
func onEachEngineWithLeases(t *testing.T, test func(t *testing.T, e *env, h *lease.Holder)) {
	for name, db := range map[string]func(t *testing.T) meta.DB{
		"memdb":    func(*testing.T) meta.DB { return memdb.New() },
		"pebbledb": func(t *testing.T) meta.DB { return openPebble(t, pebbletest.NewDisk(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, db(t))
			h, err := e.JoinLeases(ctx, "b", "holder")
			wantErr(t, err, nil)
			defer h.Leave()
			test(t, e, h)
		})
	}
}

// Whoever makes a key under a lease waits for its end, in whatever way the key is made; the holder does not.
func TestMakingAKeyWaitsForALease(t *testing.T) {
	uploaded := func(e *env) string {
		id, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "d/k"})
		wantErr(e.t, err, nil)
		return id
	}
	for name, prepare := range map[string]func(e *env) func(context.Context) error{
		"put": func(e *env) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1})
				return err
			}
		},
		"put of a blob": func(e *env) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader(strings.Repeat("x", 200_000)), Size: 200_000})
				return err
			}
		},
		"append": func(e *env) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := e.AppendObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1}, 0)
				return err
			}
		},
		"copy": func(e *env) func(context.Context) error {
			e.put("s", data(5, 1))
			return func(ctx context.Context) error {
				_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "s", DstBucket: "b", DstKey: "d/k"})
				return err
			}
		},
		"rename": func(e *env) func(context.Context) error {
			e.put("s", data(5, 1))
			return func(ctx context.Context) error {
				return e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "s", Dst: "d/k"})
			}
		},
		"rename of a prefix": func(e *env) func(context.Context) error {
			e.put("s/k", data(5, 1))
			return func(ctx context.Context) error {
				return e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "s/", Dst: "d/"})
			}
		},
		"complete": func(e *env) func(context.Context) error {
			id := uploaded(e)
			part, err := e.PutPart(ctx, PartInput{Bucket: "b", Key: "d/k", UploadID: id, N: 1, Body: strings.NewReader("x"), Size: 1})
			wantErr(e.t, err, nil)
			return func(ctx context.Context) error {
				_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "d/k", UploadID: id, Parts: []CompletedPart{{N: 1, ETag: part.ETag}}})
				return err
			}
		},
		"removal of a delete marker": func(e *env) func(context.Context) error {
			e.versioning(Enabled)
			e.put("d/k", data(5, 1))
			res, err := e.DeleteObject(ctx, "b", "d/k", DeleteInput{})
			wantErr(e.t, err, nil)
			return func(ctx context.Context) error {
				_, err := e.DeleteObject(ctx, "b", "d/k", DeleteInput{VersionID: res.MarkerVersionID})
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
				do := prepare(e)
				wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Names), nil)
				over := make(chan error, 1)
				go func() { over <- do(ctx) }()
				if event := <-h.Events(); event.Prefix != "d/" || event.Key != "d/k" && event.Key != "d/" {
					t.Errorf("%+v", event)
				}
				e.has("d/k", nil)
				select {
				case err := <-over:
					t.Errorf("it has not waited: %v", err)
				default:
				}
				wantErr(t, e.ReturnLease(ctx, "b", "holder", "d/"), nil)
				wantErr(t, <-over, nil)
				if e.get("d/k") == nil {
					t.Error("it is not there")
				}
			})
			onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
				do := prepare(e)
				wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Names), nil)
				wantErr(t, do(WithLeaseHolder(ctx, "holder")), nil)
				if e.get("d/k") == nil || len(h.Events()) > 0 {
					t.Error("the holder's own")
				}
			})
		})
	}
}

// Whoever changes anything under a lease for reads waits for its end, in whatever way; the holder does not, nor does who
// reads.
func TestChangesWaitForALeaseForReads(t *testing.T) {
	versions := func(e *env) string {
		e.versioning(Enabled)
		e.put("d/k", data(6, 3))
		o, err := e.HeadObject(ctx, "b", "d/k", ReadInput{})
		wantErr(e.t, err, nil)
		return o.VersionID
	}
	type change = func(context.Context) error
	for name, prepare := range map[string]func(e *env) change{
		"put": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1})
				return err
			}
		},
		"put of a new key": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "d/new", Body: strings.NewReader("x"), Size: 1})
				return err
			}
		},
		"append": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.AppendObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1}, 5)
				return err
			}
		},
		"copy": func(e *env) change {
			e.put("s", data(5, 2))
			return func(ctx context.Context) error {
				_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "s", DstBucket: "b", DstKey: "d/k"})
				return err
			}
		},
		"rename to": func(e *env) change {
			e.put("s", data(5, 2))
			return func(ctx context.Context) error {
				return e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "s", Dst: "d/k"})
			}
		},
		"rename away": func(e *env) change {
			return func(ctx context.Context) error {
				return e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "d/k", Dst: "s"})
			}
		},
		"rename of the prefix": func(e *env) change {
			return func(ctx context.Context) error {
				return e.RenameObject(ctx, RenameInput{Bucket: "b", Src: "d/", Dst: "e/"})
			}
		},
		"complete": func(e *env) change {
			id, err := e.CreateUpload(ctx, UploadInput{Bucket: "b", Key: "d/k"})
			wantErr(e.t, err, nil)
			part, err := e.PutPart(ctx, PartInput{Bucket: "b", Key: "d/k", UploadID: id, N: 1, Body: strings.NewReader("x"), Size: 1})
			wantErr(e.t, err, nil)
			return func(ctx context.Context) error {
				_, err := e.CompleteUpload(ctx, CompleteInput{Bucket: "b", Key: "d/k", UploadID: id, Parts: []CompletedPart{{N: 1, ETag: part.ETag}}})
				return err
			}
		},
		"delete": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.DeleteObject(ctx, "b", "d/k", DeleteInput{})
				return err
			}
		},
		"delete as a directory": func(e *env) change {
			e.put("d/sub/", nil)
			return func(ctx context.Context) error {
				_, err := e.DeleteDirectory(ctx, "b", DeleteInput{Key: "d/sub/"})
				return err
			}
		},
		"delete with others": func(e *env) change {
			e.put("a", data(5, 2))
			return func(ctx context.Context) error {
				_, err := e.DeleteObjects(ctx, "b", []DeleteInput{{Key: "a"}, {Key: "d/k"}})
				return err
			}
		},
		"delete marker": func(e *env) change {
			versions(e)
			return func(ctx context.Context) error {
				_, err := e.DeleteObject(ctx, "b", "d/k", DeleteInput{})
				return err
			}
		},
		"delete of the current version": func(e *env) change {
			id := versions(e)
			return func(ctx context.Context) error {
				_, err := e.DeleteObject(ctx, "b", "d/k", DeleteInput{VersionID: id})
				return err
			}
		},
		"put of a version": func(e *env) change {
			versions(e)
			return func(ctx context.Context) error {
				_, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1})
				return err
			}
		},
		"expiration": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.Expire(ctx, "b", "d/k", "", func(Candidate) bool { return true })
				return err
			}
		},
		"tags": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.SetTags(ctx, "b", "d/k", "", []Tag{{"a", "b"}})
				return err
			}
		},
		"list of grants": func(e *env) change {
			return func(ctx context.Context) error {
				_, err := e.SetACL(ctx, "b", "d/k", "", []byte("x"))
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
				e.put("d/k", data(5, 1))
				do := prepare(e)
				wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Reads), nil)
				was, list := e.get("d/k"), e.keys("b")
				over := make(chan error, 1)
				go func() { over <- do(ctx) }()
				if event := <-h.Events(); event.Prefix != "d/" || !strings.HasPrefix(event.Key, "d/") {
					t.Errorf("%+v", event)
				}
				select {
				case err := <-over:
					t.Errorf("it has not waited: %v", err)
				default:
				}
				e.has("d/k", was)
				if now := e.keys("b"); now != list {
					t.Errorf("keys %q were %q", now, list)
				}
				wantErr(t, e.ReturnLease(ctx, "b", "holder", "d/"), nil)
				wantErr(t, <-over, nil)
				e.check()
			})
			onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
				e.put("d/k", data(5, 1))
				do := prepare(e)
				wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Reads), nil)
				wantErr(t, do(WithLeaseHolder(ctx, "holder")), nil)
				if len(h.Events()) > 0 {
					t.Error("the holder's own")
				}
			})
		})
	}
}

// The bucket does not go before who relies on its being empty knows.
func TestDeletionOfTheBucketWaitsForALeaseForReads(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
		wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Reads), nil)
		over := make(chan error, 1)
		go func() { over <- e.DeleteBucket(ctx, "b") }()
		<-h.Events()
		wantErr(t, e.ReturnLease(ctx, "b", "holder", "d/"), nil)
		wantErr(t, <-over, nil)
	})
}

// A Store that takes over has the leases for reads of the one before linger, and none that was given back.
func TestLeasesForReadsOutliveTheStore(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, _ *lease.Holder) {
		for _, prefix := range []string{"d/", "returned/", "wide/narrow/", "wide/"} {
			wantErr(t, e.GrantLease(ctx, "b", "holder", prefix, lease.Reads), nil)
		}
		wantErr(t, e.GrantLease(ctx, "b", "holder", "names/", lease.Names), nil)
		wantErr(t, e.ReturnLease(ctx, "b", "holder", "returned/"), nil)
		next := openStore(t, e.db, e.fs, time.Now)
		id, err := next.bucketID(ctx, "b")
		wantErr(t, err, nil)
		for prefix, there := range map[string]bool{"d/": true, "wide/": true, "wide/narrow/": false, "returned/": false, "names/": false} {
			if got := next.leases.Held(lease.Place{Bucket: id, Prefix: prefix}); got != there {
				t.Errorf("%q: %v", prefix, got)
			}
		}
		_, err = next.PutObject(WithLeaseHolder(ctx, "holder"), PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1})
		wantErr(t, err, nil) // the holder's own, on its way at the time
		_, err = next.PutObject(ctx, PutInput{Bucket: "b", Key: "d/k", Body: strings.NewReader("x"), Size: 1})
		wantErr(t, err, nil)
		wantErr(t, next.update(ctx, nil, func(x *tx) error { return x.forgetLeases(next.leases.Ended()) }), nil)
		e.check()
	})
}

// What makes no key under a lease does not wait, and who gives up waiting has changed nothing.
func TestOthersDoNotWaitForALease(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
		e.put("d/old", data(5, 1))
		wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Names), nil)
		e.put("d/old", data(200_000, 2))
		e.put("e/new", data(5, 1))
		e.has("d/old", data(200_000, 2))
		e.delete("d/old")
		if len(h.Events()) > 0 {
			t.Errorf("%+v", <-h.Events())
		}
		tired, cancel := context.WithCancel(ctx)
		over := make(chan error, 1)
		go func() {
			_, err := e.PutObject(tired, PutInput{Bucket: "b", Key: "d/new", Body: strings.NewReader(strings.Repeat("x", 200_000)), Size: 200_000})
			over <- err
		}()
		<-h.Events()
		cancel()
		wantErr(t, <-over, context.Canceled)
		e.has("d/new", nil)
		e.check()
	})
}

// A grant comes after all that was begun before: what it does not see waits.
func TestGrantSeesWhatWasMadeBefore(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
		const writers = 8
		stop, over := make(chan struct{}), make(chan struct{}, writers)
		for w := range writers {
			go func() {
				defer func() { over <- struct{}{} }()
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						e.put("d/"+string(rune('a'+w)), data(5, byte(i)))
						e.delete("d/" + string(rune('a'+w)))
					}
				}
			}()
		}
		for range 50 {
			wantErr(t, e.GrantLease(ctx, "b", "holder", "d/", lease.Names), nil)
			before := strings.Fields(e.keys("b"))
			after := strings.Fields(e.keys("b"))
			for _, key := range after { // they can only have been removed
				if !strings.Contains(" "+strings.Join(before, " ")+" ", " "+key+" ") {
					t.Errorf("%q was made under a lease", key)
				}
			}
			wantErr(t, e.ReturnLease(ctx, "b", "holder", "d/"), nil)
			for len(h.Events()) > 0 {
				<-h.Events()
			}
		}
		close(stop)
		for range writers {
			<-over
		}
	})
}

func TestEndOfListenersEndsHolders(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
		e.EndListeners()
		<-h.Over()
		_, err := e.JoinLeases(ctx, "b", "another")
		wantErr(t, err, ErrClosed)
	})
}

// leaseRows returns how many leases are written down.
func leaseRows(t *testing.T, s *Store) (n int) {
	t.Helper()
	wantErr(t, s.view(t.Context(), func(r meta.Reader) error {
		it := r.Iter(meta.Leases.Bounds())
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			n++
		}
		return it.Err()
	}), nil)
	return n
}

// What is covered by a lease of the holder is no lease that could end, and is not written down.
func TestCoveredLeasesAreNotWrittenDown(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, h *lease.Holder) {
		for _, prefix := range []string{"d/", "d/", "d/e/", "d/f/"} {
			wantErr(t, e.GrantLease(ctx, "b", "holder", prefix, lease.Reads), nil)
		}
		if n := leaseRows(t, e.Store); n != 1 {
			t.Errorf("%d rows of one lease", n)
		}
		wantErr(t, e.ReturnLease(ctx, "b", "holder", "d/"), nil)
		if n := leaseRows(t, e.Store); n > 0 {
			t.Errorf("%d rows of none", n)
		}
	})
}

// The rows of leases that have ended go, though a grant that was to remove them is refused.
func TestRowsOfEndedLeasesGoAfterARefusal(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, _ *lease.Holder) {
		other, err := e.JoinLeases(ctx, "b", "other")
		wantErr(t, err, nil)
		defer other.Leave()
		wantErr(t, e.GrantLease(ctx, "b", "holder", "held/", lease.Reads), nil)
		wantErr(t, e.GrantLease(ctx, "b", "other", "gone/", lease.Reads), nil)
		id, err := e.Store.bucketID(ctx, "b")
		wantErr(t, err, nil)
		e.leases.Return(id, "other", "gone/") // as it is revoked
		wantErr(t, e.GrantLease(ctx, "b", "other", "held/", lease.Reads), lease.ErrHeld)
		wantErr(t, e.ReturnLease(ctx, "b", "holder", "held/"), nil)
		if n := leaseRows(t, e.Store); n > 0 {
			t.Errorf("%d rows of none", n)
		}
	})
}

// Who removes keys under leases of several holders has all of them hear of it before any has given its lease back.
func TestDeleteObjectsRecallsAllLeasesAtOnce(t *testing.T) {
	onEachEngineWithLeases(t, func(t *testing.T, e *env, first *lease.Holder) {
		second, err := e.JoinLeases(ctx, "b", "second")
		wantErr(t, err, nil)
		defer second.Leave()
		var keys []DeleteInput
		for holder, prefix := range map[string]string{"holder": "x/", "second": "y/"} {
			e.put(prefix+"k", data(5, 1))
			wantErr(t, e.GrantLease(ctx, "b", holder, prefix, lease.Reads), nil)
			keys = append(keys, DeleteInput{Key: prefix + "k"})
		}
		over := make(chan error, 1)
		go func() {
			_, err := e.DeleteObjects(ctx, "b", keys)
			over <- err
		}()
		for prefix, h := range map[string]*lease.Holder{"x/": first, "y/": second} {
			if got := <-h.Events(); got != (lease.Event{Prefix: prefix, Key: prefix + "k"}) {
				t.Errorf("%+v", got)
			}
		}
		for _, prefix := range []string{"x/", "y/"} {
			if !e.leases.Held(lease.Place{Bucket: first.Bucket(), Prefix: prefix}) {
				t.Errorf("nobody waited for the lease on %q", prefix)
			}
		}
		wantErr(t, e.ReturnLease(ctx, "b", "holder", "x/"), nil)
		wantErr(t, e.ReturnLease(ctx, "b", "second", "y/"), nil)
		wantErr(t, <-over, nil)
	})
}
