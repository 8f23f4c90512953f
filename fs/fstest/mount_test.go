package fstest_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"pail/fs"
	"pail/fs/attr"
	"pail/fs/fstest"
	"pail/fs/journal"
	"pail/fs/journal/journaltest"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
)

// The mounts are served by a second process, this test binary started again: a process that waits in the kernel for its
// own mount can stop its own goroutines from answering. It ends when its standard input does.

const serveEnv = "PAIL_FSTEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		if err := serve(dir, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bucket is a bucket that may be mounted at a directory.
type bucket struct {
	dir     string
	client  s3client.Client
	line    *faultclient.Client // to it, from the mount
	memory  time.Duration       // for how long names and attributes are believed
	disk    *journaltest.MemFS  // of the journal, with writeback
	session *fs.Session
	end     func()
	own     *ownServer // nil: none was needed yet
	leases  bool       // for reads
}

// Orders to the process that mounts.
const (
	able    = "able"    // mount an empty bucket of a service that can do everything
	plain   = "plain"   // mount one of a service without extensions, see plainService
	direct  = "direct"  // mount one of a service that compares versions, and remember nothing
	later   = "later"   // mount one of a service that can do everything, with a journal
	leased  = "leased"  // mount one of pail's own server, with leases for reads, and remember for a moment only what they do not assure
	remount = "remount" // end the mount, as kill -9 does if it has a journal, and make another one of the same bucket
)

// serve takes orders.
func serve(dir string, in io.Reader, out io.Writer) error {
	b := &bucket{dir: dir}
	var err error
	for orders := bufio.NewScanner(in); orders.Scan() && err == nil; {
		order := orders.Text()
		if order == remount && b.disk != nil {
			b.crash()
		} else if err = b.unmount(); err != nil {
			break
		}
		if order != remount {
			err = b.begin(order)
		}
		if err == nil {
			err = b.mount()
		}
		if err == nil {
			_, err = fmt.Fprintln(out, "mounted")
		}
	}
	err = errors.Join(err, b.unmount())
	if b.own != nil {
		err = errors.Join(err, b.own.close())
	}
	return err
}

// begin makes an empty bucket.
func (b *bucket) begin(order string) (err error) {
	b.memory, b.disk, b.leases = time.Second, nil, order == leased
	opt := memclient.Options{MinPartSize: 1}
	switch order {
	case able:
		opt.Capabilities = memclient.Full()
	case direct:
		opt.Capabilities.ConditionalPut = true
		b.memory = time.Nanosecond
	case later:
		opt.Capabilities = memclient.Full()
		b.disk = journaltest.New()
	}
	switch b.client = memclient.New(opt); order {
	case plain:
		b.client, err = plainService(b.client)
	case leased:
		b.memory = 20 * time.Millisecond // for listings ahead
		b.client, err = b.leasedService()
	}
	return err
}

const endpointEnv = "PAIL_TEST_ENDPOINT"

// elsewhere reports whether the tests are to show what a mount of another service does.
func elsewhere() bool { return os.Getenv(endpointEnv) != "" }

// plainService gives an empty bucket of the S3 service at PAIL_TEST_ENDPOINT, which knows PAIL_TEST_ACCESS_KEY and
// PAIL_TEST_SECRET_KEY, and where it stays; without that, the one in memory.
func plainService(memory s3client.Client) (s3client.Client, error) {
	if !elsewhere() {
		return memory, nil
	}
	return newBucket(os.Getenv(endpointEnv), os.Getenv("PAIL_TEST_ACCESS_KEY"), os.Getenv("PAIL_TEST_SECRET_KEY"))
}

func newBucket(endpoint, access, secret string) (s3client.Client, error) {
	name := "fstest-" + strings.ToLower(rand.Text())
	_, err := s3.New(s3.Options{BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, "")}).
		CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name})
	if err != nil {
		return nil, err
	}
	return awss3.New(awss3.Options{Bucket: name, Endpoint: endpoint, PathStyle: true, Credentials: awss3.Static(access, secret, "")})
}

// crash ends the mount as kill -9 does: nothing more reaches the service, nor the disk that the next one has.
func (b *bucket) crash() {
	b.line.Add(faultclient.Fault{Times: -1, Do: faultclient.Fail(nil)})
	b.disk = b.disk.Kill()
	_ = b.unmount() // says what it could not send
}

func (b *bucket) mount() error {
	ctx := context.Background()
	caps, err := b.client.Probe(ctx)
	if err != nil {
		return err
	}
	area, err := stage.New(stage.Options{})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	b.line = faultclient.New(b.client)
	pool := readahead.NewPool(readahead.Options{Client: b.line, MemoryLimit: 32 << 20})
	var j *journal.Journal
	if b.disk != nil {
		if j, err = journal.Open(b.disk, journal.Options{Log: log}); err != nil {
			return err
		}
	}
	v, err := volume.New(volume.Options{
		Client: b.line, Caps: caps, Keys: keymap.New(""), Stage: area, Readahead: pool, Journal: j,
		Upload:   b.uploads(caps),
		Defaults: attr.Defaults{FileMode: 0o644, DirMode: 0o755},
		TTL:      b.memory, NegativeTTL: b.memory, LazyUnlink: true, ReadLeases: b.leases, Log: log,
	})
	if err != nil {
		return err
	}
	opt := fs.Options{Source: "bucket", AllowOther: true, KernelFlags: []string{"suid", "dev"}, Log: log}
	opt.EntryTimeout, opt.AttrTimeout = b.memory, b.memory
	if b.session, err = fs.Mount(ctx, b.dir, v, opt); err != nil {
		return err
	}
	b.end = func() {
		if j != nil {
			_ = j.Close() // what it has, the next one has too
		}
		_ = errors.Join(pool.Close(), area.Close()) // nothing is left in them
	}
	return nil
}

