// Package mountpoint looks at directories before something is mounted on them, and takes mounts away.
//
// It reads the kernel's mount table first and touches the directory only then: a request to a FUSE mount whose process
// hangs does not return, so every look into one has a time limit. Every problem is a *Problem, which names the
// directory and the remedy in one line.
package mountpoint
