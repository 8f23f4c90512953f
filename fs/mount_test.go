package fs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pail/fs"
	"pail/fs/attr"
	"pail/fs/blockcache"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/memclient"
)

// The mount is served by a second process, this test binary started again: a process that waits in the kernel for its
// own mount can stop its own goroutines from answering. The second process ends when its standard input does, so that
// no mount outlives the tests, however they end.

const (
	serveEnv = "PAIL_TEST_SERVE"
	fullEnv  = "PAIL_TEST_FULL"  // not "": the service can do all that pail's own can
	cacheEnv = "PAIL_TEST_CACHE" // a directory: mount read-only, with a cache on disk there
	readsEnv = "PAIL_TEST_READS" // bytes of memory for what is read
	ttlEnv   = "PAIL_TEST_TTL"   // for how long the volume believes what it has heard; "": a second
	keptEnv  = "PAIL_TEST_KEPT"  // a key that the service does not let the mount remove
	noACLEnv = "PAIL_TEST_NOACL" // not "": without ACLs
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		if err := serveBucket(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is what another client of the bucket is told to do; reply is what came of it.
type order struct {
	Op, Key string
	Body    []byte
	Meta    s3client.Meta
}

type reply struct {
	Body  []byte
	Info  s3client.ObjectInfo
	Keys  []string
	Count map[string]int
	Error string
}

// serveBucket mounts an empty bucket at dir and takes orders until standard input ends.
func serveBucket(dir string) error {
	ctx := context.Background()
	caps := s3client.Capabilities{ConditionalPut: true}
	if os.Getenv(fullEnv) != "" {
		caps = memclient.Full()
	}
	client := memclient.New(memclient.Options{Bucket: "bucket", Capabilities: caps})
	own := client.Another()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	opt := fs.Options{Source: "bucket", AllowOther: os.Geteuid() == 0, NoACLs: os.Getenv(noACLEnv) != "", Log: log}
	var cache *blockcache.Cache
	var lent atomic.Int64
	if opt.PassThrough = os.Getenv(cacheEnv); opt.PassThrough != "" {
		opt.ReadOnly = true
		var err error
		if cache, err = blockcache.Open(blockcache.Options{Dir: opt.PassThrough, Log: log}); err != nil {
			return err
		}
	}
	vol, err := newVolume(ctx, keeping{own, os.Getenv(keptEnv)}, log, cache, &lent)
	if err != nil {
		return err
	}
	session, err := fs.Mount(ctx, dir, vol, opt)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(reply{}); err != nil {
		return errors.Join(err, session.Detach())
	}
	for orders := json.NewDecoder(os.Stdin); ; {
		var o order
		if err := orders.Decode(&o); err != nil {
			break
		}
		r := obey(ctx, client, o)
		if o.Op == "lent" {
			r = reply{Count: map[string]int{"lent": int(lent.Load())}}
		}
		if o.Op == "count" {
			r = reply{Count: own.Counts()}
			own.ResetCounts()
		}
		if err := out.Encode(r); err != nil {
			break
		}
	}
	patience, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = session.Unmount(patience)
	if err != nil {
		err = errors.Join(err, session.Detach())
	}
	return errors.Join(err, session.Close(ctx))
}

// keeping is a client of a service that does not remove one key.
type keeping struct {
	s3client.Client
	key string
}

func (c keeping) Delete(ctx context.Context, keys ...string) error {
	others := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == c.key })
	err := c.Client.Delete(ctx, others...)
	if len(others) < len(keys) {
		err = errors.Join(err, &s3client.Error{Op: s3client.OpDelete, Key: c.key, Err: s3client.ErrAccess})
	}
	return err
}

func (c keeping) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	keys := s3client.KeysOf(list)
	if !slices.Contains(keys, c.key) {
		return s3client.DeleteVersions(ctx, c.Client, list...)
	}
	return c.Delete(ctx, keys...)
}

