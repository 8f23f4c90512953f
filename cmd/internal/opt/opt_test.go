package opt_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pail/cmd/internal/opt"
)

var update = flag.Bool("update", false, "write the golden files")

// context has the given variables ("NAME=value"), the user alice (1234) and the group staff (50).
func context(form opt.Form, env ...string) opt.Context {
	return opt.Context{
		Form: form,
		Env: func(name string) string {
			for _, e := range env {
				if v, ok := strings.CutPrefix(e, name+"="); ok {
					return v
				}
			}
			return ""
		},
		LookupUser: func(name string) (*user.User, error) {
			if name != "alice" {
				return nil, errors.New("no such user")
			}
			return &user.User{Uid: "1234"}, nil
		},
		LookupGroup: func(name string) (*user.Group, error) {
			if name != "staff" {
				return nil, errors.New("no such group")
			}
			return &user.Group{Gid: "50"}, nil
		},
	}
}

func parse(t *testing.T, form opt.Form, line string, env ...string) opt.Mount {
	t.Helper()
	m, err := context(form, env...).Parse(strings.Fields(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return m
}

func TestDefaults(t *testing.T) {
	m := parse(t, opt.Command, "b /m")
	want := opt.Mount{
		Bucket: "b", Mountpoint: "/m", Profile: "default", Endpoint: "https://s3.amazonaws.com", ServicePath: "/",
		Region: "us-east-1", DefaultPermissions: true, MIMEFile: "/etc/mime.types", VerifyHostname: true,
		Retries: 5, ConnectTimeout: 30 * time.Second, ReadWriteTimeout: 120 * time.Second, MaxRequests: 10, MaxHeads: 64,
		CacheEntries: 200000, AttrTTL: 10 * time.Second, NegativeCache: true,
		KernelAttrTTL: -time.Second, KernelEntryTTL: -time.Second, KernelNegativeTTL: -time.Second,
		TempDir: "/tmp", KeepFreePercent: 10, MultipartSize: 10 << 20, MultipartThreshold: 25 << 20,
		CopyPartSize: 512 << 20, SingleCopyLimit: 512 << 20, Xattrs: true, PassThrough: true, ReadLeases: true, LogLevel: slog.LevelWarn, LogTime: true,
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

func TestEveryOptionReachesItsField(t *testing.T) {
	const mib = 1 << 20
	u := func(n uint32) *uint32 { return &n }
	for words, check := range map[string]func(opt.Mount) (got, want any){
		"url=http://h:8000//": func(m opt.Mount) (any, any) { return m.Endpoint, "http://h:8000" },
		"url=http://h/,http://i:1": func(m opt.Mount) (any, any) {
			return append(m.Fallbacks, m.Endpoint), []string{"http://i:1", "http://h"}
		},
		"url=http://h,http://i,ro":   func(m opt.Mount) (any, any) { return m.ReadOnly && len(m.Fallbacks) == 1, true },
		"host=h:1":                   func(m opt.Mount) (any, any) { return m.Endpoint, "https://h:1" },
		"host=http://h":              func(m opt.Mount) (any, any) { return m.Endpoint, "http://h" },
		"region=eu-west-1":           func(m opt.Mount) (any, any) { return m.Region + fmt.Sprint(m.RegionGiven), "eu-west-1true" },
		"endpoint=eu-west-1":         func(m opt.Mount) (any, any) { return m.Region, "eu-west-1" },
		"use_path_request_style":     func(m opt.Mount) (any, any) { return m.PathStyle, true },
		"use_path_request_style=0":   func(m opt.Mount) (any, any) { return m.PathStyle, false },
		"servicepath=/a/b":           func(m opt.Mount) (any, any) { return m.ServicePath, "/a/b/" },
		"sigv2":                      func(m opt.Mount) (any, any) { return m.SigV2, true },
		"requester_pays":             func(m opt.Mount) (any, any) { return m.RequesterPays, true },
		"default_acl=Public-Read":    func(m opt.Mount) (any, any) { return m.ACL, "public-read" },
		"default_acl=":               func(m opt.Mount) (any, any) { return m.ACL, "" },
		"default_acl=private":        func(m opt.Mount) (any, any) { return m.ACL, "" },
		"storage_class=glacier_ir":   func(m opt.Mount) (any, any) { return m.StorageClass, "GLACIER_IR" },
		"use_rrs":                    func(m opt.Mount) (any, any) { return m.StorageClass, "REDUCED_REDUNDANCY" },
		"use_rrs=0":                  func(m opt.Mount) (any, any) { return m.StorageClass, "" },
		"use_sse":                    func(m opt.Mount) (any, any) { return m.SSE.Mode, "S3" },
		"use_sse=custom:/k":          func(m opt.Mount) (any, any) { return m.SSE.Mode + m.SSE.KeyFile, "C/k" },
		"use_sse=/k":                 func(m opt.Mount) (any, any) { return m.SSE.Mode + m.SSE.KeyFile, "C/k" },
		"use_sse=c,load_sse_c=/k":    func(m opt.Mount) (any, any) { return m.SSE.Mode + m.SSE.KeyFile, "C/k" },
		"use_sse=kmsid:arn:1":        func(m opt.Mount) (any, any) { return m.SSE.Mode + m.SSE.KMSKeyID, "KMSarn:1" },
		"use_sse=c:/a,load_sse_c=/k": func(m opt.Mount) (any, any) { return m.SSE.ReadFiles, []string{"/k"} },
		"mime=/f":                    func(m opt.Mount) (any, any) { return m.MIMEFile, "/f" },
		"enable_content_md5":         func(m opt.Mount) (any, any) { return m.ContentMD5, true },
		"enable_unsigned_payload":    func(m opt.Mount) (any, any) { return m.UnsignedPayload, true },
		"instance_name=x":            func(m opt.Mount) (any, any) { return m.InstanceName, "x" },
		"passwd_file=/p":             func(m opt.Mount) (any, any) { return m.Passwd, "/p" },
		"profile=x":                  func(m opt.Mount) (any, any) { return m.Profile + fmt.Sprint(m.ProfileGiven), "xtrue" },
		"use_session_token":          func(m opt.Mount) (any, any) { return m.RequireToken, true },
		"iam_role":                   func(m opt.Mount) (any, any) { return m.IAMRole, "auto" },
		"iam_role=r":                 func(m opt.Mount) (any, any) { return m.IAMRole, "r" },
		"ecs":                        func(m opt.Mount) (any, any) { return m.ECS, true },
		"imdsv1only":                 func(m opt.Mount) (any, any) { return m.IMDSv1Only, true },
		"public_bucket=1":            func(m opt.Mount) (any, any) { return m.Public && m.NoCopy, true },
		"public_bucket=0":            func(m opt.Mount) (any, any) { return m.Public || m.NoCopy, false },
		"ca_bundle=/c":               func(m opt.Mount) (any, any) { return m.CABundle, "/c" },
		"no_check_certificate":       func(m opt.Mount) (any, any) { return m.NoCheckCertificate, true },
		"ssl_verify_hostname=0":      func(m opt.Mount) (any, any) { return m.VerifyHostname, false },
		"ssl_verify_hostname=2":      func(m opt.Mount) (any, any) { return m.VerifyHostname, true },
		"ssl_client_cert=c::k:pem:p:w": func(m opt.Mount) (any, any) {
			return m.ClientCert, opt.ClientCert{Cert: "c", CertType: "PEM", Key: "k", KeyType: "pem", Password: "p:w"}
		},
		"proxy=h:3128,proxy_cred_file=/f": func(m opt.Mount) (any, any) { return m.Proxy + m.ProxyCredFile, "http://h:3128/f" },
		"ipresolve=IPv6":                  func(m opt.Mount) (any, any) { return m.IPVersion, 6 },
		"allow_other":                     func(m opt.Mount) (any, any) { return m.AllowOther, true },
		"default_permissions":             func(m opt.Mount) (any, any) { return m.DefaultPermissions, true },
		"default_permissions=0":           func(m opt.Mount) (any, any) { return m.DefaultPermissions, false },
		"nonempty":                        func(m opt.Mount) (any, any) { return m.NonEmpty, true },
		"storage_class=STANDARD":          func(m opt.Mount) (any, any) { return m.StorageClass, "" },
		"uid=1,gid=0":                     func(m opt.Mount) (any, any) { return []*uint32{m.UID, m.GID}, []*uint32{u(1), u(0)} },
		"uid=alice,gid=staff":             func(m opt.Mount) (any, any) { return []*uint32{m.UID, m.GID}, []*uint32{u(1234), u(50)} },
		"umask=0022,mp_umask=77": func(m opt.Mount) (any, any) {
			return []*uint32{m.Umask, m.MountpointUmask}, []*uint32{u(0o22), u(0o77)}
		},
		"modules=subdir,subdir=/x/y/":            func(m opt.Mount) (any, any) { return m.Prefix, "x/y/" },
		"stat_cache_expire=0.5":                  func(m opt.Mount) (any, any) { return m.AttrTTL, 500 * time.Millisecond },
		"max_stat_cache_size=5":                  func(m opt.Mount) (any, any) { return m.CacheEntries, 5 },
		"disable_negative_cache":                 func(m opt.Mount) (any, any) { return m.NegativeCache, false },
		"disable_noobj_cache":                    func(m opt.Mount) (any, any) { return m.NegativeCache, false },
		"enable_negative_cache=0":                func(m opt.Mount) (any, any) { return m.NegativeCache, false },
		"disable_noobj_cache,enable_noobj_cache": func(m opt.Mount) (any, any) { return m.NegativeCache, true },
		"attr_timeout=1,entry_timeout=2,negative_timeout=3": func(m opt.Mount) (any, any) {
			return fmt.Sprint(m.KernelAttrTTL, m.KernelEntryTTL, m.KernelNegativeTTL), "1s 2s 3s"
		},
		"memory_limit=512M":             func(m opt.Mount) (any, any) { return m.MemoryLimit, int64(512 * mib) },
		"memory_limit=1GiB":             func(m opt.Mount) (any, any) { return m.MemoryLimit, int64(1024 * mib) },
		"tmpdir=/t":                     func(m opt.Mount) (any, any) { return m.TempDir, "/t" },
		"cache_size=100":                func(m opt.Mount) (any, any) { return m.CacheSize, int64(100 * mib) },
		"ensure_diskfree=100":           func(m opt.Mount) (any, any) { return m.KeepFreeBytes, int64(100 * mib) },
		"free_space_ratio=5":            func(m opt.Mount) (any, any) { return m.KeepFreePercent, 5 },
		"retries=2":                     func(m opt.Mount) (any, any) { return m.Retries, 2 },
		"connect_timeout=3":             func(m opt.Mount) (any, any) { return m.ConnectTimeout, 3 * time.Second },
		"readwrite_timeout=2m":          func(m opt.Mount) (any, any) { return m.ReadWriteTimeout, 2 * time.Minute },
		"max_thread_count=20":           func(m opt.Mount) (any, any) { return m.MaxRequests, 20 },
		"parallel_count=20":             func(m opt.Mount) (any, any) { return m.MaxRequests, 20 },
		"multireq_max=500":              func(m opt.Mount) (any, any) { return m.MaxHeads, 500 },
		"multipart_size=64":             func(m opt.Mount) (any, any) { return m.MultipartSize, int64(64 * mib) },
		"multipart_size=1GB":            func(m opt.Mount) (any, any) { return m.MultipartSize, int64(1024 * mib) },
		"multipart_threshold=5120":      func(m opt.Mount) (any, any) { return m.MultipartThreshold, int64(5 << 30) },
		"multipart_copy_size=5":         func(m opt.Mount) (any, any) { return m.CopyPartSize, int64(5 * mib) },
		"singlepart_copy_limit=1":       func(m opt.Mount) (any, any) { return m.SingleCopyLimit, int64(mib) },
		"nomultipart":                   func(m opt.Mount) (any, any) { return m.NoMultipart, true },
		"norenameapi":                   func(m opt.Mount) (any, any) { return m.NoCopy, true },
		"compat_dir":                    func(m opt.Mount) (any, any) { return m.CompatDir, true },
		"noacl":                         func(m opt.Mount) (any, any) { return m.NoACLs, true },
		"noacl,acl":                     func(m opt.Mount) (any, any) { return m.NoACLs, false },
		"nospecials":                    func(m opt.Mount) (any, any) { return m.NoSpecials, true },
		"fsname=a":                      func(m opt.Mount) (any, any) { return m.FSName, "a" },
		"stat_cache_interval_expire=60": func(m opt.Mount) (any, any) { return m.AttrTTL, time.Minute },
		"nomixupload":                   func(m opt.Mount) (any, any) { return m.NoMixUpload, true },
		"nocopyapi":                     func(m opt.Mount) (any, any) { return m.NoCopy, true },
		"bucket_size=30GB":              func(m opt.Mount) (any, any) { return m.BucketSize, uint64(30e9) },
		"bucket_size=45TiB":             func(m opt.Mount) (any, any) { return m.BucketSize, uint64(45 << 40) },
		"bucket_size=20000000":          func(m opt.Mount) (any, any) { return m.BucketSize, uint64(20000000) },
		"bucket_size=15EiB":             func(m opt.Mount) (any, any) { return m.BucketSize, uint64(15 << 60) },
		"use_xattr=0":                   func(m opt.Mount) (any, any) { return m.Xattrs, false },
		"logfile=/l":                    func(m opt.Mount) (any, any) { return m.LogFile, "/l" },
		"dbglevel=info":                 func(m opt.Mount) (any, any) { return m.LogLevel, slog.LevelInfo },
		"dbglevel=crit":                 func(m opt.Mount) (any, any) { return m.LogLevel > slog.LevelError, true },
		"no_time_stamp_msg":             func(m opt.Mount) (any, any) { return m.LogTime, false },
		"ro":                            func(m opt.Mount) (any, any) { return m.ReadOnly, true },
		"ro,rw":                         func(m opt.Mount) (any, any) { return m.ReadOnly, false },
		"nodev,nosuid,noatime":          func(m opt.Mount) (any, any) { return m.KernelOptions, []string{"nodev", "nosuid", "noatime"} },
	} {
		m := parse(t, opt.Command, "b /m -o "+words)
		if got, want := check(m); !reflect.DeepEqual(got, want) {
			t.Errorf("-o %s: got %v, want %v", words, got, want)
		}
	}
}

func TestEveryRowIsTested(t *testing.T) {
	// Each row is accepted with a plausible value in all three ways, or refused with its reason in all three.
	values := map[string]string{
		"bucket": "b", "url": "https://h", "host": "h", "servicepath": "/", "default_acl": "private", "storage_class": "standard",
		"use_sse": "1", "ipresolve": "ipv4", "ssl_client_cert": "c", "uid": "1", "gid": "1", "umask": "0", "mp_umask": "0",
		"max_write": "4096", "modules": "subdir", "memory_limit": "64M", "multipart_size": "5", "multipart_threshold": "5",
		"multipart_copy_size": "5", "max_dirty_data": "50", "dbglevel": "info", "curldbg": "body",
	}
	for _, o := range opt.List() {
		value, ok := values[o.Name]
		if !ok {
			value = "1"
		}
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			more := map[string]string{"modules": " -o subdir=x", "subdir": " -o modules=subdir", "proxy_cred_file": " -o proxy=h", "load_sse_c": " -o use_sse=c"}[name]
			for _, line := range []string{"-o " + name + "=" + value, "--" + name + "=" + value,
				"--" + dashes(name) + "=" + value} {
				_, err := context(opt.Command).Parse(strings.Fields("b /m " + line + more))
				if o.Status == opt.Refused {
					if err == nil || !strings.Contains(err.Error(), o.Help) {
						t.Errorf("%s: %v, want the reason", line, err)
					}
				} else if err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
		if o.Help == "" || strings.Contains(o.Help, "TODO") || o.Arg == "" && !o.Bare {
			t.Errorf("row %+v is not complete", o)
		}
	}
}

// dashes writes a long flag as people do.
func dashes(name string) string { return name[:1] + strings.ReplaceAll(name[1:], "_", "-") }

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range opt.List() {
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
	}
}

func TestWordsSeenInRealFstabFilesPass(t *testing.T) {
	m := parse(t, opt.Helper, "s3fs#b:/p /m -o rw,_netdev,allow_other,defaults,auto,noauto,user,users,nouser,nofail,suid,dev,exec,"+
		"relatime,comment=cloudconfig,x-systemd.automount,x-systemd.device-timeout=10,X-mount.mkdir,-d,debug,big_writes,"+
		"kernel_cache,attr_timeout=1,nonempty,use_path_request_style,iam_role,uid=alice,url=http://h/,,uhelper=x")
	if m.Bucket != "b" || m.Prefix != "p/" || m.Mountpoint != "/m" || !m.AllowOther || *m.UID != 1234 || m.IAMRole != "auto" || m.ReadOnly {
		t.Errorf("%+v", m)
	}
	if m.Foreground || m.LogLevel != slog.LevelDebug {
		t.Errorf("debug in an fstab line: foreground %v, level %v", m.Foreground, m.LogLevel)
	}
	if len(m.Warnings) != 0 || !m.NonEmpty {
		t.Errorf("warnings %q, nonempty %v", m.Warnings, m.NonEmpty)
	}
}

func TestDebugStaysInTheForegroundOnlyAsAFlag(t *testing.T) {
	for line, want := range map[string]bool{"b /m -d": true, "b /m --debug": true, "b /m -o debug": false, "b /m -o rw,-d": false, "b /m -f -o debug": true} {
		if m := parse(t, opt.Command, line); m.Foreground != want || m.LogLevel != slog.LevelDebug {
			t.Errorf("%s: foreground %v, level %v", line, m.Foreground, m.LogLevel)
		}
	}
	if m := parse(t, opt.Helper, "b /m -d"); m.Foreground || m.LogLevel != slog.LevelDebug {
		t.Errorf("a helper with -d: foreground %v, level %v", m.Foreground, m.LogLevel)
	}
}

func TestOptionsWithoutEffectSaySoInOneLine(t *testing.T) {
	for _, name := range []string{"list_object_max_keys", "max_read", "max_write", "max_background"} {
		m := parse(t, opt.Command, "b /m -o "+name+"=500,"+name+"=600")
		if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "option "+name+" has no effect here") {
			t.Errorf("%s: warnings %q", name, m.Warnings)
		}
	}
}

func TestFormsOfTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		form opt.Form
		line string
		want func(m opt.Mount) bool
	}{
		{opt.Command, "b /m", func(m opt.Mount) bool { return m.Bucket == "b" && m.Mountpoint == "/m" && m.Prefix == "" }},
		{opt.Command, "b:/p/q/ /m", func(m opt.Mount) bool { return m.Prefix == "p/q/" }},
		{opt.Command, "b:/ /m", func(m opt.Mount) bool { return m.Prefix == "" }},
		{opt.Command, "/m -o bucket=b:/p", func(m opt.Mount) bool { return m.Bucket == "b" && m.Prefix == "p/" && m.Mountpoint == "/m" }},
		{opt.Command, "b /m -o bucket=b", func(m opt.Mount) bool { return m.Bucket == "b" }},
		{opt.Command, "-f b -oro /m -o allow_other -d", func(m opt.Mount) bool {
			return m.Foreground && m.ReadOnly && m.AllowOther && m.LogLevel == slog.LevelDebug
		}},
		{opt.Command, "b /m -s --ro -o=umask=077", func(m opt.Mount) bool { return !m.Foreground && m.ReadOnly && m.Umask != nil }},
		{opt.Command, "b /m --url http://h --use-path-request-style", func(m opt.Mount) bool { return m.Endpoint == "http://h" && m.PathStyle }},
		{opt.Command, "--retries=1 b /m -o retries=2 --retries 3", func(m opt.Mount) bool { return m.Retries == 3 }},
		{opt.Command, "b -- -m", func(m opt.Mount) bool { return m.Mountpoint == "-m" }},
		{opt.Command, "-h", func(m opt.Mount) bool { return m.Help }},
		{opt.Command, "b --version", func(m opt.Mount) bool { return m.Version }},
		{opt.Command, "-u b", func(m opt.Mount) bool { return m.Uploads.List && m.Bucket == "b" }},
		{opt.Command, "--incomplete-mpu-list -o bucket=b", func(m opt.Mount) bool { return m.Uploads.List && m.Bucket == "b" }},
		{opt.Command, "-u --json b:/p", func(m opt.Mount) bool { return m.Uploads.List && m.Uploads.JSON && m.Prefix == "p/" }},
		{opt.Command, "--incomplete-mpu-abort b", func(m opt.Mount) bool { return m.Uploads.Abort && m.Uploads.Age == 24*time.Hour }},
		{opt.Command, "--incomplete-mpu-abort=all b", func(m opt.Mount) bool { return m.Uploads.Abort && m.Uploads.Age == 0 }},
		{opt.Command, "--incomplete-mpu-abort=1D12h30m30s b", func(m opt.Mount) bool { return m.Uploads.Age == 36*time.Hour+30*time.Minute+30*time.Second }},
		{opt.Helper, "b /m -f -n -v -s -t fuse.pail -o rw", func(m opt.Mount) bool { return m.Fake && m.Verbose && !m.Foreground }},
		{opt.Helper, "b /m -sfnv -o ro", func(m opt.Mount) bool { return m.Fake && m.ReadOnly }},
		{opt.Helper, "b /m -o wrong,ro -s", func(m opt.Mount) bool { return m.ReadOnly && len(m.Warnings) == 1 }},
	} {
		if m := parse(t, c.form, c.line); !c.want(m) {
			t.Errorf("%s: %+v", c.line, m)
		}
	}
	for argv0, want := range map[string]opt.Form{"pail": opt.Command, "/usr/bin/s3fs": opt.Command, "/sbin/mount.pail": opt.Helper,
		"mount.fuse.pail": opt.Helper, "/sbin/mount.s3fs": opt.Helper} {
		if opt.FormOf(argv0) != want {
			t.Errorf("form of %s", argv0)
		}
	}
}

func TestCommasAndBackslashes(t *testing.T) {
	m, err := context(opt.Command).Parse([]string{"b", "/m", "-o", `passwd_file=/a\,b=c\\d\054e,fsname=x\y`})
	if err != nil || m.Passwd != `/a,b=c\d,e` || m.FSName != "xy" {
		t.Errorf("%q %q %v", m.Passwd, m.FSName, err)
	}
}

func TestEnvironment(t *testing.T) {
	m := parse(t, opt.Command, "b /m --retries=7", "PAIL_URL=http://e", "PAIL_RETRIES=6", "PAIL_ALLOW_OTHER=1", "PAIL_RO=1",
		"PAIL_PUBLIC_BUCKET=0", "CURL_CA_BUNDLE=/curl", "SSL_CERT_FILE=/ssl", "S3FS_MSGTIMESTAMP=no")
	if m.Endpoint != "http://e" || m.Retries != 7 || !m.AllowOther || m.ReadOnly || m.CABundle != "/curl" || m.LogTime {
		t.Errorf("%+v", m)
	}
	if m := parse(t, opt.Command, "b /m -o ca_bundle=/mine", "CURL_CA_BUNDLE=/curl"); m.CABundle != "/mine" {
		t.Errorf("ca_bundle %q", m.CABundle)
	}
	m = parse(t, opt.Command, "b /m -o use_sse=k,ssl_client_cert=c ", "AWSSSEKMSID=id", "S3FS_SSL_PRIVKEY_PASSWORD=pw")
	if m.SSE.KMSKeyID != "id" || m.ClientCert.Password != "pw" {
		t.Errorf("%+v", m)
	}
	if m := parse(t, opt.Command, "b /m -o use_sse=c", "AWSSSECKEYS=k1:k2"); !slices.Equal(m.SSE.Keys, opt.Secrets{"k1", "k2"}) {
		t.Errorf("%d keys", len(m.SSE.Keys))
	}
	_, err := context(opt.Command, "PAIL_RETRIES=many").Parse([]string{"b", "/m"})
	if err == nil || !strings.Contains(err.Error(), "PAIL_RETRIES") {
		t.Errorf("wrong variable: %v", err)
	}
	if m := parse(t, opt.Command, "b /m", "PAIL_BUCKET=c"); m.Bucket != "b" {
		t.Errorf("the argument loses to PAIL_BUCKET: %s", m.Bucket)
	}
	if m := parse(t, opt.Command, "/m", "PAIL_BUCKET=c:/p"); m.Bucket != "c" || m.Prefix != "p/" {
		t.Errorf("PAIL_BUCKET: %s", m.Bucket)
	}
	if m := parse(t, opt.Command, "b /m -o iam_role", "PAIL_PASSWD_FILE=/p"); m.IAMRole != "auto" {
		t.Error("arguments cannot contradict the environment")
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for line, want := range map[string]string{
		"":                               "bucket and mountpoint are missing",
		"b":                              `bucket or mountpoint is missing: there is only "b"`,
		"b /m x":                         `unexpected argument "x"`,
		"-u b /m":                        `unexpected argument "/m"`,
		"b /m -o stat_cache_expir=1":     `unknown option "stat_cache_expir": did you mean "stat_cache_expire"?`,
		"b /m -o passwdfile=x":           `did you mean "passwd_file"?`,
		"b /m -o allow-othr":             `did you mean "allow_other"?`,
		"b /m -o utl=x":                  `did you mean "url"?`,
		"b /m -o qqqqqqqqqqqq":           `unknown option "qqqqqqqqqqqq": see "pail help mount"`,
		"b /m --stat-cache-expires=1":    `did you mean "stat_cache_expire"?`,
		"b /m -x":                        "unknown flag -x",
		"b /m -o":                        "flag --options needs a value",
		"b /m --url":                     "option --url needs a value: --url=URL",
		"b /m -o url":                    "option url needs a value: url=URL",
		"b /m -o passwd_file=":           "option passwd_file: needs a value",
		"b /m -o =x":                     "option without a name",
		"b /m -o url=ftp://h":            "must begin with http:// or https://",
		"b /m -o url=http://h,https://i": "must be all http://",
		"b /m -o url=http://h,http://":   "is not a URL with a host name",
		"b /m -o url=https://":           "is not a URL with a host name",
		"b /m -o url=https://u:p@h":      "credentials go into a passwd_file",
		"b /m -o url=https://h?x":        "must not have a query",
		"b /m -o servicepath=x":          "must begin with /",
		"b /m -o uid=bob":                `there is no user "bob" here`,
		"b /m -o gid=wheel":              `there is no group "wheel" here`,
		"b /m -o uid=4294967295":         "below 4294967295",
		"b /m -o uid=-1":                 `there is no user "-1"`,
		"b /m -o umask=0888":             "octal number",
		"b /m -o umask=1777":             "octal number",
		"b /m -o retries=x":              `option retries: "x" must be a whole number from 0 to 1000`,
		"b /m -o retries=-1":             "from 0 to 1000",
		"b /m -o multipart_size=4":       "must be 5 to 5120 MB",
		"b /m -o multipart_size=99999999999999999999":              "must be 5 to 5120 MB",
		"b /m -o multipart_size=17592186044417M":                   "must be 5 to 5120 MB",
		"b /m -o max_dirty_data=10":                                "50 or more MB, or -1",
		"b /m -o bucket_size=20ZB":                                 "must be a size",
		"b /m -o bucket_size=16EiB":                                "must be a size",
		"b /m -o bucket_size=-1":                                   "must be a size",
		"b /m -o memory_limit=1M":                                  "32M or more",
		"b /m -o stat_cache_expire=-1":                             "at least 0",
		"b /m -o stat_cache_expire=NaN":                            "number of seconds",
		"b /m -o connect_timeout=soon":                             "number of seconds",
		"b /m -o use_path_request_style=x":                         "is a switch",
		"b /m -o default_acl=secret":                               "must be one of private, public-read",
		"b /m -o storage_class=cheap":                              "must be one of standard",
		"b /m -o use_sse=c":                                        "needs keys",
		"b /m -o use_sse=kmsid":                                    "needs the key",
		"b /m -o use_sse=k:x,url=http://h":                         "needs a url of https://",
		"b /m -o ssl_client_cert=c,url=http://h":                   "needs a url of https://",
		"b /m -o ssl_client_cert=c:DER":                            "PEM files only",
		"b /m -o load_sse_c=/k":                                    "needs use_sse=custom",
		"b /m -o use_sse=c:/k,url=http://h":                        "the key itself travels",
		"b /m -o curldbg=x":                                        "must be normal or body",
		"b /m -o max_read=x":                                       "whole number",
		"b /m -o modules=subdir":                                   "needs subdir=DIR",
		"b /m -o modules=iconv":                                    "only the module subdir",
		"b /m -o subdir=x":                                         "needs modules=subdir",
		"b /m -o proxy_cred_file=/f":                               "needs proxy",
		"b /m -o accessKeyId=AK":                                   "put them into a passwd_file",
		"b /m -o ibm_iam_auth":                                     "HMAC credentials",
		"b /m -o remount":                                          "unmount, and mount again",
		"b /m -o public_bucket,passwd_file=/p":                     "exclude each other",
		"b /m -o public_bucket,iam_role":                           "exclude each other",
		"b /m -o public_bucket,requester_pays":                     "exclude each other",
		"b /m -o iam_role,ecs":                                     "options iam_role and ecs exclude each other",
		"b /m -o sigv2,sigv4":                                      "exclude each other",
		"b /m -o stat_cache_expire=1,stat_cache_interval_expire=1": "exclude each other",
		"b /m -o bucket=c":                                         `option bucket says "c", but the argument "b"`,
		"B /m":                                                     "add -o use_path_request_style",
		"https://h/b /m":                                           "give the bucket's name here",
		"b:p /m":                                                   "must begin with /: b:/p",
		":/p /m":                                                   "name is empty",
		"b/p /m":                                                   "a prefix is written BUCKET:/PREFIX",
		"--incomplete-mpu-abort=x b":                               "must be all, or an age",
		"--incomplete-mpu-abort=99999999999Y b":                    "must be all, or an age",
		"-u --incomplete-mpu-abort b":                              "exclude each other",
		"b /m -N ns":                                               "unknown flag -N",
	} {
		_, err := context(opt.Command).Parse(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant ...%s...", line, err, want)
		}
	}
	if _, err := context(opt.Helper).Parse([]string{"b", "/m", "-N", "/proc/1"}); err == nil || !strings.Contains(err.Error(), "namespace") {
		t.Errorf("-N: %v", err)
	}
	if _, err := context(opt.Command).Parse([]string{"b", ""}); err == nil {
		t.Error("an empty mountpoint passes")
	}
}

func TestSecretsStayOutOfErrorsAndPrints(t *testing.T) {
	for _, line := range []string{"b /m -o ssl_client_cert=c:DER:k:PEM:hushhush", "b /m --proxy=ftp://u:hushhush@h",
		"b /m -o secretAccessKey=hushhush"} {
		if _, err := context(opt.Command).Parse(strings.Fields(line)); err == nil || strings.Contains(err.Error(), "hushhush") {
			t.Errorf("%s: %v", line, err)
		}
	}
	m := parse(t, opt.Command, "b /m -o ssl_client_cert=c::k::hushhush -o use_sse=c", "AWSSSECKEYS=hushhush")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pw", m.ClientCert.Password)
	if text := fmt.Sprintf("%v %+v %#v %s %s", m, m, m, m.ClientCert.Password, log.String()); strings.Contains(text, "hushhush") {
		t.Errorf("a secret is printed: %s", text)
	}
}

func TestObsoleteWarnsOnce(t *testing.T) {
	m := parse(t, opt.Command, "b /m -o fd_page_size=1,fd_page_size=2 --fd-page-size=3 -o check_cache_dir_exist,streamupload,f2,del_cache=0")
	if len(m.Warnings) != 3 || !strings.Contains(m.Warnings[0], "fd_page_size is obsolete") || !strings.Contains(m.Warnings[1], "check_cache_dir_exist has no effect") {
		t.Errorf("%q", m.Warnings)
	}
}

func TestHelpIsAsReviewed(t *testing.T) {
	var b bytes.Buffer
	if err := opt.WriteHelp(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the help text changed; look at it and run go test -update:\n%s", b.String())
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 121 {
			t.Errorf("line of %d: %s", len(line), line)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"b /m -o ro", "b:/p /m --url http://h -o a=b\\,c,uid=alice", "-u b", "b /m -sfnv", "-o=umask=0 b /m",
		"--incomplete-mpu-abort=1Y2M b", "b /m -o use_sse=c:/k,ssl_client_cert=a:b:c:d:e", `b /m -o \054,\,=`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, line string, helper bool) {
		form := opt.Command
		if helper {
			form = opt.Helper
		}
		m, err := context(form).Parse(strings.Fields(line))
		if err == nil && !m.Help && !m.Version && m.Bucket == "" {
			t.Fatalf("%q gives no bucket", line)
		}
	})
}
