package meta

import (
	"bytes"
	"encoding/binary"
)

// FormatVersion is the version of key layout and records. NB: what a version means must not change; a database of
// another version is refused.
const FormatVersion = 1

// Tables: the first byte of each key. NB: must not change.
const (
	tableFormat    = 0x00
	tableBucket    = 'b' // name
	tableCounter   = 'c' // name
	tableData      = 'd' // ID: bytes of a small object
	tableBlob      = 'f' // ID: references and size of a blob
	tableGrave     = 'e' // ID: a blob that was taken for an orphan; no row may refer to it any more
	tableConfig    = 'g' // bucket, kind: a document of the bucket's configuration
	tableLease     = 'l' // bucket, prefix: who has a lease for reads there
	tableManifest  = 'm' // ID, segment: pieces and parts of a multipart object
	tableNull      = 'n' // bucket, name: ID of the version without one for clients, when it is in tableVersion
	tableObject    = 'o' // bucket, name: current object
	tableUsage     = 'q' // bucket: what it holds, and its quota
	tablePart      = 'p' // upload, number
	tableRefs      = 'r' // table, ID: references of a data or manifest row, when there are several
	tableCompleted = 't' // upload: what its completion answered
	tableUpload    = 'u' // bucket, escaped name, upload
	tableMember    = 's' // ID: a process that uses the database, where several do
	tableVersion   = 'v' // bucket, escaped name, ID: versions that are not current, and delete markers
)

// ID names a data row, a manifest, a blob or an upload. IDs begin with a time, so that rows made one after another
// are neighbours.
type ID [16]byte

// BucketID numbers a bucket; a number is given once.
type BucketID uint64

// FormatKey is the key of the row that holds FormatVersion.
func FormatKey() []byte { return append([]byte{tableFormat}, "format"...) }

// PairKey is the key of the row that tells which data directory belongs to the database, where it does not lie in a directory
// that tells.
func PairKey() []byte { return append([]byte{tableFormat}, "pair"...) }

// ExclusionKey is the key of the row of who has the database alone, which several share otherwise.
func ExclusionKey() []byte { return append([]byte{tableFormat}, "exclusion"...) }

// MasterKeysKey is the key of the row that names the master keys that were used, where several processes use the database.
func MasterKeysKey() []byte { return append([]byte{tableFormat}, "master-keys"...) }

// BucketKey is the key of a bucket. With a prefix of names, it is the prefix of their keys.
func BucketKey(name string) []byte { return append([]byte{tableBucket}, name...) }

// BucketName reads the name from a bucket's key.
func BucketName(key []byte) (name string, ok bool) {
	if len(key) < 1 || key[0] != tableBucket {
		return "", false
	}
	return string(key[1:]), true
}

// CounterKey is the key of a counter.
func CounterKey(name string) []byte { return append([]byte{tableCounter}, name...) }

// ConfigKey is the key of a document of a bucket's configuration. With a prefix of kinds, it is the prefix of their keys.
func ConfigKey(b BucketID, kind string) []byte {
	k := make([]byte, 0, 9+len(kind))
	return append(bucketKey(k, tableConfig, b), kind...)
}

// ConfigKind reads the kind from a configuration's key.
func ConfigKind(key []byte) (kind string, ok bool) {
	if len(key) < 9 || key[0] != tableConfig {
		return "", false
	}
	return string(key[9:]), true
}

// LeaseKey is the key of a lease on a prefix.
func LeaseKey(b BucketID, prefix string) []byte {
	k := make([]byte, 0, 9+len(prefix))
	return append(bucketKey(k, tableLease, b), prefix...)
}

// LeasePrefix reads the prefix from a lease's key.
func LeasePrefix(key []byte) (prefix string, ok bool) {
	if len(key) < 9 || key[0] != tableLease {
		return "", false
	}
	return string(key[9:]), true
}

// UsageKey is the key of what a bucket holds.
func UsageKey(b BucketID) []byte { return bucketKey(make([]byte, 0, 9), tableUsage, b) }

