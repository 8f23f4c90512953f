// Package seal is the form of encrypted bytes: units of AES-256-GCM chunks, each unit under a data key of its own, which is
// wrapped by another key and kept beside the unit as a label.
//
// # Units
//
// A unit is what is stored in one piece: a blob, or the bytes of a small object. It has an ID that no other unit has. Its
// bytes are cut into chunks of ChunkSize; each becomes Overhead longer, which makes a chunk of package blob: what a CRC
// covers there is what a tag covers here, and a read of some bytes decrypts the chunks that hold them and no others.
//
//	nonce of chunk i   1 if it is the last one, else 0; 3 bytes 0; i as 8 bytes, big-endian
//	associated data    the ID of the unit
//
// A data key is random and encrypts one unit once, so nonces of counted chunks never meet. Chunks that were swapped, left
// out, moved to another unit or cut off at the end do not open.
//
// # Labels
//
// A label names the key that wraps the data key, and holds the wrapped data key:
//
//	version 1, kind of key, length of its name (uvarint), name, length of the context's hash (0 or 32), hash, salt (32),
//	data key encrypted by AES-256-GCM (48)
//
// The wrapping key of one label is HKDF-SHA256 of the key and the label's salt, so it is used once and its nonce is zero.
// Associated data are the unit's ID and the label up to the salt. Since a label says which key it needs, a new key can take
// the place of an old one without a byte being written anew, as long as the old one is kept for reading.
//
// NB: none of this may change within a version; golden_test.go holds it.
package seal
