// Command pail mounts S3 buckets as a filesystem, and is the S3 server that it can mount.
//
// Called by one of the names of a mount helper, or as s3fs, it takes the arguments that these take; else the first
// argument is a subcommand, or a bucket in s3fs's own form.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	os.Exit(run(os.Args, os.Getenv, os.Stdout, os.Stderr))
}

// command is what a subcommand is: it returns the exit status.
type command func(args []string, env func(string) string, stdout, stderr io.Writer) int

// run does what the program is called for.
func run(argv []string, env func(string) string, stdout, stderr io.Writer) int {
	name := "pail"
	var args []string
	if len(argv) > 0 {
		name, args = filepath.Base(argv[0]), argv[1:]
	}
	do, args := dispatch(name, args)
	return do(args, env, stdout, stderr)
}

// dispatch chooses the command by the name that the program is called by, and by the first argument.
func dispatch(name string, args []string) (command, []string) {
	switch {
	case strings.HasPrefix(name, "mount."): // mount.pail, mount.fuse.pail, mount.s3fs, mount.fuse.s3fs
		return mountHelper, args
	case name == "s3fs":
		return mountAsS3fs, args
	case len(args) == 0:
		return usage, args
	}
	if do, ok := subcommand(args[0]); ok {
		return do, args[1:]
	}
	return mountBucket, args
}

// subcommand returns the command that word names. A bucket of such a name is mounted with "pail mount NAME ...".
func subcommand(word string) (command, bool) {
	switch word {
	case "mount":
		return mountBucket, true
	case "umount", "unmount":
		return umount, true
	case "status":
		return status, true
	case "serve":
		return serve, true
	case "health":
		return health, true
	case "fsck":
		return fsck, true
	case "version", "--version", "-V":
		return printVersion, true
	case "help", "--help", "-h":
		return help, true
	}
	return nil, false
}

// fail prints err as the one line that a failed command leaves.
func fail(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "pail: %s\n", oneLine(err.Error()))
	return 1
}

// oneLine folds a text of several lines, as joined errors are.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
