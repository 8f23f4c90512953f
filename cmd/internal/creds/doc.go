// Package creds finds the credentials of a mount. The first place that has some wins; the order is s3fs's, with pail's own
// places added:
//
//	option public_bucket               requests are not signed
//	option iam_role, ecs               the role of the EC2 instance or the ECS task
//	option passwd_file
//	option profile, when not the default one
//	environment                        AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or the old names
//	                                   AWSACCESSKEYID, AWSSECRETACCESSKEY, AWSSESSIONTOKEN
//	file named by AWS_CREDENTIAL_FILE  in passwd format
//	~/.aws/credentials, ~/.aws/config  profile "default", or the one that AWS_PROFILE names
//	~/.passwd-pail, ~/.passwd-s3fs
//	/etc/passwd-pail, /etc/passwd-s3fs
//
// A place that is there and broken (open to others, malformed) ends the search with its error: going on would sign with
// credentials that nobody expects. So does a place that was named by an option or a variable and is not there. One that
// may not be read by this user, or has no line for the bucket, is passed over and listed.
//
// Every file is looked at again when it changes, so that rotated keys need no remount; what the AWS files and services
// give is also asked for anew before it expires, and after the service refused it (Invalidate).
package creds
