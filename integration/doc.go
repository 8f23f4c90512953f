// Package integration holds the tests that no unit can make: real kernel mounts, real pail processes, and real
// clients from Debian's packages, put together as users put them. See package harness for how they are run.
package integration
