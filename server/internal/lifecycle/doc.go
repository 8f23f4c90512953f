// Package lifecycle has the rules by which objects expire (S3 user guide, "Managing the lifecycle of objects"): which
// configuration is valid, and what the rules say about a version. Errors are *s3err.Error with S3's words.
//
// A day can be shortened, so that tests of the whole server see rules at work. Real days end at midnight UTC, as at AWS.
// Rules of transition are checked and kept, and have no effect, since all objects are stored alike.
package lifecycle
