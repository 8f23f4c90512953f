package links

import (
	"maps"
	"net/url"
	"strings"

	"pail/s3client"
)

// OriginName is the metadata of a file that has come back to its last name: the key of the file, which of its names it was, and the
// ETag of the version that was copied, URL-encoded, and the ctime of the copy, with blanks between. Who stores the file anew does not
// keep it.
const OriginName = "pail-from"

const metaCtime = "ctime" // as package attr writes it

// Origin is what the object of a file's last name says when the bytes have been copied there: which of the names of which file
// it is, and of which version of that it is a copy. As long as the file is there, it is in force, and the object is one of its
// names as a pointer is; without it, the object is the file.
type Origin struct {
	Pointer
	Version s3client.ETag
}

// Meta returns the metadata of a copy, which has a ctime, with that of o; of is not changed.
func (o Origin) Meta(of s3client.Meta) s3client.Meta {
	m := maps.Clone(of)
	m[OriginName] = strings.Join([]string{url.PathEscape(o.Key), o.Name, url.PathEscape(string(o.Version)), of[metaCtime]}, " ")
	return m
}

// ParseOrigin reads metadata. ok is false where it is not that of a copy, or of one that was changed since: whoever changes a
// file and keeps metadata that he does not know, as older mounts do, gives it another ctime.
func ParseOrigin(meta s3client.Meta) (o Origin, ok bool) {
	said, ok := meta[OriginName]
	if !ok { // as with nearly all files
		return Origin{}, false
	}
	fields := strings.Split(said, " ")
	if len(fields) != 4 || fields[1] == "" || fields[3] != meta[metaCtime] {
		return Origin{}, false
	}
	key, err := url.PathUnescape(fields[0])
	if err != nil {
		return Origin{}, false
	}
	version, err := url.PathUnescape(fields[2])
	if err != nil {
		return Origin{}, false
	}
	if _, _, ok := ParseInode(key); !ok {
		return Origin{}, false
	}
	return Origin{Pointer: Pointer{Key: key, Name: fields[1]}, Version: s3client.ETag(version)}, true
}

// ParseName reads the metadata of an object that is a name of a file with several, as long as that is there.
func ParseName(meta s3client.Meta) (Pointer, bool) {
	if p, ok := ParsePointer(meta); ok {
		return p, true
	}
	o, ok := ParseOrigin(meta)
	return o.Pointer, ok
}
