package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"pail/cmd/internal/opt"
	"pail/fs/leftovers"
)

const fsckHelp = `pail fsck BUCKET[:/PREFIX] [--repair] [-o NAME=VALUE,...]

Looks for what mounts that died have left in a bucket, below PREFIX/.pail: copies of files that were removed while they
were open, files with several names (hard links) that no name leads to, and wrong link counts. With --repair it removes
and corrects them. It may run beside mounts: it leaves alone what is younger than a day. Where there are hard links it
lists all keys twice, those outside of PREFIX too, as names may have been moved there, and asks about the small ones; about
all, twice, where the move of a file to its last name was cut off, which it leaves to the next mount that links it. The
options are those of a mount; PREFIX is that of the mounts.

The exit status is 1 if anything is left to be done.
`

// fsck is "pail fsck".
func fsck(args []string, env func(string) string, stdout, stderr io.Writer) int {
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--repair" })
	m, err := opt.Context{Form: opt.Command, Env: env, NoMountpoint: true}.Parse(rest)
	switch {
	case err != nil:
		return fail(stderr, err)
	case m.Help:
		fmt.Fprint(stdout, fsckHelp)
		return 0
	}
	left, err := fsckBucket(&m, len(rest) < len(args), stdout)
	if err != nil {
		return fail(stderr, err)
	}
	return min(left, 1)
}

// fsckBucket checks a bucket, and returns how much is left to be done.
func fsckBucket(m *opt.Mount, repair bool, stdout io.Writer) (left int, err error) {
	if err := absolutePaths(m); err != nil {
		return 0, err
	}
	m.ReadOnly = m.ReadOnly || !repair
	ctx := context.Background()
	client, caps, err := openClient(ctx, m, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	if repair && !caps.ConditionalPut {
		return 0, errors.New("the service does not compare versions, so that nothing can be repaired safely")
	}
	how := leftovers.Options{Repair: repair, ListMetadata: caps.ListMetadata}
	err = leftovers.Check(ctx, client, m.Prefix, how, func(f leftovers.Finding) error {
		done := f.Done
		if done == "" {
			done = "left"
			left++
		}
		_, err := fmt.Fprintf(stdout, "%s: %s: %s\n", plain(f.Key), f.What, done)
		return err
	})
	return left, err
}
