package opt

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"strings"
)

func setNonEmpty(field *string, v string) error {
	if v == "" {
		return errors.New("needs a value")
	}
	*field = v
	return nil
}

// setEndpoints takes one URL, or several with commas between them.
func setEndpoints(m *Mount, v string) error {
	m.Fallbacks = nil
	var first string
	for i, one := range strings.Split(v, ",") {
		if err := setEndpoint(m, one); err != nil {
			return err
		}
		if i == 0 {
			first = m.Endpoint
		} else {
			m.Fallbacks = append(m.Fallbacks, m.Endpoint)
		}
		if secure := strings.HasPrefix(first, "https:"); secure != strings.HasPrefix(m.Endpoint, "https:") {
			return errors.New("must be all http:// or all https://")
		}
	}
	m.Endpoint = first
	return nil
}

func setEndpoint(m *Mount, v string) error {
	if !strings.HasPrefix(v, "http://") && !strings.HasPrefix(v, "https://") {
		return errors.New("must begin with http:// or https://")
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("is not a URL with a host name")
	case u.User != nil:
		return errors.New("must not hold a user or password: credentials go into a passwd_file")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("must not have a query (?) or fragment (#)")
	}
	m.Endpoint = strings.TrimRight(v, "/")
	return nil
}

func setHost(m *Mount, v string) error {
	if !strings.Contains(v, "://") {
		v = "https://" + v
	}
	m.Fallbacks = nil
	return setEndpoint(m, v)
}

func setRegion(p *parser, v string) error {
	p.m.RegionGiven = p.explicit
	return setNonEmpty(&p.m.Region, v)
}

func setProfile(p *parser, v string) error {
	p.m.ProfileGiven = p.explicit
	return setNonEmpty(&p.m.Profile, v)
}

func setServicePath(m *Mount, v string) error {
	if !strings.HasPrefix(v, "/") {
		return errors.New("must begin with /")
	}
	m.ServicePath = strings.TrimRight(v, "/") + "/"
	return nil
}

// setStorageClass leaves the header out for the default, as s3fs does.
func setStorageClass(m *Mount, v string) {
	m.StorageClass = strings.ToUpper(v)
	if v == "standard" {
		m.StorageClass = ""
	}
}

func setRRS(p *parser, v string) error {
	on, err := parseBool(v)
	if on {
		p.m.StorageClass = "REDUCED_REDUNDANCY"
	}
	return err
}

// setACL leaves the header out for what is the service's default anyway: buckets without ACLs refuse any.
func setACL(m *Mount, v string) {
	if v == "private" {
		v = ""
	}
	m.ACL = v
}

func setIPVersion(m *Mount, v string) {
	m.IPVersion = map[string]int{"ipv4": 4, "ipv6": 6}[v]
}

// setSSE reads s3fs's forms: 1, custom or c, kmsid or k, each of the latter with ":" and a file or id, or a file alone.
func setSSE(p *parser, v string) error {
	kind, rest, _ := strings.Cut(v, ":")
	switch strings.ToLower(kind) {
	case "":
		return errors.New("needs a value")
	case "0":
		p.m.SSE.Mode = ""
	case "1":
		p.m.SSE.Mode = "S3"
	case "kmsid", "k":
		p.m.SSE.Mode, p.m.SSE.KMSKeyID = "KMS", rest
		if rest == "" {
			p.m.SSE.KMSKeyID = p.Env("AWSSSEKMSID")
		}
		if p.m.SSE.KMSKeyID == "" {
			return errors.New("needs the key: kmsid:ID, or $AWSSSEKMSID")
		}
	case "custom", "c":
		return setCustomerKeys(p, rest)
	default:
		return setCustomerKeys(p, v)
	}
	return nil
}

