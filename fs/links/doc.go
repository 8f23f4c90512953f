// Package links says how a file with several names (hard links) is kept in a bucket. It is pure: nothing here asks a
// service; package volume does what is written here.
//
// # Objects
//
// A file with one name is an object under its own key, and nothing else. When link(2) gives it a second one, the bytes
// move to an object of their own, and each name becomes a small object that leads there:
//
//	PREFIX/.pail/inodes/ID   the file: its bytes, with its attributes in metadata as any other file's, and the number
//	                         of its names as "pail-nlink"
//	PREFIX/.pail/links/ID    the names (Names), as JSON; every change is conditional on the version that was read
//	PREFIX/a/b               a name: an object with a sentence that says where the bytes are, and metadata (Pointer)
//	                         that says the same to programs
//	PREFIX/a/b               or, of the last name that was left, the file again: its bytes and attributes, with what it was copied
//	                         from as "pail-from" (Origin)
//
// When one name is left, the bytes move back under it, and the other objects go. Where the last name is not where the list
// says, as a directory above it was renamed, it stays a pointer: this is as good, and no other key has to be searched.
//
// # Why the bytes are not under one of the names
//
// The other design leaves the bytes under the first name and lets the others lead to it. Then plain S3 tools can read
// one name as before. But whoever deletes or replaces that one object, a tool, a lifecycle rule or another mount that
// does not know of the link yet, destroys the content of all names; unlink and rename have to move the bytes to another
// name first, and the rename of a directory has to find the names in it. With bytes that no name owns, a name can be
// deleted, replaced or renamed by anybody, also by those who know nothing of links, and costs the others nothing; a
// pointer moves with the directory it is in. Plain tools read the content under PREFIX/.pail/inodes/ID, a key that stays
// the same while there are two names, and that each name says.
//
// # Order of requests
//
// A step that fails or is cut off leaves too much, never too little: bytes that no name leads to, a count or a list with
// one name too many, but no name without its bytes.
//
//	link, first     list the two names; copy the bytes; replace the name by a pointer, if it is still the version that
//	                was copied; make the other name, if it does not exist
//	link, further   list the name, if the list is open; store the count; make the name, if it does not exist
//	unlink, rename  remove or replace the name; take it off the list; store the count
//	   one left     the list is marked as closed in the same request, so nobody adds a name; the bytes are copied over
//	                the pointer, if it is still there, and the copy says of what (Origin); an empty object that says so
//	                (MovedMeta) replaces the file under its ID, if that is still the version that was copied, else it is
//	                copied again; this and the list go. Whoever wants to add a name first goes on here
//	   none left    the empty list says that nobody may add a name; bytes and list go
//
// # Which of two is the file
//
// Between the copy to the last name and the end of what it was copied from there are two objects with the bytes, and the mount that
// made them may be gone, for a while or for good. Others may have the file open, and store what was written to the one under its
// ID; who opens the name finds the copy. So one of the two has to be in force, for all at any moment, without a request more:
//
//	the file under its ID is in force as long as it is there, and not empty with MovedMeta; a copy that says that it comes from
//	there is then what a pointer is: a name, which leads to the file. It may hold older bytes, which nobody reads. It can be
//	renamed, replaced and removed as a pointer, and the next move goes over it
//
//	when that is gone, the copy is the file. It has the last version that was stored there, as the end is on the condition of
//	the version that was copied. An ID never comes again, so what is known to be gone is asked for only once
//
// A writer with the file open thus meets either the file in force, before the end, or after it a refusal; then what he wrote is kept
// beside. No order of requests, and no death or lost answer in between, makes a third case. A mount that has no answer to the request
// of the end asks for the file under its ID, and until it knows stores nothing: the copy might not be in force yet.
//
// One case is left, where the ETag is that of the bytes alone: a mount that knows the file from before it had other names, and whose
// bytes are the same, stores or changes it on the condition of that ETag, which the copy has too. Where the move was cut off, the
// name then has another file, and what others go on writing to the one under the ID is in no name.
//
// What says so stays in the metadata of the copy, as a request to remove it would cost each unlink more than it costs those
// mounts one that come to the file before it is changed. Every change leaves it out (attr.Encode). Mounts that do not know of it take
// the copy for a file, as they always did. What they change keeps metadata that they do not know, but has another ctime than Origin
// says; then it is a file, and no name of another (ParseOrigin). Where the metadata has no room for it, the name stays a pointer.
//
// The service has to compare versions (conditional PUT) for that; without, there are no hard links.
package links
