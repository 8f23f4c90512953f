// Package leftovers finds what mounts that died have left in a bucket, below PREFIX/.pail, and removes it: copies of files
// that were removed while they were open, files with several names (package links) that no name leads to any more, their
// lists, and wrong link counts.
//
// # Safe beside mounts
//
// Nothing is touched that is younger than a day; copies of removed files have a week, as mounts that use one renew it every
// day. Where there are files with several names, all keys are walked through twice, so that a rename on its way hides no name,
// the second time those of the whole bucket, where mounts of what is above may have moved names to, and with a look at every
// object that is as long as a name could be. Where the move of a file to its last name was cut off, a name may be a copy of the
// file (links.Origin), of any size: then every object is looked at, twice more. Nothing is removed or corrected that has
// changed since the first walk.
package leftovers
