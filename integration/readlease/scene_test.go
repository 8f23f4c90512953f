package readlease

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/fs/journal/journaltest"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/awss3"
	"pail/server/servertest"
)

var ctx = context.Background()

// scene is a server with a bucket.
type scene struct {
	*testing.T
	srv *servertest.Server
	opt awss3.Options
}

func newScene(t *testing.T) *scene {
	srv := servertest.New(t, servertest.Options{})
	keys := credentials.NewStaticCredentialsProvider(servertest.AccessKey, servertest.SecretKey, "")
	admin := s3.New(s3.Options{BaseEndpoint: &srv.URL, Region: "us-east-1", Credentials: keys, UsePathStyle: true})
	s := &scene{T: t, srv: srv, opt: awss3.Options{
		Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, ""),
	}}
	_, err := admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.opt.Bucket})
	s.ok(err)
	return s
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// client makes a client of the bucket.
func (s *scene) client() *awss3.Client {
	s.Helper()
	c, err := awss3.New(s.opt)
	s.ok(err)
	s.Cleanup(func() { c.Close() })
	return c
}

// link is the way from a volume to the server: slow where it is told so, counted, and its stream of leases can be held up.
type link struct {
	s3client.Client
	slow  time.Duration // at most, before and after each request
	count atomic.Int64

	mu   sync.Mutex
	hold chan struct{} // events do not pass until it is closed; nil: they do

	renaming, rename chan struct{} // the next rename says that it is there, and waits; nil: it passes
}

func (l *link) wait() {
	if l.slow > 0 {
		time.Sleep(rand.N(l.slow))
	}
}

func passed[R any](l *link, do func() (R, error)) (R, error) {
	l.count.Add(1)
	l.wait()
	defer l.wait()
	return do()
}

func (l *link) Head(ctx context.Context, key string) (s3client.ObjectInfo, error) {
	return passed(l, func() (s3client.ObjectInfo, error) { return l.Client.Head(ctx, key) })
}

func (l *link) Get(ctx context.Context, key string, opt s3client.GetOptions) (*s3client.Object, error) {
	return passed(l, func() (*s3client.Object, error) { return l.Client.Get(ctx, key, opt) })
}

func (l *link) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	return passed(l, func() (s3client.ListPage, error) { return l.Client.List(ctx, q) })
}

func (l *link) Put(ctx context.Context, key string, body io.ReadSeeker, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	return passed(l, func() (s3client.ObjectInfo, error) { return l.Client.Put(ctx, key, body, opt) })
}

func (l *link) Copy(ctx context.Context, dst, src string, opt s3client.CopyOptions) (s3client.ObjectInfo, error) {
	return passed(l, func() (s3client.ObjectInfo, error) { return l.Client.Copy(ctx, dst, src, opt) })
}

// holdRename holds the next rename up, until letGo is closed.
func (l *link) holdRename() (arrived <-chan struct{}, letGo chan<- struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renaming, l.rename = make(chan struct{}), make(chan struct{})
	return l.renaming, l.rename
}

func (l *link) Rename(ctx context.Context, dst, src string, opt s3client.RenameOptions) error {
	l.mu.Lock()
	arrived, letGo := l.renaming, l.rename
	l.renaming, l.rename = nil, nil
	l.mu.Unlock()
	if arrived != nil {
		close(arrived)
		<-letGo
	}
	_, err := passed(l, func() (int, error) { return 0, l.Client.Rename(ctx, dst, src, opt) })
	return err
}

func (l *link) Delete(ctx context.Context, keys ...string) error {
	_, err := passed(l, func() (int, error) { return 0, l.Client.Delete(ctx, keys...) })
	return err
}

func (l *link) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	_, err := passed(l, func() (int, error) { return 0, s3client.DeleteVersions(ctx, l.Client, list...) })
	return err
}

func (l *link) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	s, err := s3client.JoinLeases(ctx, l.Client)
	if err != nil {
		return nil, err
	}
	return &heldStream{s, l}, nil
}

// heldStream is a stream whose events pass when the link lets them.
type heldStream struct {
	s3client.LeaseStream
	l *link
}

func (s *heldStream) Next() (s3client.LeaseEvent, error) {
	e, err := s.LeaseStream.Next()
	s.l.mu.Lock()
	hold := s.l.hold
	s.l.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return e, err
}

// holdEvents lets no event pass until release is called.
func (l *link) holdEvents() (release func()) {
	hold := make(chan struct{})
	l.mu.Lock()
	l.hold = hold
	l.mu.Unlock()
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.hold = nil
		l.mu.Unlock()
		close(hold)
	})
}

// machine is one that has mounted the bucket.
type machine struct {
	*volume.Volume
	s    *scene
	name string
	link *link
}

// machine mounts the bucket. What it believes without a lease it believes for a moment only.
func (s *scene) machine(name string, slow time.Duration) *machine {
	s.Helper()
	return s.mount(name, slow, nil)
}

// journaled is machine with a journal.
func (s *scene) journaled(name string, slow time.Duration) *machine {
	s.Helper()
	j, err := journal.Open(journaltest.New(), journal.Options{Owner: name})
	s.ok(err)
	s.Cleanup(func() {
		if err := j.Close(); err != nil {
			s.Error(err)
		}
	})
	return s.mount(name, slow, j)
}

