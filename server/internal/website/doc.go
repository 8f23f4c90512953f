// Package website has the rules of S3's website hosting: which configuration of a bucket is valid, which key a path means,
// and where a visitor is sent instead (S3 user guide, "Hosting a static website using Amazon S3"). It knows no HTTP server.
//
// Of routing rules, the first whose condition holds decides. Those with an error code are asked about when the object
// could not be answered, all others before it is looked for. Errors are *s3err.Error with S3's words.
package website
