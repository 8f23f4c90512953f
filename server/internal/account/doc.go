// Package account knows who may sign requests: accounts, their users, and the keys of both.
//
// Parse reads the accounts file, JSON in the form of CloudServer's authdata.json: {"accounts": [{"name", "email",
// "canonicalID", "shortid", "keys": [{"access", "secret"}], "users": [{"name", "keys"}]}]}. Only name and keys are
// required; ids that are left out are derived from the name, so that they stay the same.
//
// An account owns its buckets; its users may do what it may, unless a bucket policy denies it to them by name. Open gives
// a File that follows changes of the file: a new version that cannot be used, or that others may read, is reported once,
// and the old one stays valid.
package account
