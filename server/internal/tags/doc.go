// Package tags has the rules of S3's tags: how a set of them is written in a header and in XML, and which are valid
// (S3 user guide, "Categorizing your objects using tags"; AWS Billing user guide, "Tag restrictions").
//
// A set keeps the order in which the client gave it, as S3 gives it back. Errors are *s3err.Error with S3's words.
package tags
