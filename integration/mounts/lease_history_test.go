package mounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"pail/integration/harness"
	"pail/integration/witness"
)

// changer is somebody who changes names of a bucket and reads them. What an error leaves open is what the history is told of
// a write that has failed.
type changer interface {
	write(name, value string) error
	remove(name string) error
	read(name string) (string, error) // "" is a name that is not there
}

// errUnwritten is of a file that is about to be written: it was truncated, or has its name only.
var errUnwritten = errors.New("there are no bytes yet")

func withBytes(b []byte, err error) (string, error) {
	if err == nil && len(b) == 0 {
		err = errUnwritten
	}
	return string(b), err
}

var witnessed atomic.Int64 // makes names and values unique

// onMount is a changer that works through a mount, as programs do: through the one that there is just then.
type onMount struct{ *atomic.Pointer[harness.Mount] }

func (m onMount) Path(elem ...string) string { return m.Load().Path(elem...) }

func (m onMount) write(name, value string) error {
	temp := m.Path(path.Dir(name), fmt.Sprintf("tmp-%d", witnessed.Add(1)))
	switch rand.IntN(5) {
	case 0:
		return m.store(m.Path(name), value, os.O_CREATE|os.O_TRUNC)
	case 1:
		return m.store(m.Path(name), value, os.O_CREATE|os.O_EXCL)
	case 2: // as git and mail delivery do
		if err := m.store(temp, value, os.O_CREATE|os.O_EXCL); err != nil {
			return err
		}
		err := os.Link(temp, m.Path(name))
		return errors.Join(err, os.Remove(temp))
	}
	if err := m.store(temp, value, os.O_CREATE|os.O_EXCL); err != nil {
		return err
	}
	return os.Rename(temp, m.Path(name))
}

func (m onMount) store(at, value string, flags int) error {
	f, err := os.OpenFile(at, os.O_WRONLY|flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (m onMount) remove(name string) error {
	if rand.IntN(2) == 0 {
		return os.Remove(m.Path(name))
	}
	return os.Rename(m.Path(name), m.Path(path.Dir(name), fmt.Sprintf("away-%d", witnessed.Add(1))))
}

func (m onMount) read(name string) (string, error) {
	b, err := os.ReadFile(m.Path(name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return withBytes(b, err)
}

// label and labelOf use an attribute of a file that stays.
func (m onMount) label(name, value string) error {
	return unix.Setxattr(m.Path(name), "user.label", []byte(value), 0)
}

func (m onMount) labelOf(name string) (string, error) {
	b := make([]byte, 100)
	n, err := unix.Getxattr(m.Path(name), "user.label", b)
	if errors.Is(err, unix.ENODATA) {
		return "", nil
	}
	return string(b[:max(n, 0)]), err
}

// onService is a changer without a mount.
type onService struct{ plainClient }

func (c onService) write(name, value string) error {
	switch bucket := aws.String("bucket"); rand.IntN(3) {
	case 0:
		from := fmt.Sprintf("staged/%d", witnessed.Add(1))
		if err := c.put(from, value, nil); err != nil {
			return err
		}
		_, err := c.CopyObject(context.Background(), &s3.CopyObjectInput{Bucket: bucket, Key: &name, CopySource: aws.String("bucket/" + from)})
		return err
	case 1:
		up, err := c.CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &name})
		if err != nil {
			return err
		}
		part, err := c.UploadPart(context.Background(), &s3.UploadPartInput{Bucket: bucket, Key: &name, UploadId: up.UploadId,
			PartNumber: aws.Int32(1), Body: strings.NewReader(value)})
		if err != nil {
			return err
		}
		_, err = c.CompleteMultipartUpload(context.Background(), &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: &name, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
		return err
	}
	return c.put(name, value, nil)
}

func (c onService) remove(name string) error {
	if rand.IntN(2) == 0 {
		return c.delete(name)
	}
	bucket := aws.String("bucket")
	out, err := c.DeleteObjects(context.Background(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &name}}}})
	if err == nil && len(out.Errors) > 0 {
		err = errors.New(aws.ToString(out.Errors[0].Message))
	}
	return err
}

func (c onService) read(name string) (string, error) {
	out, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &name})
	var none *types.NoSuchKey
	if errors.As(err, &none) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	return withBytes(io.ReadAll(out.Body))
}

