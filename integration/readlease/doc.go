// Package readlease tests, in one process and so under the race detector, that what a mount does not ask for again, as it has
// a lease for reads, is what there is: two volumes and a plain client work on the same names, through the clients and the
// server that are used outside of tests.
package readlease
