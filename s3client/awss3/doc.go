// Package awss3 is s3client.Client over the S3 protocol, and the only importer of the AWS SDK.
//
// Every operation is hand-made on net/http and signed by the SDK's signer: measured against the SDK's own client this
// takes a third of the CPU for small objects and a tenth for listings (the XML is scanned by hand). From the SDK come
// the signer and the sources of credentials.
//
// One call is one attempt (package retry repeats), with two exceptions, both settled once for the life of a client:
// a bucket found to be in another region makes the client adopt it, unless Options.Region was given; and a service
// that refuses checksum headers makes it stop sending them.
//
// Integrity. Bodies carry a CRC64NVME that is computed in a pass before sending (47 GB/s; the body is an
// io.ReadSeeker), and with Options.ContentMD5 an MD5. Over https the payload is not hashed for the signature; over
// plain http small bodies are (SHA-256), larger ones rely on the checksum in the signed header. A whole-object GET is
// verified against the checksum that the service keeps, and every body against its announced length. As the checksum says all
// of what was sent, and nothing here takes the ETag of a part for an MD5, pail's own server is told that it need not
// be one (x-pail-etags); with Options.ContentMD5 it is not, and computes it anyway.
//
// Time limits. There is no limit on a whole request: HTTPOptions.ConnectTimeout bounds dialing and the TLS handshake,
// ReadWriteTimeout the time in which no byte moves in either direction.
//
// Keys are any bytes: they are escaped once, with all but the unreserved characters and "/" as %XX, and the path that
// is signed is the path that is sent.
package awss3