func newVolume(ctx context.Context, client s3client.Client, log *slog.Logger, cache *blockcache.Cache, lent *atomic.Int64) (*volume.Volume, error) {
	caps, err := client.Probe(ctx)
	if err != nil {
		return nil, err
	}
	area, err := stage.New(stage.Options{})
	if err != nil {
		return nil, err
	}
	ttl := time.Second
	if s := os.Getenv(ttlEnv); s != "" {
		if ttl, err = time.ParseDuration(s); err != nil {
			return nil, err
		}
	}
	reads := readahead.Options{Client: client, MemoryLimit: 32 << 20}
	if s := os.Getenv(readsEnv); s != "" {
		if reads.MemoryLimit, err = strconv.ParseInt(s, 10, 64); err != nil {
			return nil, err
		}
	}
	opt := volume.Options{
		Client:      client,
		Caps:        caps,
		Keys:        keymap.New(""),
		Defaults:    attr.Defaults{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), FileMode: 0o644, DirMode: 0o755},
		Stage:       area,
		Upload:      upload.Options{Patch: caps.Patch},
		TTL:         ttl,
		NegativeTTL: ttl,
		LazyUnlink:  true,
		Log:         log,
	}
	if cache != nil {
		reads.Keeper = cache
		opt.ReadOnly, opt.Kept = true, cache.Has
		opt.Lend = func(key string, etag s3client.ETag, size int64) (f *os.File, giveBack func(), ok bool) {
			if f, giveBack, ok = cache.Lend(key, etag, size); ok {
				lent.Add(1)
			}
			return f, giveBack, ok
		}
	}
	opt.Readahead = readahead.NewPool(reads)
	return volume.New(opt)
}

func obey(ctx context.Context, client *memclient.Client, o order) (r reply) {
	var err error
	switch o.Op {
	case "put":
		r.Info, err = client.Put(ctx, o.Key, strings.NewReader(string(o.Body)), s3client.PutOptions{Meta: o.Meta})
	case "get":
		var obj *s3client.Object
		if obj, err = client.Get(ctx, o.Key, s3client.GetOptions{}); err == nil {
			r.Info = obj.Info
			r.Body, err = io.ReadAll(obj.Body)
			err = errors.Join(err, obj.Body.Close())
		}
	case "delete":
		err = client.Delete(ctx, o.Key)
	case "lent":
	case "keys":
		r.Keys = client.Keys()
	default:
		err = fmt.Errorf("no order %q", o.Op)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// mount is a mounted bucket and another client of it.
type mount struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

// newMount mounts an empty bucket. The test's end unmounts it and fails when that does not work.
func newMount(t *testing.T, env ...string) *mount {
	t.Helper()
	needFUSE(t)
	m := &mount{t: t, dir: filepath.Join(t.TempDir(), "mnt")}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command("/proc/self/exe")
	m.cmd.Env = append(append(os.Environ(), serveEnv+"="+m.dir), env...)
	m.cmd.Stderr = os.Stderr
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.end)
	m.enc, m.dec = json.NewEncoder(m.in), json.NewDecoder(bufio.NewReader(out))
	if err := m.dec.Decode(&reply{}); err != nil {
		t.Fatalf("the mount did not start: %v", err)
	}
	return m
}

func (m *mount) end() {
	m.in.Close()
	timer := time.AfterFunc(time.Minute, func() { m.cmd.Process.Kill() })
	defer timer.Stop()
	if err := m.cmd.Wait(); err != nil {
		m.t.Errorf("the process of the mount: %v", err)
	}
	if syscall.Unmount(m.dir, syscall.MNT_DETACH) == nil {
		m.t.Errorf("%s was still mounted after its process ended", m.dir)
	}
}

// order lets another client do something.
func (m *mount) order(o order) reply {
	m.t.Helper()
	var r reply
	if err := errors.Join(m.enc.Encode(o), m.dec.Decode(&r)); err != nil {
		m.t.Fatal(err)
	}
	return r
}

func (m *mount) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

// stored returns an object's content.
func (m *mount) stored(key string) string {
	m.t.Helper()
	r := m.order(order{Op: "get", Key: key})
	if r.Error != "" {
		m.t.Fatalf("get %s: %s", key, r.Error)
	}
	return string(r.Body)
}

func needFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err == nil {
		f.Close()
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("CI must be able to mount: %v", err)
	}
	t.Skipf("mounts cannot be made here (modprobe fuse, or run the container with --device /dev/fuse): %v", err)
}
