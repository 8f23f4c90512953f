package s3err

import "net/http"

type entry struct {
	status  int
	message string
}

// table holds AWS's own words: the "Error responses" page of the S3 API reference, and, where the service says it
// otherwise on the wire, the wire. It is never written to.
var table = map[Code]entry{
	AccessControlListNotSupported:                  {http.StatusBadRequest, "The bucket does not allow ACLs"},
	AccessDenied:                                   {http.StatusForbidden, "Access Denied"},
	AccessForbidden:                                {http.StatusForbidden, "Access Forbidden"},
	AuthorizationHeaderMalformed:                   {http.StatusBadRequest, "The authorization header that you provided is not valid."},
	AuthorizationQueryParametersError:              {http.StatusBadRequest, "The authorization query parameters that you provided are not valid."},
	BadDigest:                                      {http.StatusBadRequest, "The Content-MD5 you specified did not match what we received."},
	BadRequest:                                     {http.StatusBadRequest, "An error occurred when parsing the HTTP request."},
	BucketAlreadyExists:                            {http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."},
	BucketAlreadyOwnedByYou:                        {http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it."},
	BucketNotEmpty:                                 {http.StatusConflict, "The bucket you tried to delete is not empty"},
	ConditionalRequestConflict:                     {http.StatusConflict, "The conditional request cannot succeed due to a conflicting operation against this resource."},
	DirectoryNotEmpty:                              {http.StatusConflict, "The directory you tried to delete is not empty"}, // of an extension
	EntityTooLarge:                                 {http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size"},
	EntityTooSmall:                                 {http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size"},
	ExpiredToken:                                   {http.StatusBadRequest, "The provided token has expired."},
	IdempotencyParameterMismatch:                   {http.StatusBadRequest, "The provided idempotency token was used with different parameters."},
	IllegalVersioningConfigurationException:        {http.StatusBadRequest, "The Versioning element must be specified"},
	IllegalLocationConstraintException:             {http.StatusBadRequest, "The location constraint is incompatible for the region specific endpoint this request was sent to."},
	IncompleteBody:                                 {http.StatusBadRequest, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
	IncorrectNumberOfFilesInPostRequest:            {http.StatusBadRequest, "POST requires exactly one file upload per request."},
	InsufficientStorage:                            {http.StatusInsufficientStorage, "There is not enough storage space to complete the request."},
	InternalError:                                  {http.StatusInternalServerError, "We encountered an internal error. Please try again."},
	InvalidAccessKeyId:                             {http.StatusForbidden, "The AWS Access Key Id you provided does not exist in our records."},
	InvalidArgument:                                {http.StatusBadRequest, "Invalid Argument"},
	InvalidBucketAclWithObjectOwnership:            {http.StatusBadRequest, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"},
	InvalidBucketOwnerAWSAccountID:                 {http.StatusBadRequest, "The value of the expected bucket owner parameter must be an AWS account ID"},
	InvalidBucketName:                              {http.StatusBadRequest, "The specified bucket is not valid."},
	InvalidBucketState:                             {http.StatusConflict, "The request is not valid for the current state of the bucket."},
	InvalidChunkSizeError:                          {http.StatusForbidden, "Only the last chunk is allowed to have a size less than 8192 bytes"},
	InvalidDigest:                                  {http.StatusBadRequest, "The Content-MD5 you specified was invalid."},
	InvalidEncryptionAlgorithmError:                {http.StatusBadRequest, "The encryption request you specified is not valid. The valid value is AES256."},
	InvalidLocationConstraint:                      {http.StatusBadRequest, "The specified location-constraint is not valid"},
	InvalidObjectState:                             {http.StatusForbidden, "The operation is not valid for the object's storage class"},
	InvalidPart:                                    {http.StatusBadRequest, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	InvalidPartNumber:                              {http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable"},
	InvalidPartOrder:                               {http.StatusBadRequest, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	InvalidPolicyDocument:                          {http.StatusBadRequest, "The content of the form does not meet the conditions specified in the policy document."},
	InvalidRedirectLocation:                        {http.StatusBadRequest, "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."},
	InvalidRange:                                   {http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable"},
	InvalidRequest:                                 {http.StatusBadRequest, "Invalid Request"},
	InvalidRetentionPeriod:                         {http.StatusBadRequest, "The retention period specified in the default retention of the bucket is not valid."},
	InvalidStorageClass:                            {http.StatusBadRequest, "The storage class you specified is not valid"},
	InvalidTag:                                     {http.StatusBadRequest, "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation."},
	InvalidToken:                                   {http.StatusBadRequest, "The provided token is malformed or otherwise invalid."},
	InvalidURI:                                     {http.StatusBadRequest, "Couldn't parse the specified URI."},
	KMSNotFoundException:                           {http.StatusBadRequest, "The key does not exist"},
	KeyTooLongError:                                {http.StatusBadRequest, "Your key is too long"},
	MalformedACLError:                              {http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema"},
	MalformedPOSTRequest:                           {http.StatusBadRequest, "The body of your POST request is not well-formed multipart/form-data."},
	MalformedPolicy:                                {http.StatusBadRequest, "Policy has invalid resource"},
	MalformedTrailerError:                          {http.StatusBadRequest, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	MalformedXML:                                   {http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema"},
	MaxPostPreDataLengthExceeded:                   {http.StatusBadRequest, "Your POST request fields preceding the upload file were too large."},
	MaxMessageLengthExceeded:                       {http.StatusBadRequest, "Your request was too big."},
	MetadataTooLarge:                               {http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size"},
	MethodNotAllowed:                               {http.StatusMethodNotAllowed, "The specified method is not allowed against this resource."},
	MissingContentLength:                           {http.StatusLengthRequired, "You must provide the Content-Length HTTP header."},
	MissingRequestBodyError:                        {http.StatusBadRequest, "Request Body is empty"},
	MissingSecurityHeader:                          {http.StatusBadRequest, "Your request was missing a required header"},
	NoSuchBucket:                                   {http.StatusNotFound, "The specified bucket does not exist"},
	NoSuchBucketPolicy:                             {http.StatusNotFound, "The bucket policy does not exist"},
	NoSuchCORSConfiguration:                        {http.StatusNotFound, "The CORS configuration does not exist"},
	NoSuchConfiguration:                            {http.StatusNotFound, "The specified configuration does not exist."},
	NoSuchKey:                                      {http.StatusNotFound, "The specified key does not exist."},
	NoSuchLifecycleConfiguration:                   {http.StatusNotFound, "The lifecycle configuration does not exist"},
	NoSuchObjectLockConfiguration:                  {http.StatusNotFound, "The specified object does not have a ObjectLock configuration"},
	NoSuchPublicAccessBlockConfiguration:           {http.StatusNotFound, "The public access block configuration was not found"},
	NoSuchTagSet:                                   {http.StatusNotFound, "The TagSet does not exist"},
	NoSuchUpload:                                   {http.StatusNotFound, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	NoSuchVersion:                                  {http.StatusNotFound, "The specified version does not exist."},
	NoSuchWebsiteConfiguration:                     {http.StatusNotFound, "The specified bucket does not have a website configuration"},
	NotImplemented:                                 {http.StatusNotImplemented, "A header you provided implies functionality that is not implemented"},
	NotModified:                                    {http.StatusNotModified, "Not Modified"},
	ObjectLockConfigurationNotFoundError:           {http.StatusNotFound, "Object Lock configuration does not exist for this bucket"},
	OperationAborted:                               {http.StatusConflict, "A conflicting conditional operation is currently in progress against this resource. Please try again."},
	OwnershipControlsNotFoundError:                 {http.StatusNotFound, "The bucket ownership controls were not found"},
	PermanentRedirect:                              {http.StatusMovedPermanently, "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."},
	PreconditionFailed:                             {http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold"},
	ReplicationConfigurationNotFoundError:          {http.StatusNotFound, "The replication configuration was not found"},
	RequestHeaderSectionTooLarge:                   {http.StatusBadRequest, "Your request header section exceeds the maximum allowed size."},
	RequestIsNotMultiPartContent:                   {http.StatusBadRequest, "Bucket POST must be of the enclosure-type multipart/form-data."},
	RequestTimeTooSkewed:                           {http.StatusForbidden, "The difference between the request time and the current time is too large."},
	RequestTimeout:                                 {http.StatusBadRequest, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."},
	ServerSideEncryptionConfigurationNotFoundError: {http.StatusNotFound, "The server side encryption configuration was not found"},
	ServiceUnavailable:                             {http.StatusServiceUnavailable, "Service is unable to handle request."},
	SignatureDoesNotMatch:                          {http.StatusForbidden, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	SlowDown:                                       {http.StatusServiceUnavailable, "Please reduce your request rate."},
	TooManyBuckets:                                 {http.StatusBadRequest, "You have attempted to create more buckets than allowed"},
	UnexpectedContent:                              {http.StatusBadRequest, "This request does not support content"},
	UnresolvableGrantByEmailAddress:                {http.StatusBadRequest, "The e-mail address you provided does not match any account on record."},
	UserKeyMustBeSpecified:                         {http.StatusBadRequest, "The bucket POST must contain the specified field name. If it is specified, check the order of the fields."},

	InvalidWriteOffset:            {http.StatusBadRequest, "The write offset value that you specified does not match the current object size."},
	TooManyParts:                  {http.StatusBadRequest, "You have attempted to add more parts than the maximum of 10000 that are allowed for this object. You can use the CopyObject operation to copy this object to another and then add more data to the newly copied object."},
	QuotaExceeded:                 {http.StatusForbidden, "The bucket's quota does not allow it to grow by that much"},
	InvalidTargetBucketForLogging: {http.StatusBadRequest, "The target bucket for logging does not exist"},
	XAmzContentSHA256Mismatch:     {http.StatusBadRequest, "The provided 'x-amz-content-sha256' header does not match what was computed."},
}

// Status gives the HTTP status of c, 500 for a code that the table does not hold.
func (c Code) Status() int { return c.entry().status }

func (c Code) entry() entry {
	if d, ok := table[c]; ok {
		return d
	}
	return entry{http.StatusInternalServerError, table[InternalError].message}
}
