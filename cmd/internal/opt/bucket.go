package opt

import (
	"errors"
	"fmt"
	"strings"
)

// ParseBucket reads BUCKET[:/PREFIX], also with "s3fs#" or "pail#" before it as old fstab lines have. The prefix comes
// back as "" or with a slash at its end and none at its beginning.
func ParseBucket(source string) (bucket, prefix string, err error) {
	source = trimType(source)
	if strings.Contains(source, "://") {
		return "", "", fmt.Errorf("%q is a URL: give the bucket's name here, and the server with -o url=", source)
	}
	bucket, prefix, found := strings.Cut(source, ":")
	switch {
	case bucket == "":
		return "", "", errors.New("the bucket's name is empty")
	case strings.ContainsAny(bucket, "/\\;!@#$%^&*?|+= \t\r\n\x00"):
		return "", "", fmt.Errorf("bucket name %q has a character that no bucket can have; a prefix is written BUCKET:/PREFIX", bucket)
	case len(bucket) > 255:
		return "", "", fmt.Errorf("bucket name %q is too long", bucket)
	case found && !strings.HasPrefix(prefix, "/"):
		return "", "", fmt.Errorf("the prefix in %q must begin with /: %s:/%s", source, bucket, prefix)
	case strings.IndexByte(prefix, 0) >= 0:
		return "", "", errors.New("the prefix holds a NUL byte")
	}
	return bucket, cleanPrefix(prefix), nil
}

// cleanPrefix turns "/a/b/" into "a/b/" and "/" into "".
func cleanPrefix(prefix string) string {
	prefix = strings.TrimRight(prefix, "/")
	if prefix == "" {
		return ""
	}
	return strings.TrimPrefix(prefix, "/") + "/"
}

func trimType(source string) string {
	for _, typ := range []string{"s3fs#", "pail#"} {
		if rest, ok := strings.CutPrefix(source, typ); ok {
			return rest
		}
	}
	return source
}

// joinSubdir adds the directory of FUSE's module subdir to the prefix.
func joinSubdir(prefix, subdir string, module bool) (string, error) {
	switch {
	case subdir == "" && module:
		return "", errors.New("option modules=subdir needs subdir=DIR")
	case subdir == "":
		return prefix, nil
	case !module:
		return "", errors.New("option subdir needs modules=subdir")
	}
	return prefix + cleanPrefix("/"+strings.TrimLeft(subdir, "/")), nil
}
