package fstest

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Actor makes calls below one directory, as whoever a call names. It is not safe for concurrent use.
type Actor struct {
	root string
	work chan func()
	fds  map[string]int
}

// Result is what came of a call.
type Result struct {
	Errno unix.Errno // 0: success
	Value string     // what it returned, besides
}

func (r Result) String() string {
	if r.Errno != 0 {
		return unix.ErrnoName(r.Errno)
	}
	return "ok " + r.Value
}

// NewActor returns an actor whose working directory is root. The caller ends it with Close.
func NewActor(root string) (*Actor, error) {
	a := &Actor{root: root, work: make(chan func()), fds: map[string]int{}}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			unix.Umask(0o022)
			err = unix.Chdir(root)
		}
		ready <- err
		for f := range a.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		close(a.work)
		return nil, fmt.Errorf("an actor in %s: %w", root, err)
	}
	return a, nil
}

// Close closes what is open and ends the thread.
func (a *Actor) Close() {
	_ = a.Leave() // a thread may outlive its goroutine
	close(a.work)
}

func (a *Actor) closeAll() {
	a.on(func() {
		for slot, fd := range a.fds {
			_ = unix.Close(fd) // the end of a script
			delete(a.fds, slot)
		}
	})
}

// Leave closes what is open and leaves the directory, so that it can be unmounted; Enter goes back.
func (a *Actor) Leave() error {
	a.closeAll()
	return a.chdir("/")
}

// Enter goes into the directory.
func (a *Actor) Enter() error { return a.chdir(a.root) }

func (a *Actor) chdir(dir string) (err error) {
	a.on(func() { err = unix.Chdir(dir) })
	return err
}

// on runs f on the actor's thread.
func (a *Actor) on(f func()) {
	done := make(chan struct{})
	a.work <- func() { defer close(done); f() }
	<-done
}

// Do makes a call. An error says that the call itself makes no sense.
func (a *Actor) Do(c Call) (r Result, err error) {
	op, ok := operations[c.Op]
	if !ok {
		return r, fmt.Errorf("no call %q", c.Op)
	}
	if len(c.Args) < op.min || len(c.Args) > op.max {
		return r, fmt.Errorf("%s: takes %d to %d arguments", c, op.min, op.max)
	}
	a.on(func() {
		if err = become(c.UID, c.GID, c.Groups); err != nil {
			return
		}
		r.Value, err = op.do(a, c.Args)
		if back := become(0, 0, nil); back != nil {
			panic(back) // the thread is of no use any more
		}
	})
	var errno unix.Errno
	switch {
	case err == nil:
	case errors.As(err, &errno):
		r, err = Result{Errno: errno}, nil
	default:
		err = fmt.Errorf("%s: %w", c, err)
	}
	return r, err
}

// become changes the identity of this thread alone: the library's functions would change all threads.
func become(uid, gid int, groups []uint32) error {
	const keep = ^uintptr(0)
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, keep, 0, keep); e != 0 {
		return e
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, keep, uintptr(gid), keep); e != 0 {
		return e
	}
	if err := setgroups(groups); err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); e != 0 {
		return e
	}
	return nil
}

// Call is a line of a script.
type Call struct {
	UID, GID int
	Groups   []uint32
	Op       string
	Args     []string
	Expect   string // name of the errno that the mount answers on purpose, without the call being made locally
}

// Parse reads a script. Empty lines and those that begin with "#" mean nothing. An argument may be quoted as in Go, and
// "a*255" is a repeated 255 times.
func Parse(script string) ([]Call, error) {
	var calls []Call
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		c, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		calls = append(calls, c)
	}
	return calls, nil
}

func parseLine(line string) (c Call, err error) {
	line, why, _ := strings.Cut(line, " #=")
	c.Expect, _, _ = strings.Cut(strings.TrimSpace(why), ":")
	words, err := split(line)
	if err != nil {
		return c, err
	}
	if who, ok := strings.CutPrefix(words[0], "u"); ok && who != "" && who[0] >= '0' && who[0] <= '9' {
		if err := c.parseCaller(who); err != nil {
			return c, err
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return c, errors.New("no call")
	}
	c.Op, c.Args = words[0], words[1:]
	return c, nil
}

// parseCaller reads uid[:gid[,group]...]; the group is that of the same number if there is none.
func (c *Call) parseCaller(who string) (err error) {
	uid, rest, more := strings.Cut(who, ":")
	if c.UID, err = strconv.Atoi(uid); err != nil {
		return err
	}
	c.GID = c.UID
	for i, word := range strings.Split(rest, ",") {
		if !more {
			break
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		if i == 0 {
			c.GID = n
		} else {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return nil
}

// split divides a line into words.
func split(line string) (words []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		var word string
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, err
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
			words, line = append(words, word), line[len(quoted):]
			continue
		}
		word, line, _ = strings.Cut(line, " ")
		if s, n, ok := strings.Cut(word, "*"); ok {
			count, err := strconv.Atoi(n)
			if err != nil {
				return nil, err
			}
			word = strings.Repeat(s, count)
		}
		words = append(words, word)
	}
	return words, nil
}

// String returns the line.
func (c Call) String() string {
	var b strings.Builder
	if c.UID != 0 {
		fmt.Fprintf(&b, "u%d:%d", c.UID, c.GID)
		for _, g := range c.Groups {
			fmt.Fprintf(&b, ",%d", g)
		}
		b.WriteByte(' ')
	}
	b.WriteString(c.Op)
	for _, arg := range c.Args {
		if len(arg) > 300 {
			arg = arg[:20] + "..." + strconv.Itoa(len(arg))
		}
		if arg == "" || strings.ContainsAny(arg, " *\"\x00\n") {
			arg = strconv.Quote(arg)
		}
		b.WriteString(" " + arg)
	}
	return b.String()
}
