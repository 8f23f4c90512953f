// Package cors has the rules of S3's cross-origin resource sharing: which configuration is valid, and which requests of
// other sites' pages it allows (S3 user guide, "Using cross-origin resource sharing (CORS)"). It knows no HTTP server.
//
// The first rule that allows origin, method and all headers decides. Errors are *s3err.Error with S3's words.
package cors
