package s3client

// Names of the S3 operations behind the methods of Client and Upload, as they stand in Error.Op, in counters and in
// fault rules.
const (
	OpProbe      = "HeadBucket"
	OpHead       = "HeadObject"
	OpGet        = "GetObject"
	OpPut        = "PutObject"
	OpPatch      = "PatchObject" // of pail's own server
	OpCopy       = "CopyObject"
	OpRename     = "RenameObject"
	OpDelete     = "DeleteObject"
	OpDeleteMany = "DeleteObjects"
	OpDeleteDir  = "DeleteDirectory" // of pail's own server
	OpList       = "ListObjects"
	OpNewUpload  = "CreateMultipartUpload"
	OpPart       = "UploadPart"
	OpCopyPart   = "UploadPartCopy"
	OpComplete   = "CompleteMultipartUpload"
	OpAbort      = "AbortMultipartUpload"

	OpListUploads = "ListMultipartUploads"
	OpLeases      = "Leases" // of pail's own server: a holder's stream, and its requests
)
