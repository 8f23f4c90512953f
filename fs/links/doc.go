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
//	                the pointer, if it is still there; an empty object that says so (MovedMeta) replaces the file under
//	                its ID, if that is still the version that was copied, else it is copied again; this and the list go.
//	                Whoever wants to add a name first goes on here
//	   none left    the empty list says that nobody may add a name; bytes and list go
//
// The service has to compare versions (conditional PUT) for that; without, there are no hard links.
package links