// lostTo reports whether an error says that another was quicker, and that nothing was changed, or not for others.
func lostTo(err error) bool {
	for _, of := range []error{syscall.ESTALE, os.ErrExist, os.ErrNotExist} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// witnesses are two mounts and a client of a bucket, and what they have done.
type witnesses struct {
	*testing.T
	srv    *harness.Server
	wires  [2]*harness.Wire
	mounts [2]atomic.Pointer[harness.Mount]
	client onService
	h      *witness.History
	values sync.Map    // that a write has failed with, or which somebody has been told was lost
	failed atomic.Bool // a fault is on

	options []string      // of the mounts
	late    time.Duration // what reads may show that was so by as much before
}

func (w *witnesses) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// change does something with a name at random.
func (w *witnesses) change(who string, p changer, name string) {
	e := witness.Event{From: time.Now(), Who: who}
	var err error
	if rand.IntN(3) > 0 {
		e.Value = fmt.Sprintf("%s %d", who, witnessed.Add(1))
		err = p.write(name, e.Value)
	} else {
		err = p.remove(name)
	}
	w.wrote(name, e, err)
}

func (w *witnesses) wrote(name string, e witness.Event, err error) {
	e.To, e.Maybe, e.Open = time.Now(), err != nil, err != nil && !lostTo(err)
	if err != nil {
		w.values.Store(e.Value, true)
	}
	if e.Open && !w.failed.Load() {
		w.Errorf("%s: %s: %v", e.Who, name, err)
	}
	w.h.Wrote(name, e)
}

// look reads a name.
func (w *witnesses) look(who string, read func(string) (string, error), name string) {
	e := witness.Event{From: time.Now().Add(-w.late), Who: who}
	var err error
	if e.Value, err = read(name); err != nil {
		if !w.failed.Load() && !lostTo(err) && !errors.Is(err, errUnwritten) {
			w.Errorf("%s: %s: %v", who, name, err)
		}
		return
	}
	e.To = time.Now()
	w.h.Read(name, e)
}

// list notes which of names a listing of their directory shows.
func (w *witnesses) list(who string, m onMount, dir string, names []string) {
	e := witness.Event{From: time.Now().Add(-w.late), Who: who + "'s listing"}
	entries, err := os.ReadDir(m.Path(dir))
	if err != nil {
		return
	}
	e.To = time.Now()
	there := map[string]bool{}
	for _, entry := range entries {
		there[path.Join(dir, entry.Name())] = true
	}
	for _, name := range names {
		if e.Some = there[name]; path.Dir(name) == dir {
			w.h.Read(name, e)
		}
	}
}

const (
	witnessNames  = 3
	witnessesDirs = 3 // of each mount
)

// scene is one round's directories, made by both mounts, with a lease each.
func (w *witnesses) scene(round int) (names []string, labels []string) {
	for side := range w.mounts {
		m := w.on(side)
		for d := range witnessesDirs {
			dir := fmt.Sprintf("r%d-%d%c", round, d, 'a'+side)
			w.ok(os.MkdirAll(m.Path(dir, "sub"), 0o755))
			for _, name := range []string{"lease1", "lease2", "labelled"} {
				w.ok(m.store(m.Path(dir, name), "x", os.O_CREATE|os.O_EXCL))
			}
			labels = append(labels, dir+"/labelled")
			for i := range witnessNames {
				names = append(names, fmt.Sprintf("%s/n%d", dir, i))
			}
			names = append(names, dir+"/sub/n")
		}
	}
	return names, labels
}

// watch reads until done is closed.
func (w *witnesses) watch(done <-chan struct{}, names, labels []string, mounts ...int) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		name := names[rand.IntN(len(names))]
		for _, side := range mounts {
			m, who := w.on(side), fmt.Sprintf("mount %d", side)
			w.look(who, m.read, name)
			if i%8 == 0 {
				w.list(who, m, path.Dir(name), names)
			}
			if i%3 == 0 {
				label := labels[rand.IntN(len(labels))]
				w.look(who, m.labelOf, label)
			}
		}
		if i%4 == 0 {
			w.look("client", w.client.read, name)
		}
	}
}

// work changes names for a while.
func (w *witnesses) work(who string, p changer, names, labels []string, steps int) {
	for range steps {
		w.change(who, p, names[rand.IntN(len(names))])
		if m, ok := p.(onMount); ok && rand.IntN(3) == 0 {
			label := labels[rand.IntN(len(labels))]
			e := witness.Event{From: time.Now(), Who: who, Value: fmt.Sprintf("label %d", witnessed.Add(1))}
			w.wrote(label, e, m.label(label, e.Value))
		}
	}
}

// own are the names that a side has made.
func own(names []string, side int) (list []string) {
	for _, name := range names {
		if strings.HasSuffix(strings.SplitN(name, "/", 2)[0], string(rune('a'+side))) {
			list = append(list, name)
		}
	}
	return list
}

// round has everybody work, at first each mount alone with what it has made, then all together, under a fault.
func (w *witnesses) round(round int, fault func(w *witnesses)) {
	names, labels := w.scene(round)
	w.all(names, labels, func(side int, work *sync.WaitGroup) {
		p := w.on(side)
		work.Go(func() { w.work(fmt.Sprintf("mount %d", side), p, own(names, side), own(labels, side), 15) })
	}, nil, true)
	w.all(names, labels, func(side int, work *sync.WaitGroup) {
		p := w.on(side)
		work.Go(func() { w.work(fmt.Sprintf("mount %d", side), p, names, labels, 25) })
	}, fault, false)
	time.Sleep(w.late)           // from now on all see what there is
	for side := range w.mounts { // everything was sent, or is kept beside
		for _, label := range labels {
			w.look(fmt.Sprintf("mount %d at the end", side), w.on(side).labelOf, label)
		}
		for _, name := range names {
			w.list(fmt.Sprintf("mount %d at the end", side), w.on(side), path.Dir(name), names)
			w.look(fmt.Sprintf("mount %d at the end", side), w.on(side).read, name)
		}
	}
	for _, wrong := range w.h.Check() {
		w.Errorf("round %d: %s", round, wrong)
	}
	w.conflicts(names)
}

