// Package keyring keeps the secrets of server-side encryption in two files of the same form: a line NAME:KEY for each key,
// KEY being 32 bytes in base64; lines that begin with # are comments. Both have mode 0600, and are read again when they
// change.
//
// Master is the server's own: its last key encrypts, all others decrypt what was encrypted while they were last. It is made
// at first use. Which keys were used is recorded beside it, so that a server knows at its start what it must have. Rotate
// adds a key; what a key has encrypted is never encrypted anew, so a key must stay in the file as long as there is anything
// of it.
//
// Ring is an operator's, of keys that clients name as those of AWS KMS.
package keyring
