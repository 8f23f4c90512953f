// Package postform reads the forms by which browsers upload to S3 (POST Object): the multipart body, and the policy that
// says what a form may contain. It is pure: it authenticates nobody and stores nothing.
//
// Read takes the fields before the file, which are bounded, and gives the file as a stream that ends without error only
// at its boundary. What follows the file is never read, as at AWS. Field names are in lower case; of a field that comes
// twice the first counts, here and for the policy.
//
// ParsePolicy and Check hold the fields against the policy: every field must be named by a condition, but for those that
// sign and x-ignore-*, and every condition must hold. Errors are *s3err.Error with AWS's codes and words.
//
// Source: "Browser-based uploads using POST" in the S3 API reference.
package postform