func (w *witnesses) all(names, labels []string, start func(int, *sync.WaitGroup), fault func(w *witnesses), alone bool) {
	var work, watching sync.WaitGroup
	done := make(chan struct{})
	for side := range w.mounts {
		mine, theirs := names, labels
		if alone {
			mine, theirs = own(names, side), own(labels, side)
		}
		watching.Go(func() { w.watch(done, mine, theirs, side) })
		start(side, &work)
	}
	if !alone {
		work.Go(func() { w.work("client", w.client, names, labels, 25) })
	}
	if fault != nil {
		w.failed.Store(true)
		fault(w)
	}
	work.Wait()
	close(done)
	watching.Wait()
	w.failed.Store(false)
}

// conflicts checks that what was kept beside is a value whose writer was told, or had an error.
func (w *witnesses) conflicts(names []string) {
	out, err := w.client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
	w.ok(err)
	for _, o := range out.Contents {
		if !strings.Contains(*o.Key, ".conflict-") {
			continue
		}
		value := w.client.get(w.T, *o.Key)
		if _, told := w.values.Load(value); !told {
			w.Errorf("%s holds %q, whose writer knows nothing of a conflict", *o.Key, value)
		}
	}
}

func (w *witnesses) on(side int) onMount { return onMount{&w.mounts[side]} }

func (w *witnesses) mount(side int) {
	w.mounts[side].Store(w.wires[side].Server().Mount(w.T, "bucket", harness.MountOptions{Options: append([]string{"read_leases"}, w.options...)}))
}

// faults are what may happen to the first mount or to the server, by name.
var faults = map[string]func(w *witnesses){
	"none": nil,
	"freeze": func(w *witnesses) {
		w.wires[0].Freeze()
		time.Sleep(rand.N(7 * time.Second))
		w.wires[0].Thaw()
	},
	"cut": func(w *witnesses) {
		for range 5 {
			w.wires[0].Cut()
			time.Sleep(rand.N(100 * time.Millisecond))
		}
	},
	"pause": func(w *witnesses) {
		m := w.mounts[0].Load()
		m.Pause()
		time.Sleep(rand.N(7 * time.Second))
		m.Resume()
	},
	"kill": func(w *witnesses) {
		time.Sleep(rand.N(300 * time.Millisecond))
		w.mounts[0].Load().KillProcess()
		w.mount(0)
	},
	"restart": func(w *witnesses) {
		time.Sleep(rand.N(300 * time.Millisecond))
		w.srv.Kill()
		w.srv.Restart(w.T)
	},
	"stall": func(w *witnesses) {
		w.srv.Pause()
		time.Sleep(rand.N(5 * time.Second))
		w.srv.Resume()
	},
}

// Two mounts with leases and a client without a mount work on the same names while wires, mounts and the server fail: whoever
// opens, lists or asks for attributes sees what was acknowledged last, and a version is kept beside only where its writer was
// told.
func TestHistoryUnderLeases(t *testing.T) {
	historyUnderLeases(t, everyFault, harness.Scale(1, 20), 0, "attr_timeout=0", "entry_timeout=0", "negative_timeout=0", "stat_cache_expire=0", "sync_unlink")
}

// With what a mount and the kernel believe for a moment, a second each, both mounts see all that much later, and no later than
// that. What freezes and stalls is to caches what pauses is, and left to `make soak`.
func TestHistoryUnderLeasesAndCaches(t *testing.T) {
	names := harness.Scale([]string{"none", "cut", "pause", "kill", "restart"}, everyFault)
	historyUnderLeases(t, names, harness.Scale(1, 20), 2500*time.Millisecond, "stat_cache_expire=1")
}

// everyFault are the names of faults, and that of there being none.
var everyFault = []string{"none", "freeze", "cut", "pause", "kill", "restart", "stall"}

func historyUnderLeases(t *testing.T, names []string, rounds int, late time.Duration, options ...string) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
			srv.Bucket(t, "bucket")
			w := &witnesses{T: t, srv: srv, client: onService{plainClient{srv.Client(t)}}, options: options, late: late}
			for side := range w.mounts {
				w.wires[side] = harness.NewWire(t, srv)
				w.mount(side)
			}
			for round := range rounds {
				w.h = witness.New()
				w.round(round, faults[name])
			}
			for side := range w.mounts { // before the server that was started last
				w.mounts[side].Load().Unmount(t)
			}
		})
	}
}
