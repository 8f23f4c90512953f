package s3api

// scope says what an operation is about: the first of service, bucket and object that its URL names in full.
type scope string

const (
	onService scope = "service"
	onBucket  scope = "bucket"
	onObject  scope = "object"
)

// op is one row of the operation table. A request is an op's when method and scope are equal, all of query is there
// ("name" or "name=value") and the header, if one is named, is there. Of several the one that asks for most wins.
//
// The first word of query is the op's sub-resource: a request naming a sub-resource that the table does not have for
// its method is answered MethodNotAllowed, never taken for the plain operation (PUT /b/k?policy must not store k).
type op struct {
	name   string
	method string
	scope  scope
	query  []string
	header string
	action string               // IAM's, see actions; "": for the bucket's owner only
	public bool                 // served without credentials
	form   bool                 // its credentials are in its body: serve authenticates and authorizes
	serve  func(*request) error // nil: NotImplemented
}

// Operation describes one row of the operation table to documentation and tests.
type Operation struct {
	Name, Method, Scope string
	Query               []string
	Header              string
	Served              bool // false: answered NotImplemented
}

// Operations lists every operation of S3 in the order of the table.
func Operations() []Operation {
	rows := ops()
	list := make([]Operation, len(rows))
	for i, o := range rows {
		list[i] = Operation{Name: o.name, Method: o.method, Scope: string(o.scope), Query: o.query,
			Header: o.header, Served: o.serve != nil}
	}
	return list
}

// q makes the query column of the table readable.
func q(names ...string) []string { return names }

// ops is the table: every operation of the S3 API reference (2026), and the browser's two, POST and OPTIONS.
func ops() []op {
	var all []op
	all = append(all, serviceOps()...)
	all = append(all, bucketOps()...)
	all = append(all, bucketConfigOps()...)
	all = append(all, objectOps()...)
	all = append(all, multipartOps()...)
	all = append(all, extensionOps()...)
	for i := range all {
		all[i].action = actions[all[i].name]
	}
	return all
}

// extensionOps are beyond S3: see API.md.
func extensionOps() []op {
	return []op{
		{name: "PatchObject", method: "POST", scope: onObject, query: q("patch"), serve: patchObject},
		{name: "DeleteDirectory", method: "POST", scope: onObject, query: q("deleteDirectory"), serve: deleteDirectory},
		{name: "GetBucketUsage", method: "GET", scope: onBucket, query: q("usage"), serve: getBucketUsage},
		{name: "PutBucketQuota", method: "PUT", scope: onBucket, query: q("quota"), serve: putBucketQuota},
		{name: "DeleteBucketQuota", method: "DELETE", scope: onBucket, query: q("quota"), serve: deleteBucketQuota},
		{name: "ListenBucketNotification", method: "GET", scope: onBucket, query: q("events"), serve: listenBucket},
		{name: "ListenLeases", method: "GET", scope: onBucket, query: q("lease"), serve: listenLeases},
		{name: "PutLease", method: "PUT", scope: onBucket, query: q("lease"), serve: putLease},
		{name: "DeleteLease", method: "DELETE", scope: onBucket, query: q("lease"), serve: deleteLease},
	}
}

func serviceOps() []op {
	return []op{
		{name: "ListBuckets", method: "GET", scope: onService, serve: listBuckets},
		{name: "ListDirectoryBuckets", method: "GET", scope: onService, query: q("x-id=ListDirectoryBuckets")},
		{name: "PreflightRequest", method: "OPTIONS", scope: onService, public: true, serve: preflight},
		{name: "WriteGetObjectResponse", method: "POST", scope: onBucket, header: "X-Amz-Request-Route"},
	}
}

