// Package smallfile keeps small files beside the database: Write makes one that is there whole or not at all, and Watched
// reads one again when somebody has changed it, as an operator's list of keys or accounts.
package smallfile
