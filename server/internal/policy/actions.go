package policy

import "strings"

// on says what kind of resource an action is about.
type on int

const (
	bucketAction on = iota + 1
	objectAction
	otherAction // of the account, of access points, of jobs: known, but never asked of a bucket's policy
)

// actions are the S3 actions that policies may name, with what they are about.
var actions = func() map[string]on {
	m := map[string]on{}
	for kind, names := range map[on]string{bucketAction: bucketActions, objectAction: objectActions, otherAction: otherActions} {
		for name := range strings.FieldsSeq(names) {
			m["s3:"+strings.ToLower(name)] = kind
		}
	}
	return m
}()

const bucketActions = `CreateBucket DeleteBucket DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration
GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration
GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite
GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration
GetMetricsConfiguration GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions
CreateBucketMetadataTableConfiguration DeleteBucketMetadataTableConfiguration UpdateBucketMetadataInventoryTableConfiguration
UpdateBucketMetadataJournalTableConfiguration PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl
PutBucketCORS PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls
PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite
PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration
PutMetricsConfiguration PutReplicationConfiguration CreateSession TagResource UntagResource ListTagsForResource
ListenBucketNotification`

const objectActions = `AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging
GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication
GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner
PutObject PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging
RenameObject ReplicateDelete ReplicateObject ReplicateTags RestoreObject SelectObjectContent UpdateObjectEncryption
GetObjectAnnotation PutObjectAnnotation DeleteObjectAnnotation ListObjectAnnotations`

const otherActions = `ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock CreateAccessPoint DeleteAccessPoint
GetAccessPoint GetAccessPointPolicy GetAccessPointPolicyStatus PutAccessPointPolicy DeleteAccessPointPolicy ListAccessPoints
CreateJob DescribeJob ListJobs UpdateJobPriority UpdateJobStatus GetJobTagging PutJobTagging DeleteJobTagging`

// Actions lists the known actions, in lower case and without order.
func Actions() []string {
	list := make([]string, 0, len(actions))
	for a := range actions {
		list = append(list, a)
	}
	return list
}

// actionsLike gives what the actions that match a pattern (in lower case) are about.
func actionsLike(pattern string) map[on]bool {
	if kind, ok := actions[pattern]; ok {
		return map[on]bool{kind: true}
	}
	kinds := map[on]bool{}
	if !hasWildcard(pattern) {
		return kinds
	}
	for a, kind := range actions {
		if wildcard(pattern, a) {
			kinds[kind] = true
		}
	}
	return kinds
}

// checkFit refuses a statement with an action that none of its resources can have.
func (s *statement) checkFit(bucket string) error {
	if s.actions.not || s.resources.not {
		return nil
	}
	toBucket, toKeys := false, false
	for _, r := range s.resources.list {
		toBucket = toBucket || coversBucket(r, bucket)
		toKeys = toKeys || coversKeys(r, bucket)
	}
	for _, a := range s.actions.list {
		kinds := actionsLike(a)
		if !(kinds[bucketAction] && toBucket || kinds[objectAction] && toKeys) {
			return &Error{"Action does not apply to any resource(s) in statement"}
		}
	}
	return nil
}
