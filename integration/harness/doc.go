// Package harness runs pail as its users do, for the integration tests: it builds the binary, starts real servers,
// makes real kernel mounts, calls real clients, and leaves nothing behind, also after a failure.
//
// Main builds two binaries once per test run: one with the race detector, for all tests, and the static one that
// users get, for tests of memory and size. A data race in a process started here fails the test that started it.
//
// What a test needs and the machine lacks (FUSE, root, a Debian package) fails it where CI is set, and skips it
// with the remedy elsewhere.
package harness
