// Package sse is server-side encryption as S3 has it: what a row says of how its object is encrypted (Info), and which key
// that takes (Keys).
//
//	scheme   the data key is wrapped by
//	S3       the server's master key
//	KMS      a named key of the key ring; "aws/s3", when the ring has none of that name, is the master key
//	Customer the key that came with the request. What is kept of it is a salted hash, to tell the right key from a wrong one
//
// Access is what a caller may do with one object's bytes: seal new ones, open old ones. Two Accesses are of the Same key when
// bytes that were sealed for one may be given to the other by reference.
package sse
