// Package memclient is a faithful in-memory fake of one bucket, for the tests of everything above s3client.
//
// It keeps S3's rules rather than convenient ones: ETags are the MD5 of the content, "MD5-of-MD5s-N" after a multipart
// upload, and a copy of such an object gets a plain MD5 again; Last-Modified has whole seconds; listings come in byte
// order, page by page, with opaque tokens; parts below 5 MiB are refused at Complete; an upload that was completed or
// aborted is gone; the answer to a write holds little more than the ETag; keys are at most 1024 bytes and metadata
// 2 KiB; a conditional write on a missing key is not found.
//
// What services differ in follows Capabilities, which may be switched at any time: without ConditionalPut conditions on
// writes are ignored (as old servers do), without RenameObject a Rename is refused, as are Patch and DeleteDirectory,
// without ListMetadata listings carry none.
//
// "Another client" of the same bucket is Another: it shares the objects and counts its own requests.
package memclient
