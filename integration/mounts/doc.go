// Package mounts tests that several mounts of one bucket, and clients beside them, agree on what there is: histories of calls
// while servers, mounts and the network fail, and random calls that are compared with a local directory.
package mounts
