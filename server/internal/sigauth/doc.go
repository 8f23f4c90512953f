// Package sigauth decides who sent an S3 request, and whether its body is the one that was signed.
//
// A Verifier checks the forms of authentication that S3 knows: Signature V4 in the Authorization header (sigv4.go) or in
// the query of a presigned URL (presign.go), and the older V2 in both places (sigv2.go). A request with none of them is
// Anonymous; what that may do is for others to say. Authenticate returns an Identity, and a Payload that knows how the
// body is to be read: as it is, against a signed SHA-256 (payload.go), or unwrapped from aws-chunked framing with a
// signature per chunk and a trailer (chunked.go, trailer.go). Expect holds the checksums the client announced.
//
// Rules of the package:
//
//   - A body is streamed. Nothing here buffers more than one line of framing, and a reader gives io.EOF only after the
//     last signature, hash and trailer have been verified: what is committed on EOF has been verified as a whole.
//   - The raw path and query are used, as sent. S3 does not normalise paths. A path is canonicalised by decoding it and
//     encoding it again; clients that escape fewer characters sign what they send, so the raw path is the second try.
//   - Every x-amz-* header that is present must be signed, so that nobody on the way can add one.
//   - Signatures and tokens are compared in constant time. Secrets appear in no error and no log.
//   - Errors are *s3err.Error with AWS's codes; errors of the connection pass unchanged.
//
// Sources: "Authenticating Requests (AWS Signature Version 4)" in the S3 API reference with its three pages of examples,
// and "Signing and authenticating REST requests" (V2) in the S3 user guide.
package sigauth
