// Package store is the semantics of S3 - objects, conditions, listings, copies, renames, multipart uploads - written once
// over a meta.DB and a blob.Store. It knows neither HTTP nor XML, nor who may do what.
//
// # Where the bytes are
//
//	object row ── nothing            an empty object
//	           ├─ data row           up to Options.InlineLimit: object and bytes are one transaction, one shared fsync
//	           ├─ blob               one file
//	           └─ manifest ── blobs  a multipart object: extents (blob, offset, length) and the list of parts
//
// Object rows stay small, whatever the object: a listing reads them and nothing else. Bytes are shared by counted
// references (refs.go), so CopyObject and RenameObject move none, and UploadPartCopy almost never does (part_copy.go says
// when). PatchObject shares what does not change (patch.go); patch_plan.go says what keeps such objects from falling into
// ever more pieces, and from keeping bytes that they do not have any more. Parts are always blobs, never inline, so a
// manifest points to blobs only; extents that lie side by side in a blob become one again. What is shared cannot be told from
// its own: a copy keeps the source's ETag and parts, where AWS would compute a new ETag for the copy of a multipart object.
//
// # Versions
//
//	table 'o'   the current object of each key
//	table 'v'   versions that are not current, and all delete markers, the newest of a key first
//	table 'n'   of each key whose null version is in 'v': which one that is
//
// So a listing of objects passes neither old versions nor delete markers, and costs what it costs in a bucket without
// versions; so does a read. Where a key has no row in 'o', its newest row in 'v' is a delete marker and the current version.
// A write moves the row of 'o' to 'v' and a removal of the current version moves the newest back (version_rows.go); bytes
// stay where they are. ListVersions merges the two tables. version.go says what the IDs are made of, lock.go who may
// remove what. A rename in a bucket with versions copies by reference and leaves a delete marker.
//
// # ETags
//
// An ETag is the MD5 of the bytes where S3 says so, as clients compare it with theirs. That is all that MD5 is for, and it costs
// more than all else that is done with a body; so it is left out where S3 says that the ETag is none: with SSE-KMS and SSE-C,
// and for patches, whose ETag is a hash of what was changed. A client that sends Content-MD5 has it computed and compared anywhere.
//
// UploadInput.OpaqueTags leaves it out for the parts of an upload, whose object's ETag is no MD5 of its bytes in any case. An ETag must
// stay a strong validator: caches are keyed by it, and conditions rely on it. So that of a part (partTag) is a hash of the
// upload's ID, which is random, the part's number, size and checksum: nothing in another upload has it, and the object's, the
// hash of the parts', is no other object's. A checksum alone would do for neither, as it is easily made to match; here it only
// tells apart what is sent in one upload as one part, by one who would deceive himself. A random ETag would be as unique, but it is
// to be the same when a part is sent again: the first attempt, whose answer was lost, may be done after the second, and a
// completion that names the ETag of the second would be refused. It also has the form of an MD5, of which the ETag of the object
// can be computed as clients do that of any object of parts. What is put in one request keeps its MD5, however large it is:
// programs compare that, an ETag with a dash would be one of parts, and mounts send in parts what is large.
//
// # Encryption
//
// Extra.Encryption says with whose key an object's bytes are encrypted; package sse opens it. Each blob and each data row has
// a data key of its own, whose label is kept beside it (encrypt.go), so bytes that are shared by reference, or cut out by
// CopyPart, bring their keys along. Sharing needs only that both objects' keys are the same; else bytes are copied. Sizes,
// extents, MD5 and checksums are of the plain bytes; the CRCs of a blob are of the encrypted ones, so damage is found without
// keys.
//
// # Leases
//
// A transaction that makes a key under somebody's lease (package lease) ends, changes nothing, and runs again when the lease
// has ended (lease.go). So does one that changes a row of a current object under a lease for reads: all reads of current
// objects are of that table, and all writes pass tx.Set and tx.Delete, so none can be forgotten. A grant is a transaction
// too: as they run one at a time, none lies across it. So there are no leases where several Stores share a database. Those
// for reads have rows in table 'l', for the Store that comes after this one: in it they linger.
//
// # One change, one transaction
//
// The order is always: blobs durable; then the transaction that makes them visible and drops what they replace, durable;
// then the files that nothing refers to are removed. A crash in between leaves orphans, which the next Open sweeps in the
// background (sweep.go), and nothing else. Conditions are decided inside the transaction, and once before a body is read, to refuse
// early. The function of a transaction may run again, so files are touched only after it (tx.go).
//
// A reader keeps the version it opened: reclaim.go holds back the removal of files that an open ObjectReader may still
// open. A body is read, written and, if need be, hashed (MD5) in three goroutines (intake.go); memory for a body is four buffers of
// 1 MiB, and a fifth when it is encrypted, whatever its length.
//
// # Several Stores
//
// With Options.Shared other processes have Stores on the same database and blobs. Transactions order their changes. What is
// known in memory elsewhere is told through the database: changes of configurations are counted there, events are its
// messages (events_shared.go), members.go holds freed blobs back for the readers of others, and sweep.go says how an orphan
// is told from a blob that another Store is making.
//
// # Faults
//
// A damaged row or chunk is ErrDamaged and is never served. A listing leaves a damaged row out and logs it; a put or
// delete without conditions replaces it. Dropping a reference never fails for damage: bytes may be leaked, and Check
// tells of them. A damaged version can be removed, unless its bucket has object lock.
//
// # Locks
//
// reclaim.mu is the only lock, a leaf: nothing is called while it is held. Transactions order everything else.
package store