func bucketOps() []op {
	return []op{
		{name: "CreateBucket", method: "PUT", scope: onBucket, serve: createBucket},
		{name: "HeadBucket", method: "HEAD", scope: onBucket, serve: headBucket},
		{name: "DeleteBucket", method: "DELETE", scope: onBucket, serve: deleteBucket},
		{name: "GetBucketLocation", method: "GET", scope: onBucket, query: q("location"), serve: getBucketLocation},
		{name: "ListObjects", method: "GET", scope: onBucket, serve: listObjectsV1},
		{name: "ListObjectsV2", method: "GET", scope: onBucket, query: q("list-type=2"), serve: listObjectsV2},
		{name: "ListObjectVersions", method: "GET", scope: onBucket, query: q("versions"), serve: listObjectVersions},
		{name: "ListMultipartUploads", method: "GET", scope: onBucket, query: q("uploads"), serve: listUploads},
		{name: "DeleteObjects", method: "POST", scope: onBucket, query: q("delete"), serve: deleteObjects},
		{name: "PostObject", method: "POST", scope: onBucket, form: true, serve: postObject},
		{name: "PreflightRequest", method: "OPTIONS", scope: onBucket, public: true, serve: preflight},
		{name: "CreateSession", method: "GET", scope: onBucket, query: q("session")},
	}
}

func objectOps() []op {
	return []op{
		{name: "PutObject", method: "PUT", scope: onObject, serve: putObject},
		{name: "GetObject", method: "GET", scope: onObject, serve: getObject},
		{name: "HeadObject", method: "HEAD", scope: onObject, serve: headObject},
		{name: "DeleteObject", method: "DELETE", scope: onObject, serve: deleteObject},
		{name: "CopyObject", method: "PUT", scope: onObject, header: "X-Amz-Copy-Source", serve: copyObject},
		{name: "RenameObject", method: "PUT", scope: onObject, query: q("renameObject"), serve: renameObject},
		{name: "PreflightRequest", method: "OPTIONS", scope: onObject, public: true, serve: preflight},
		{name: "GetObjectAcl", method: "GET", scope: onObject, query: q("acl"), serve: getObjectACL},
		{name: "PutObjectAcl", method: "PUT", scope: onObject, query: q("acl"), serve: putObjectACL},
		{name: "GetObjectTagging", method: "GET", scope: onObject, query: q("tagging"), serve: getObjectTagging},
		{name: "PutObjectTagging", method: "PUT", scope: onObject, query: q("tagging"), serve: putObjectTagging},
		{name: "DeleteObjectTagging", method: "DELETE", scope: onObject, query: q("tagging"), serve: deleteObjectTagging},
		{name: "GetObjectAttributes", method: "GET", scope: onObject, query: q("attributes"), serve: getObjectAttributes},
		{name: "GetObjectLegalHold", method: "GET", scope: onObject, query: q("legal-hold"), serve: getObjectLegalHold},
		{name: "PutObjectLegalHold", method: "PUT", scope: onObject, query: q("legal-hold"), serve: putObjectLegalHold},
		{name: "GetObjectRetention", method: "GET", scope: onObject, query: q("retention"), serve: getObjectRetention},
		{name: "PutObjectRetention", method: "PUT", scope: onObject, query: q("retention"), serve: putObjectRetention},
		{name: "GetObjectTorrent", method: "GET", scope: onObject, query: q("torrent")},
		{name: "RestoreObject", method: "POST", scope: onObject, query: q("restore"), serve: restoreObject},
		{name: "SelectObjectContent", method: "POST", scope: onObject, query: q("select")},
		{name: "UpdateObjectEncryption", method: "PUT", scope: onObject, query: q("encryption")},
		{name: "GetObjectAnnotation", method: "GET", scope: onObject, query: q("annotation")},
		{name: "PutObjectAnnotation", method: "PUT", scope: onObject, query: q("annotation")},
		{name: "DeleteObjectAnnotation", method: "DELETE", scope: onObject, query: q("annotation")},
		{name: "ListObjectAnnotations", method: "GET", scope: onObject, query: q("annotation", "x-id=ListObjectAnnotations")},
	}
}

func multipartOps() []op {
	return []op{
		{name: "CreateMultipartUpload", method: "POST", scope: onObject, query: q("uploads"), serve: createUpload},
		{name: "UploadPart", method: "PUT", scope: onObject, query: q("uploadId"), serve: uploadPart},
		{name: "UploadPartCopy", method: "PUT", scope: onObject, query: q("uploadId"), header: "X-Amz-Copy-Source", serve: uploadPartCopy},
		{name: "CompleteMultipartUpload", method: "POST", scope: onObject, query: q("uploadId"), serve: completeUpload},
		{name: "AbortMultipartUpload", method: "DELETE", scope: onObject, query: q("uploadId"), serve: abortUpload},
		{name: "ListParts", method: "GET", scope: onObject, query: q("uploadId"), serve: listParts},
	}
}
