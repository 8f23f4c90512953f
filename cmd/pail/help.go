package main

import (
	"fmt"
	"io"
)

const overview = `pail mounts S3 buckets as a filesystem, and is an S3 server.

  pail mount BUCKET[:/PREFIX] MOUNTPOINT [-o NAME=VALUE,...]   mount, also as: pail BUCKET MOUNTPOINT ...
  pail umount MOUNTPOINT                                       unmount when everything is on the server
  pail status [MOUNTPOINT] [--json]                            your mounts, and what they have not sent yet
  pail fsck BUCKET[:/PREFIX] [--repair] [-o NAME=VALUE,...]    what mounts that died have left in a bucket
  pail serve [FLAGS]                                           the S3 server
  pail health [--ready]                                        whether a server on this machine is well
  pail version                                                 the version
  pail help [mount|umount|status|fsck|serve|health]            all options
  pail help --man | --completion                               the manual page for man(1); a script for bash
`

// help is "pail help [COMMAND]".
func help(args []string, env func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stdout, overview)
		return 0
	}
	switch args[0] {
	case "--man":
		return printMan(nil, env, stdout, stderr)
	case "--completion":
		return printCompletion(nil, env, stdout, stderr)
	case "mount", "umount", "status", "fsck", "serve", "health":
		do, _ := subcommand(args[0])
		return do([]string{"--help"}, env, stdout, stderr)
	}
	return fail(stderr, fmt.Errorf("no help on %q: there is mount, umount, status, fsck, serve and health", args[0]))
}

// usage is pail without arguments, which is a mistake.
func usage(_ []string, _ func(string) string, _, stderr io.Writer) int {
	fmt.Fprint(stderr, overview)
	return 1
}
