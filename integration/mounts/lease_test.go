package mounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
)

// party is somebody who makes files exclusively in a bucket.
type party interface {
	// take makes a file with that content, and reports false if somebody else has it.
	take(name, content string) (bool, error)
}

type mounted struct{ *harness.Mount }

func (m mounted) take(name, content string) (bool, error) {
	f, err := os.OpenFile(m.Path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(content)
	return true, errors.Join(err, f.Close())
}

// plainClient is a client that knows nothing of leases.
type plainClient struct{ *s3.Client }

func (c plainClient) take(name, content string) (bool, error) {
	err := c.put(name, content, aws.String("*"))
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) && status.HTTPStatusCode() == 412 {
		return false, nil
	}
	return err == nil, err
}

func (c plainClient) put(name, content string, ifNoneMatch *string) error {
	_, err := c.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &name,
		Body: strings.NewReader(content), IfNoneMatch: ifNoneMatch})
	return err
}

func (c plainClient) delete(name string) error {
	_, err := c.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: &name})
	return err
}

func (c plainClient) get(t *testing.T, name string) string {
	t.Helper()
	out, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &name})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// leaseScene is a server with two mounts of a bucket and a plain client.
type leaseScene struct {
	*testing.T
	server *harness.Server
	a, b   mounted
	client plainClient
}

func newLeaseScene(t *testing.T) *leaseScene {
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	srv.Bucket(t, "bucket")
	mount := func() mounted { return mounted{srv.Mount(t, "bucket", harness.MountOptions{})} }
	return &leaseScene{t, srv, mount(), mount(), plainClient{srv.Client(t)}}
}

func (s *leaseScene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// lease has a mount make a directory, and get a lease on it: a file that is open there is not on the server. Where the server is
// slow, that takes more than a few files.
func (s *leaseScene) lease(m mounted, dir string) {
	s.Helper()
	s.ok(os.Mkdir(m.Path(dir), 0o755))
	leased := false
	for i, deadline := 0, time.Now().Add(time.Minute); i < 3 || !leased; i++ {
		name := fmt.Sprintf("%s/lease%d", dir, i)
		f := s.create(m, name, name)
		leased = !s.there(name)
		s.ok(f.Close())
		if !leased && i >= 3 {
			time.Sleep(100 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			s.Fatalf("there is no lease on %s", dir)
		}
	}
	if s.b.Mount != nil {
		s.seen(s.b, dir) // it has read the root when it was mounted
	}
}

// create makes a file exclusively, and writes to it.
func (s *leaseScene) create(m mounted, name, content string) *os.File {
	s.Helper()
	f, err := os.OpenFile(m.Path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	s.ok(err)
	s.Cleanup(func() { f.Close() })
	_, err = f.WriteString(content)
	s.ok(err)
	return f
}

// open makes a file under a lease, and writes to it.
func (s *leaseScene) open(m mounted, name, content string) *os.File {
	s.Helper()
	f := s.create(m, name, content)
	if s.there(name) {
		s.Fatalf("%s is on the server: there is no lease", name)
	}
	return f
}

// there reports whether the server has an object.
func (s *leaseScene) there(name string) bool {
	_, err := s.client.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: &name})
	return err == nil
}

// seen waits until a mount shows what somebody else has made, which it may have known not to be there.
func (s *leaseScene) seen(m mounted, name string) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(m.Path(name)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s is not seen", m.Path(name))
		}
	}
}

// has checks an object, and that there are as many conflict files with that content beside it.
func (s *leaseScene) has(name, content string, kept ...string) {
	s.Helper()
	if got := s.client.get(s.T, name); got != content {
		s.Errorf("%s holds %q, not %q", name, got, content)
	}
	out, err := s.client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: aws.String(name + ".conflict-")})
	s.ok(err)
	if len(out.Contents) != len(kept) {
		s.Errorf("%d versions are kept beside %s, not %d", len(out.Contents), name, len(kept))
	}
	for i := range min(len(kept), len(out.Contents)) {
		if got := s.client.get(s.T, *out.Contents[i].Key); got != kept[i] {
			s.Errorf("%q is kept beside %s", got, name)
		}
	}
}

