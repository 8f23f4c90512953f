// Package mountinfo reads the kernel's mount table, /proc/self/mountinfo of proc_pid_mountinfo(5). To ask it is no request
// to the mounts in it, so it answers also where the process of a FUSE mount is dead, hangs, or is the one that asks.
package mountinfo