func (s *scene) mount(name string, slow time.Duration, j *journal.Journal) *machine {
	s.Helper()
	l := &link{Client: s.client(), slow: slow}
	caps, err := l.Client.Probe(ctx)
	s.ok(err)
	area, err := stage.New(stage.Options{Dir: s.TempDir()})
	s.ok(err)
	pool := readahead.NewPool(readahead.Options{Client: l, MemoryLimit: 8 << 20, BlockSize: 1 << 20})
	v, err := volume.New(volume.Options{
		Client: l, Caps: caps, Keys: keymap.New(""), Stage: area, Readahead: pool,
		Defaults: attr.Defaults{FileMode: 0o644, DirMode: 0o755}, TTL: time.Nanosecond, NegativeTTL: time.Nanosecond, Journal: j,
		ReadLeases: true,
	})
	s.ok(err)
	s.Cleanup(func() {
		if err := v.Close(ctx); err != nil {
			s.Error(err)
		}
		if err := errors.Join(area.Close(), pool.Close()); err != nil && !s.Failed() {
			s.Error(err)
		}
	})
	return &machine{v, s, name, l}
}

// dir returns a directory, which is there.
func (m *machine) dir(path string) *volume.Inode {
	m.s.Helper()
	n, _, err := m.Lookup(ctx, m.Root(), path)
	m.s.ok(err)
	return n
}

// find returns a file, which is there.
func (m *machine) find(dir *volume.Inode, name string) *volume.Inode {
	m.s.Helper()
	n, _, err := m.Lookup(ctx, dir, name)
	m.s.ok(err)
	return n
}

func (m *machine) mkdir(path string) *volume.Inode {
	m.s.Helper()
	n, _, err := m.Mkdir(ctx, m.Root(), path, 0o755, volume.Caller{})
	m.s.ok(err)
	return n
}

// lease makes a directory, and has the machine get a lease on it. None is given where the server is too slow at the time; then it
// tries again.
func (m *machine) lease(path string) *volume.Inode {
	m.s.Helper()
	dir := m.mkdir(path)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		m.wantsLease(dir)
		if m.hasLease(dir) {
			return dir
		}
		if time.Now().After(deadline) {
			m.s.Fatal("there is no lease")
		}
		for _, name := range leaseFiles {
			m.s.ok(m.Unlink(ctx, dir, name))
		}
	}
}

var leaseFiles = []string{"lease-a", "lease-b"}

// wantsLease has the machine make what is worth a lease.
func (m *machine) wantsLease(dir *volume.Inode) {
	m.s.Helper()
	for _, name := range leaseFiles {
		m.s.ok(m.exclusive(dir, name, "x"))
	}
}

// hasLease reports whether a name that is not there needs no request.
func (m *machine) hasLease(dir *volume.Inode) bool {
	m.s.Helper()
	asked := m.link.count.Load()
	_, err := m.load(dir, "never")
	m.s.ok(err)
	return asked == m.link.count.Load()
}

func (m *machine) exclusive(dir *volume.Inode, name, data string) error {
	_, h, _, err := m.Create(ctx, dir, name, 0o644, volume.OpenFlags{Read: true, Write: true, Excl: true}, volume.Caller{})
	if err != nil {
		return err
	}
	return fill(h, data)
}

// fill writes and closes a new or truncated file.
func fill(h *volume.Handle, data string) error {
	defer h.Release()
	if _, err := h.WriteAt(ctx, []byte(data), 0); err != nil {
		return err
	}
	return h.Flush(ctx)
}

// store writes a file as a program that replaces its content does.
func (m *machine) store(dir *volume.Inode, name, data string) error {
	_, h, _, err := m.Create(ctx, dir, name, 0o644, volume.OpenFlags{Write: true, Truncate: true}, volume.Caller{})
	if err != nil {
		return err
	}
	return fill(h, data)
}

// load reads a file as a program that opens it does; "" is one that is not there. As the kernel does, it looks again where
// what it has looked up is another file by now.
func (m *machine) load(dir *volume.Inode, name string) (string, error) {
	for {
		n, _, err := m.Lookup(ctx, dir, name)
		if errors.Is(err, volume.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		data, err := m.read(n)
		if !errors.Is(err, volume.ErrStale) && !errors.Is(err, volume.ErrNotExist) {
			return data, err
		}
	}
}

func (m *machine) read(n *volume.Inode) (string, error) {
	h, err := m.Open(ctx, n, volume.OpenFlags{Read: true})
	if err != nil {
		return "", err
	}
	defer h.Release()
	buf := make([]byte, 4096)
	got, err := h.ReadAt(ctx, buf, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	return string(buf[:got]), nil
}

// list returns the names in a directory.
func (m *machine) list(dir *volume.Inode) (map[string]bool, error) {
	d, err := m.OpenDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names := map[string]bool{}
	for {
		e, ok, err := d.Next(ctx)
		if err != nil || !ok {
			return names, err
		}
		names[e.Name] = true
	}
}

// put stores an object as a client does that knows nothing of leases.
func put(c s3client.Client, key, data string) error {
	_, err := c.Put(ctx, key, bytes.NewReader([]byte(data)), s3client.PutOptions{})
	return err
}

// get reads an object; "" is one that is not there.
func get(c s3client.Client, key string) (string, error) {
	o, err := c.Get(ctx, key, s3client.GetOptions{})
	if errors.Is(err, s3client.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer o.Body.Close()
	b, err := io.ReadAll(o.Body)
	return string(b), err
}
