// Package s3client is what pail asks of an S3 bucket, and nothing more.
//
// Client is one bucket. The package holds the interface, plain structs, the error type and ETags; it imports neither
// the SDK nor net/http, so that everything above it (the filesystem) can be tested on a fake. Implementations live
// below: awss3 speaks the protocol, retry and limit decorate any Client, memclient is the fake, faultclient injects
// faults, and clienttest holds all of them to the same contract.
//
// Who retries: package retry only. An implementation makes one attempt per call and reports what happened; bodies are
// therefore io.ReadSeekers that the retrier may rewind.
package s3client