// Of two mounts and a client that make the same names, one wins each name, whoever has a lease at the time, and what the
// winners wrote is what everybody reads.
func TestOneWinnerOfEachName(t *testing.T) {
	s := newLeaseScene(t)
	parties := map[string]party{"a": s.a, "b": s.b, "client": s.client}
	const rounds, names = 6, 4
	for round := range rounds {
		dir := fmt.Sprintf("d%d", round)
		owner := []mounted{s.a, s.b}[round%2]
		if round%3 < 2 {
			s.lease(owner, dir)
		} else {
			s.ok(os.Mkdir(owner.Path(dir), 0o755))
		}
		for _, m := range []mounted{s.a, s.b} {
			s.seen(m, dir)
		}
		var mu sync.Mutex
		winners := map[string][]string{}
		var work sync.WaitGroup
		for who, p := range parties {
			work.Go(func() {
				for i := range names {
					for _, name := range []string{fmt.Sprintf("%s/n%d", dir, i), fmt.Sprintf("%s/own-%s%d", dir, who, i)} {
						won, err := p.take(name, who+" "+name)
						if err != nil {
							t.Errorf("%s: %s: %v", who, name, err)
						}
						if won {
							mu.Lock()
							winners[name] = append(winners[name], who)
							mu.Unlock()
						}
					}
				}
			})
		}
		work.Wait()
		if len(winners) != names*(1+len(parties)) {
			t.Errorf("%s: %d names have a winner", dir, len(winners))
		}
		for name, list := range winners {
			if len(list) != 1 {
				t.Errorf("%s was won by %q", name, list)
				continue
			}
			s.has(name, list[0]+" "+name)
			for _, m := range []mounted{s.a, s.b} {
				s.seen(m, name)
				if got, err := os.ReadFile(m.Path(name)); err != nil || string(got) != list[0]+" "+name {
					t.Errorf("%s: %q, %v", m.Path(name), got, err)
				}
			}
		}
	}
}

// Whoever makes a name that a holder of a lease has open comes too late, or replaces what is there as ever.
func TestNamesThatAHolderHasOpen(t *testing.T) {
	s := newLeaseScene(t)
	s.lease(s.a, "d")
	f := s.open(s.a, "d/f", "mine")
	if won, err := s.client.take("d/f", "theirs"); won || err != nil {
		t.Errorf("the client: %v, %v", won, err)
	}
	s.ok(f.Close())
	s.has("d/f", "mine")

	s.lease(s.a, "e")
	f = s.open(s.a, "e/f", "mine")
	if won, err := s.b.take("e/f", "theirs"); won || err != nil {
		t.Errorf("the other mount: %v, %v", won, err)
	}
	s.ok(f.Close())
	s.has("e/f", "mine")

	s.lease(s.a, "g")
	f = s.open(s.a, "g/f", "mine")
	s.ok(s.client.put("g/f", "theirs", nil)) // whatever is there
	if err := f.Close(); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("close: %v", err)
	}
	s.has("g/f", "theirs", "mine")

	// What others made is seen by who had the lease.
	if won, err := s.client.take("g/new", "theirs"); !won || err != nil {
		t.Errorf("%v, %v", won, err)
	}
	s.seen(s.a, "g/new")
	if got, err := os.ReadFile(s.a.Path("g/new")); err != nil || string(got) != "theirs" {
		t.Errorf("%q, %v", got, err)
	}
	if won, err := s.a.take("g/new", "mine"); won || err != nil {
		t.Errorf("%v, %v", won, err)
	}
}

// A holder that hangs does not keep others out for ever. It learns at close that it came too late.
func TestHolderThatHangs(t *testing.T) {
	s := newLeaseScene(t)
	s.lease(s.a, "d")
	f := s.open(s.a, "d/f", "mine")
	s.a.Pause()
	won, err := s.b.take("d/f", "theirs")
	s.a.Resume()
	if !won || err != nil {
		t.Errorf("the other mount: %v, %v", won, err)
	}
	if err := f.Close(); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("close: %v", err)
	}
	s.has("d/f", "theirs", "mine")
	if won, err := s.a.take("d/g", "mine"); !won || err != nil {
		t.Errorf("afterwards: %v, %v", won, err)
	}
	s.has("d/g", "mine")
}

// The lease of a mount that was killed is gone with it.
func TestHolderThatWasKilled(t *testing.T) {
	s := newLeaseScene(t)
	s.lease(s.a, "d")
	s.open(s.a, "d/f", "mine")
	s.a.KillProcess()
	if won, err := s.b.take("d/f", "theirs"); !won || err != nil {
		t.Errorf("%v, %v", won, err)
	}
	s.has("d/f", "theirs")
}