// DataKey is the key of the bytes of a small object.
func DataKey(id ID) []byte { return idKey(tableData, id) }

// BlobKey is the key of the references to a blob.
func BlobKey(id ID) []byte { return idKey(tableBlob, id) }

// GraveKey is the key of the row that says that a blob was removed as an orphan.
func GraveKey(id ID) []byte { return idKey(tableGrave, id) }

// MemberKey is the key of a process that uses the database.
func MemberKey(id ID) []byte { return idKey(tableMember, id) }

// ManifestKey is the key of a segment of a manifest. There is only segment 0 yet.
func ManifestKey(id ID, segment uint32) []byte {
	return binary.BigEndian.AppendUint32(idKey(tableManifest, id), segment)
}

// DataRefsKey and ManifestRefsKey are the keys of the reference counts. A row exists only while the count is above 1:
// most objects are never copied, and need no second row.
func DataRefsKey(id ID) []byte { return append([]byte{tableRefs, tableData}, id[:]...) }

// ManifestRefsKey is as DataRefsKey.
func ManifestRefsKey(id ID) []byte { return append([]byte{tableRefs, tableManifest}, id[:]...) }

// ObjectKey is the key of the current object of that name. With a prefix of names, it is the prefix of their keys.
func ObjectKey(b BucketID, name string) []byte {
	k := make([]byte, 0, 9+len(name))
	return append(bucketKey(k, tableObject, b), name...)
}

// ObjectName reads the name from an object's key.
func ObjectName(key []byte) (name []byte, ok bool) {
	if len(key) < 9 || key[0] != tableObject {
		return nil, false
	}
	return key[9:], true
}

// VersionKey is the key of a version that is not the current object. IDs are such that the newest version comes first.
func VersionKey(b BucketID, name string, id ID) []byte {
	return append(VersionsOf(b, name), id[:]...)
}

// VersionPrefix is the prefix of the keys of the versions of all objects whose name begins with prefix.
func VersionPrefix(b BucketID, prefix string) []byte {
	k := make([]byte, 0, 9+len(prefix)+2+16)
	return appendEscaped(bucketKey(k, tableVersion, b), prefix)
}

// VersionsOf is the prefix of the keys of the versions of exactly that object name.
func VersionsOf(b BucketID, name string) []byte {
	return append(VersionPrefix(b, name), escape, terminator)
}

// ParseVersionKey reads name and ID from a version's key.
func ParseVersionKey(key []byte) (name string, id ID, ok bool) {
	return parseNamed(tableVersion, key)
}

// NullKey is the key of the row that tells which of a name's versions clients know without an ID.
func NullKey(b BucketID, name string) []byte {
	k := make([]byte, 0, 9+len(name))
	return append(bucketKey(k, tableNull, b), name...)
}

// NullName reads the name from such a key.
func NullName(key []byte) (name string, ok bool) {
	if len(key) < 9 || key[0] != tableNull {
		return "", false
	}
	return string(key[9:]), true
}

// UploadKey is the key of an upload in progress.
func UploadKey(b BucketID, name string, id ID) []byte {
	return append(UploadsOf(b, name), id[:]...)
}

// UploadPrefix is the prefix of the keys of all uploads whose object name begins with prefix.
func UploadPrefix(b BucketID, prefix string) []byte {
	k := make([]byte, 0, 9+len(prefix)+2+16)
	return appendEscaped(bucketKey(k, tableUpload, b), prefix)
}

// UploadsOf is the prefix of the keys of the uploads of exactly that object name.
func UploadsOf(b BucketID, name string) []byte {
	return append(UploadPrefix(b, name), escape, terminator)
}

// ParseUploadKey reads name and ID from an upload's key.
func ParseUploadKey(key []byte) (name string, id ID, ok bool) {
	return parseNamed(tableUpload, key)
}

