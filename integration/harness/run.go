package harness

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Command is one call of another program.
type Command struct {
	Env     []string
	Dir     string
	Stdin   string
	Timeout time.Duration // 5 minutes when zero; it is there to end what hangs
}

// Run calls a program and returns its standard output; a non-zero exit fails the test with all that it printed.
func (c Command) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, stderr, err := c.Try(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, tail(out, 4000), tail(stderr, 8000))
	}
	return out
}

// Try calls a program and returns what it printed and how it ended.
func (c Command) Try(name string, args ...string) (stdout, stderr string, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = append(os.Environ(), c.Env...), c.Dir, strings.NewReader(c.Stdin)
	cmd.WaitDelay = 5 * time.Second
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}