// A server that takes over from one that was killed knows of no leases. Whoever is first then has the name, and nothing is
// replaced.
func TestServerDiesUnderAHolder(t *testing.T) {
	first := harness.Serve(t, harness.ServerOptions{HTTP: true})
	second := harness.Serve(t, harness.ServerOptions{HTTP: true, Dir: first.Dir, Passwd: first.Passwd})
	first.Bucket(t, "bucket")
	first.Others = []string{second.URL}
	a := mounted{first.Mount(t, "bucket", harness.MountOptions{})}
	s := &leaseScene{T: t, server: first, a: a, client: plainClient{first.Client(t)}}
	s.lease(a, "d")
	f, g := s.open(a, "d/f", "mine"), s.open(a, "d/g", "mine")
	first.Kill()
	second.WaitOwner(t)
	s.client = plainClient{second.Client(t)}
	won, err := s.client.take("d/f", "theirs")
	s.ok(err)
	s.ok(g.Close())
	s.has("d/g", "mine")
	switch err := f.Close(); {
	case won && errors.Is(err, syscall.ESTALE):
		s.has("d/f", "theirs", "mine")
	case !won && err == nil:
		s.has("d/f", "mine")
	default:
		t.Errorf("the client has won: %v; close: %v", won, err)
	}
	s.ok(os.Mkdir(a.Path("e"), 0o755))
	for i := range 30 { // and it goes on
		if won, err := a.take(fmt.Sprintf("e/f%d", i), "mine"); !won || err != nil {
			t.Errorf("%v, %v", won, err)
		}
	}
}

// A file under a lease that goes before it is closed leaves nothing, and one that is renamed is stored where it went.
func TestLeasedFilesComeAndGo(t *testing.T) {
	s := newLeaseScene(t)
	s.lease(s.a, "d")
	f := s.open(s.a, "d/unlinked", "mine")
	s.ok(os.Remove(s.a.Path("d/unlinked")))
	s.ok(f.Close())
	if s.there("d/unlinked") {
		t.Error("a file that was removed is stored")
	}
	f = s.open(s.a, "d/unlinked", "again")
	s.ok(f.Close())
	s.has("d/unlinked", "again")
	s.ok(os.Remove(s.a.Path("d/unlinked")))
	s.ok(s.open(s.a, "d/unlinked", "third").Close())
	s.has("d/unlinked", "third")

	f = s.open(s.a, "d/from", "moved")
	s.ok(os.Rename(s.a.Path("d/from"), s.a.Path("d/to")))
	s.ok(f.Close())
	s.has("d/to", "moved")
	f = s.open(s.a, "d/within", "moved")
	s.ok(os.Rename(s.a.Path("d"), s.a.Path("e")))
	s.ok(f.Close())
	s.has("e/within", "moved")
	s.seen(s.b, "e")
	names, err := filepath.Glob(s.b.Path("e", "[^l]*"))
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"to", "unlinked", "within"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q and those of the lease", names, err, want)
	}
}

// 250 files that are made exclusively, as programs that unpack do, are one request each, and a few for the lease; in one of a few
// attempts, as a lease is lost where the server is too slow to show that it lives.
func TestRequestBudgetOfExclusiveCreates(t *testing.T) {
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	srv.Bucket(t, "bucket")
	proxy := harness.NewProxy(t, srv)
	m := mounted{proxy.Server().Mount(t, "bucket", harness.MountOptions{})}
	const files, attempts = 250, 3
	client := plainClient{srv.Client(t)}
	least := math.MaxInt
	for attempt := range attempts {
		before := proxy.Requests()
		names := unpack(t, m, fmt.Sprintf("new%d", attempt), files)
		least = min(least, proxy.Requests()-before)
		for _, name := range names {
			if got := client.get(t, name); got != name {
				t.Errorf("%s holds %q", name, got)
			}
		}
		// The directory, its lookup, one claim, the stream, the lease and a listing.
		if least <= files+12 {
			break
		}
	}
	if least > files+12 {
		t.Errorf("%d requests for %d files", least, files)
	}
	if left, err := filepath.Glob(m.Path("new*/*.conflict-*")); err != nil || len(left) > 0 {
		t.Errorf("%q, %v", left, err)
	}
}

// unpack makes a directory of n files that hold their names.
func unpack(t *testing.T, m mounted, dir string, n int) (names []string) {
	t.Helper()
	if err := os.Mkdir(m.Path(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("%s/f%03d", dir, i)
		if won, err := m.take(name, name); !won || err != nil {
			t.Fatalf("%s: %v, %v", name, won, err)
		}
		names = append(names, name)
	}
	return names
}