func setCustomerKeys(p *parser, file string) error {
	p.m.SSE.Mode, p.m.SSE.KeyFile, p.m.SSE.Keys = "C", file, nil
	if file == "" {
		for _, key := range splitNonEmpty(p.Env("AWSSSECKEYS")) {
			p.m.SSE.Keys = append(p.m.SSE.Keys, Secret(key))
		}
	}
	return nil
}

func setLoadSSE(p *parser, v string) error {
	if v == "" {
		return errors.New("needs a value")
	}
	p.m.SSE.ReadFiles = append(p.m.SSE.ReadFiles, v)
	return nil
}

func setClientCert(p *parser, v string) error {
	parts := strings.SplitN(v, ":", 5)
	parts = append(parts, "", "", "", "")
	c := ClientCert{Cert: parts[0], CertType: parts[1], Key: parts[2], KeyType: parts[3], Password: Secret(parts[4])}
	if c.Password == "" {
		c.Password = Secret(p.Env("S3FS_SSL_PRIVKEY_PASSWORD"))
	}
	for _, typ := range []*string{&c.CertType, &c.KeyType} {
		if *typ == "" {
			*typ = "PEM"
		}
		if !strings.EqualFold(*typ, "PEM") {
			return errors.New("takes PEM files only")
		}
	}
	if c.Cert == "" {
		return errors.New("needs a certificate file")
	}
	p.m.ClientCert = c
	return nil
}

func setProxy(m *Mount, v string) error {
	if !strings.Contains(v, "://") {
		v = "http://" + v
	}
	u, err := url.Parse(v)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		return errors.New("must be a URL with a host: [http://]HOST[:PORT]")
	}
	m.Proxy = v
	return nil
}

func setModules(_ *parser, v string) error {
	for _, name := range splitNonEmpty(v) {
		if name != "subdir" && name != "iconv" {
			return fmt.Errorf("there is no module %q", name)
		}
		if name == "iconv" {
			return errors.New("names are not converted: only the module subdir is known")
		}
	}
	return nil
}

func setMemoryLimit(p *parser, v string) error {
	n, ok := parseSize(v, mib)
	if !ok || n > math.MaxInt64 || n != 0 && n < 32*mib {
		return errors.New("must be a size of 32M or more, as in 512M or 2G")
	}
	p.m.MemoryLimit = int64(n)
	return nil
}

func setMaxDirty(_ *parser, v string) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n != -1 && (n < 50 || n > math.MaxInt64/mib) {
		return errors.New("must be 50 or more MB, or -1")
	}
	return nil
}

func setNoRename(p *parser, v string) error {
	on, err := parseBool(v)
	p.m.NoCopy = p.m.NoCopy || on
	return err
}

func setBucketSize(p *parser, v string) error {
	n, ok := parseSize(v, 1)
	if !ok || n == 0 {
		return errors.New("must be a size, as in 20000000, 30GB or 45TiB")
	}
	p.m.BucketSize = n
	return nil
}

func setReadOnly(ro bool) func(*parser, string) error {
	return func(p *parser, v string) error {
		on, err := parseBool(v)
		p.m.ReadOnly = on == ro
		return err
	}
}

func setLogLevel(m *Mount, v string) {
	switch v[:2] {
	case "si", "cr":
		m.LogLevel = slog.LevelError + 4
	case "er":
		m.LogLevel = slog.LevelError
	case "wa":
		m.LogLevel = slog.LevelWarn
	case "in":
		m.LogLevel = slog.LevelInfo
	default:
		m.LogLevel = slog.LevelDebug
	}
}

func setHTTPLog(_ *parser, v string) error {
	if v != "normal" && v != "body" {
		return errors.New("must be normal or body")
	}
	return nil
}

func setNoTime(p *parser, v string) error {
	off, err := parseBool(v)
	p.m.LogTime = !off
	return err
}

func lookupUser(p *parser, name string) (string, error) {
	u, err := p.LookupUser(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func lookupGroup(p *parser, name string) (string, error) {
	g, err := p.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// splitNonEmpty splits at colons.
func splitNonEmpty(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ':' })
}
