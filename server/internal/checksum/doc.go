// Package checksum holds the checksums that S3 keeps of an object: CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5,
// XXHASH64, XXHASH3 and XXHASH128.
//
// An object sent in one request has one checksum over its bytes. A multipart object has one of two types:
//
//   - FULL_OBJECT is the checksum over all bytes. CRCs of the parts combine into it without reading a byte again,
//     because a CRC is linear: Combiner multiplies what came before by x^(8n) modulo the polynomial. Hashes cannot.
//   - COMPOSITE is the checksum of the parts' checksums, one after another in binary, written with "-N" for N parts.
//     CRC64NVME has no such form.
//
// Names, headers and types are those of "Checking object integrity in Amazon S3" in the S3 user guide. A checksum is
// written as base64 of its big-endian bytes, and read strictly: a wrong length, or bits beside the value, are an error.
package checksum