func parseNamed(table byte, key []byte) (name string, id ID, ok bool) {
	if len(key) < 9+2+len(id) || key[0] != table {
		return "", ID{}, false
	}
	n, rest, ok := cutEscaped(key[9:])
	if !ok || len(rest) != len(id) {
		return "", ID{}, false
	}
	return string(n), ID(rest), true
}

// PartKey is the key of a part, 0 <= n < 65536.
func PartKey(upload ID, n int) []byte {
	return binary.BigEndian.AppendUint16(PartPrefix(upload), uint16(n))
}

// PartPrefix is the prefix of the keys of an upload's parts.
func PartPrefix(upload ID) []byte { return idKey(tablePart, upload) }

// PartNumber reads the number from a part's key.
func PartNumber(key []byte) (n int, ok bool) {
	if len(key) != 1+16+2 || key[0] != tablePart {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(key[17:])), true
}

// CompletedKey is the key of the row that remembers a completed upload.
func CompletedKey(upload ID) []byte { return idKey(tableCompleted, upload) }

// A Table is a kind of rows, for walks over all of them.
type Table byte

// The tables that a check of the whole database walks.
const (
	Buckets   Table = tableBucket
	Configs   Table = tableConfig
	Usages    Table = tableUsage
	Objects   Table = tableObject
	Data      Table = tableData
	Blobs     Table = tableBlob
	Manifests Table = tableManifest
	Refs      Table = tableRefs
	Uploads   Table = tableUpload
	Parts     Table = tablePart
	Completed Table = tableCompleted
	Versions  Table = tableVersion
	Graves    Table = tableGrave
	Members   Table = tableMember
	Leases    Table = tableLease
	Nulls     Table = tableNull
)

// Bounds gives the bounds of the table's keys.
func (t Table) Bounds() (lower, upper []byte) { return []byte{byte(t)}, []byte{byte(t) + 1} }

// KeyID reads the ID from the key of a data, blob, manifest or completed-upload row, of a part, a grave or a member.
func KeyID(key []byte) (id ID, ok bool) {
	if len(key) < 1+len(id) {
		return ID{}, false
	}
	return ID(key[1 : 1+len(id)]), true
}

// ParseRefsKey reads the table that a reference count is about, and the ID.
func ParseRefsKey(key []byte) (t Table, id ID, ok bool) {
	if len(key) != 2+len(id) || key[0] != tableRefs {
		return 0, ID{}, false
	}
	return Table(key[1]), ID(key[2:]), true
}

// ParseBucketID reads the bucket from the key of an object, upload or lease.
func ParseBucketID(key []byte) (b BucketID, ok bool) {
	if len(key) < 9 {
		return 0, false
	}
	return BucketID(binary.BigEndian.Uint64(key[1:])), true
}

func idKey(table byte, id ID) []byte {
	k := make([]byte, 1, 1+len(id)+4)
	k[0] = table
	return append(k, id[:]...)
}

func bucketKey(k []byte, table byte, b BucketID) []byte {
	return binary.BigEndian.AppendUint64(append(k, table), uint64(b))
}

// PrefixEnd gives the end (exclusive) of the keys that begin with prefix; nil means that there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

const (
	escape     = 0x00
	escaped    = 0xff // after escape: a 0x00 of the name
	terminator = 0x01 // after escape: the end of the name
)

func appendEscaped(k []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		k = append(k, name[i])
		if name[i] == escape {
			k = append(k, escaped)
		}
	}
	return k
}

// cutEscaped undoes appendEscaped up to the terminator, and gives what follows it.
func cutEscaped(k []byte) (name, rest []byte, ok bool) {
	for i := 0; i < len(k); i++ {
		if k[i] != escape {
			name = append(name, k[i])
			continue
		}
		i++
		if i == len(k) {
			return nil, nil, false
		}
		switch k[i] {
		case escaped:
			name = append(name, escape)
		case terminator:
			return name, k[i+1:], true
		default:
			return nil, nil, false
		}
	}
	return nil, nil, false
}