// uploads has files of some kilobytes sent in parts, so that most are sent while they are written, if that is what the mount
// does.
func (b *bucket) uploads(caps s3client.Capabilities) upload.Options {
	opt := upload.Options{Patch: caps.Patch, MinPatched: 1000}
	if _, small := b.client.(*memclient.Client); small {
		opt.MinPartSize, opt.PartSize, opt.MultipartThreshold = 1, 700, 1500
	}
	return opt
}

func (b *bucket) unmount() error {
	if b.session == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := b.session.Unmount(ctx)
	if err != nil {
		err = errors.Join(err, b.session.Detach())
	}
	err = errors.Join(err, b.session.Close(ctx))
	b.end()
	b.session = nil
	return err
}

// server is the process that mounts.
type server struct {
	dir string
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// newServer starts it. The test is skipped where it cannot run.
func newServer(t *testing.T) *server {
	t.Helper()
	needs(t)
	s := &server{dir: filepath.Join(t.TempDir(), "mnt")}
	must(t, os.Mkdir(s.dir, 0o755))
	s.cmd = exec.Command("/proc/self/exe")
	s.cmd.Env = append(os.Environ(), serveEnv+"="+s.dir)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	must(t, err)
	s.out = bufio.NewScanner(out)
	s.in, err = s.cmd.StdinPipe()
	must(t, err)
	must(t, s.cmd.Start())
	t.Cleanup(func() {
		s.in.Close()
		timer := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
		defer timer.Stop()
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("the process of the mount: %v", err)
		}
		if syscall.Unmount(s.dir, syscall.MNT_DETACH) == nil {
			t.Errorf("%s was still mounted after its process ended", s.dir)
		}
	})
	return s
}

func (s *server) order(t *testing.T, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(s.in, order); err != nil {
		t.Fatal(err)
	}
	if !s.out.Scan() {
		t.Fatalf("%s: the mount is gone", order)
	}
}

// newPair mounts an empty bucket beside an empty local directory.
func (s *server) newPair(t *testing.T, kind string) *fstest.Pair {
	t.Helper()
	s.order(t, kind)
	if kind == leased {
		s.lease(t)
	}
	local := filepath.Join(t.TempDir(), "local")
	must(t, os.Mkdir(local, 0o755))
	must(t, os.Chmod(local, 0o755))
	p := &fstest.Pair{}
	var err error
	p.Local, err = fstest.NewActor(local)
	must(t, err)
	t.Cleanup(p.Local.Close)
	p.Mount, err = fstest.NewActor(s.dir)
	must(t, err)
	t.Cleanup(p.Mount.Close)
	return p
}

// remount ends the mount and makes another one, and compares what they show.
func (s *server) remount(t *testing.T, p *fstest.Pair, may fstest.Remount) error {
	t.Helper()
	// The last close of a file is told to the mount in the background; it is over when all is unmounted.
	before, err := p.Mount.State()
	if err != nil {
		return err
	}
	if err := p.Mount.Leave(); err != nil {
		return err
	}
	s.order(t, remount)
	if err := p.Mount.Enter(); err != nil {
		return err
	}
	after, err := p.Mount.State()
	if err != nil {
		return err
	}
	p.Compared += len(after)
	if err := may.Compare(before, after); err != nil {
		return fmt.Errorf("after a remount: %w", err)
	}
	return nil
}

// scenario runs a script on a fresh mount, and sees that a remount changes nothing.
func (s *server) scenario(t *testing.T, kind, script string) {
	t.Helper()
	calls, err := fstest.Parse(script)
	must(t, err)
	p := s.newPair(t, kind)
	if err := p.Run(calls); err != nil {
		t.Fatal(err)
	}
	renamed := strings.Contains(script, "rename") || strings.Contains(script, "link ")
	if err := s.remount(t, p, fstest.Remount{Renamed: renamed, Crashed: kind == later}); err != nil {
		t.Errorf("%s\n%v", strings.TrimSpace(script), err)
	}
	t.Logf("%d comparisons agree", p.Compared)
}

func needs(t *testing.T) {
	t.Helper()
	var st unix.Statfs_t
	must(t, unix.Statfs(t.TempDir(), &st))
	why := ""
	switch f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); {
	case err != nil:
		why = "mounts cannot be made here: " + err.Error()
	default:
		f.Close()
	}
	if os.Geteuid() != 0 {
		why = "calls are made as several users, which needs root"
	} else if st.Type != unix.EXT4_SUPER_MAGIC {
		why = "the directory for temporary files is the reference, and has to be on ext4"
	}
	if why == "" {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
