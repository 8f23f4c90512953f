package s3api

import "strings"

// actions gives each operation the IAM action that it needs on the bucket or object that its URL names. Operations that
// need more ask for it in authorize.go or, for what only their body tells, themselves. An operation that is not here may
// be called by the bucket's owner only. It is never written to.
//
// Source: "Required permissions for Amazon S3 API operations" (S3 user guide).
var actions = map[string]string{
	"ListBuckets": "s3:ListAllMyBuckets",

	"CreateBucket":         "s3:CreateBucket",
	"HeadBucket":           "s3:ListBucket",
	"DeleteBucket":         "s3:DeleteBucket",
	"GetBucketLocation":    "s3:GetBucketLocation",
	"ListObjects":          "s3:ListBucket",
	"ListObjectsV2":        "s3:ListBucket",
	"ListObjectVersions":   "s3:ListBucketVersions",
	"ListMultipartUploads": "s3:ListBucketMultipartUploads",
	"DeleteObjects":        "s3:DeleteObject", // for each key, see authorizeDelete
	"PostObject":           "s3:PutObject",

	"GetBucketAbac":                               "s3:GetBucketAbac",
	"PutBucketAbac":                               "s3:PutBucketAbac",
	"GetBucketAccelerateConfiguration":            "s3:GetAccelerateConfiguration",
	"PutBucketAccelerateConfiguration":            "s3:PutAccelerateConfiguration",
	"GetBucketAcl":                                "s3:GetBucketAcl",
	"PutBucketAcl":                                "s3:PutBucketAcl",
	"GetBucketAnalyticsConfiguration":             "s3:GetAnalyticsConfiguration",
	"ListBucketAnalyticsConfigurations":           "s3:GetAnalyticsConfiguration",
	"PutBucketAnalyticsConfiguration":             "s3:PutAnalyticsConfiguration",
	"DeleteBucketAnalyticsConfiguration":          "s3:PutAnalyticsConfiguration",
	"GetBucketCors":                               "s3:GetBucketCORS",
	"PutBucketCors":                               "s3:PutBucketCORS",
	"DeleteBucketCors":                            "s3:PutBucketCORS",
	"GetBucketEncryption":                         "s3:GetEncryptionConfiguration",
	"PutBucketEncryption":                         "s3:PutEncryptionConfiguration",
	"DeleteBucketEncryption":                      "s3:PutEncryptionConfiguration",
	"GetBucketIntelligentTieringConfiguration":    "s3:GetIntelligentTieringConfiguration",
	"ListBucketIntelligentTieringConfigurations":  "s3:GetIntelligentTieringConfiguration",
	"PutBucketIntelligentTieringConfiguration":    "s3:PutIntelligentTieringConfiguration",
	"DeleteBucketIntelligentTieringConfiguration": "s3:PutIntelligentTieringConfiguration",
	"GetBucketInventoryConfiguration":             "s3:GetInventoryConfiguration",
	"ListBucketInventoryConfigurations":           "s3:GetInventoryConfiguration",
	"PutBucketInventoryConfiguration":             "s3:PutInventoryConfiguration",
	"DeleteBucketInventoryConfiguration":          "s3:PutInventoryConfiguration",
	"GetBucketLifecycleConfiguration":             "s3:GetLifecycleConfiguration",
	"PutBucketLifecycleConfiguration":             "s3:PutLifecycleConfiguration",
	"DeleteBucketLifecycle":                       "s3:PutLifecycleConfiguration",
	"GetBucketLogging":                            "s3:GetBucketLogging",
	"PutBucketLogging":                            "s3:PutBucketLogging",
	"GetBucketMetricsConfiguration":               "s3:GetMetricsConfiguration",
	"ListBucketMetricsConfigurations":             "s3:GetMetricsConfiguration",
	"PutBucketMetricsConfiguration":               "s3:PutMetricsConfiguration",
	"DeleteBucketMetricsConfiguration":            "s3:PutMetricsConfiguration",
	"GetBucketNotificationConfiguration":          "s3:GetBucketNotification",
	"PutBucketNotificationConfiguration":          "s3:PutBucketNotification",
	"GetObjectLockConfiguration":                  "s3:GetBucketObjectLockConfiguration",
	"PutObjectLockConfiguration":                  "s3:PutBucketObjectLockConfiguration",
	"GetBucketOwnershipControls":                  "s3:GetBucketOwnershipControls",
	"PutBucketOwnershipControls":                  "s3:PutBucketOwnershipControls",
	"DeleteBucketOwnershipControls":               "s3:PutBucketOwnershipControls",
	"GetBucketPolicy":                             "s3:GetBucketPolicy",
	"PutBucketPolicy":                             "s3:PutBucketPolicy",
	"DeleteBucketPolicy":                          "s3:DeleteBucketPolicy",
	"GetBucketPolicyStatus":                       "s3:GetBucketPolicyStatus",
	"GetBucketReplication":                        "s3:GetReplicationConfiguration",
	"PutBucketReplication":                        "s3:PutReplicationConfiguration",
	"DeleteBucketReplication":                     "s3:PutReplicationConfiguration",
	"GetBucketRequestPayment":                     "s3:GetBucketRequestPayment",
	"PutBucketRequestPayment":                     "s3:PutBucketRequestPayment",
	"GetBucketTagging":                            "s3:GetBucketTagging",
	"PutBucketTagging":                            "s3:PutBucketTagging",
	"DeleteBucketTagging":                         "s3:PutBucketTagging",
	"GetBucketVersioning":                         "s3:GetBucketVersioning",
	"PutBucketVersioning":                         "s3:PutBucketVersioning",
	"GetBucketWebsite":                            "s3:GetBucketWebsite",
	"PutBucketWebsite":                            "s3:PutBucketWebsite",
	"DeleteBucketWebsite":                         "s3:DeleteBucketWebsite",
	// Extensions: who may list keys may know how many there are and what becomes of them; a quota needs who rules the bucket.
	"GetBucketUsage":           "s3:ListBucket",
	"ListenBucketNotification": "s3:ListBucket",
	"PutBucketQuota":           "s3:PutBucketPolicy",
	"DeleteBucketQuota":        "s3:PutBucketPolicy",

	// Leases are for the bucket's owner, whatever its policy allows others, see leaseRequest.
	"ListenLeases": "s3:PutBucketPolicy",
	"PutLease":     "s3:PutBucketPolicy",
	"DeleteLease":  "s3:PutBucketPolicy",

	"GetPublicAccessBlock":    "s3:GetBucketPublicAccessBlock",
	"PutPublicAccessBlock":    "s3:PutBucketPublicAccessBlock",
	"DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",

	"PutObject":              "s3:PutObject",
	"GetObject":              "s3:GetObject",
	"HeadObject":             "s3:GetObject",
	"DeleteObject":           "s3:DeleteObject",
	"DeleteDirectory":        "s3:DeleteObject", // and it tells whether there are keys, see authorizeMore
	"CopyObject":             "s3:PutObject",
	"RenameObject":           "s3:PutObject",
	"PatchObject":            "s3:PutObject", // and it reads the object, see authorizeMore
	"GetObjectAcl":           "s3:GetObjectAcl",
	"PutObjectAcl":           "s3:PutObjectAcl",
	"GetObjectTagging":       "s3:GetObjectTagging",
	"PutObjectTagging":       "s3:PutObjectTagging",
	"DeleteObjectTagging":    "s3:DeleteObjectTagging",
	"GetObjectAttributes":    "s3:GetObject",
	"GetObjectLegalHold":     "s3:GetObjectLegalHold",
	"PutObjectLegalHold":     "s3:PutObjectLegalHold",
	"GetObjectRetention":     "s3:GetObjectRetention",
	"PutObjectRetention":     "s3:PutObjectRetention",
	"RestoreObject":          "s3:RestoreObject",
	"SelectObjectContent":    "s3:GetObject",
	"UpdateObjectEncryption": "s3:UpdateObjectEncryption",

	"CreateMultipartUpload":   "s3:PutObject",
	"UploadPart":              "s3:PutObject",
	"UploadPartCopy":          "s3:PutObject",
	"CompleteMultipartUpload": "s3:PutObject",
	"AbortMultipartUpload":    "s3:AbortMultipartUpload",
	"ListParts":               "s3:ListMultipartUploadParts",
}

// versioned gives the action for a version that a request names: some have one of their own.
func versioned(action, version string) string {
	if version == "" {
		return action
	}
	switch action {
	case "s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectAttributes", "s3:GetObjectTorrent", "s3:PutObjectAcl",
		"s3:PutObjectTagging", "s3:DeleteObject", "s3:DeleteObjectTagging":
		return strings.Replace(action, "Object", "ObjectVersion", 1)
	}
	return action
}
