// Package upload turns the frozen content of a file into an object.
//
// Commit sends a small file as one PUT and a larger one as a multipart upload whose parts run in parallel. Ranges that
// did not change since the object version the file is based on do not travel: the service copies them (UploadPartCopy,
// on the condition that the version is still in place). Where the service can patch an object, and little has changed, that
// alone is sent, in one request (patch.go); what is patched in vain is sent as if there were no patches. A service that turns
// out not to know them, as one that took another's place may, gets none any more from this Uploader: each would be a body
// sent in vain, and without them all is right, if slower. The plan of parts is a pure function (plan.go) of the extents and
// S3's limits. Bodies read straight from the file's local data; nothing is buffered here. That is checked where it is
// read (package stage): so a part may be sent again, with a new checksum, whatever was wrong with the first attempt.
//
// A Stream is the multipart upload of a file that is still being written, where the service takes the metadata at its end:
// parts that are whole are sent while others are written, those that change later are sent again. Its parts lie on a grid
// (grid.go), as the size is not known yet.
//
// Copy copies an object inside the service, by CopyObject or, above a limit, by parallel UploadPartCopy.
//
// The object that was there stays until the new one is complete. Whatever fails ends the upload: the other parts are
// cancelled and waited for, the upload is aborted on a context of its own, and the error that came first is returned.
// Nothing is retried here (package s3client/retry does) but the aborting, as what is left behind costs its owner money.
package upload
