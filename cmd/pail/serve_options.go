package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"pail/server"
)

// serveUsage is printed above the list of flags.
const serveUsage = `Usage: pail serve [flags]

Runs the S3 server. Nothing needs to be set up: the first start makes the directories, and a random pair of keys in a
passwd file when you give none.

  pail serve                                    http://127.0.0.1:8000, data below --dir
  pail serve --listen :8000 --tls-self-signed s3.example.org
                                                HTTPS for everybody, with a certificate of its own making;
                                                give METADATA/tls/ca.crt to the clients
  pail serve --listen :443 --tls-cert C --tls-key K --passwd-file F
  pail serve --fsck --dir D                     checks all that is stored in D; the server must not run

A passwd file has a line ACCESS_KEY:SECRET_KEY, more pairs as NAME:ACCESS_KEY:SECRET_KEY, and mode 0600; changes are seen
at once. All pairs may do everything, as one account. Several accounts, with users, come from an --accounts file instead:
  {"accounts": [{"name": "alice", "email": "alice@example.org", "keys": [{"access": "A", "secret": "S"}],
                 "users": [{"name": "clerk", "keys": [...]}]}]}
with mode 0600 too; see server/API.md. Nothing is shared with other accounts, or with nobody, until a bucket policy or an
ACL says so. SIGTERM and Ctrl-C let running requests finish; a second one does not wait.

Several servers may be started on the same directories, which may be on a volume that several machines share. One serves;
the others stand by, answer 503, and one takes over when it is gone. With the metadata in PostgreSQL all of them serve:
  PAIL_METADATA=postgres://pail:PASSWORD@db1,db2/pail pail serve --data /shared/data --listen :8000
See docs/HIGH_AVAILABILITY.md.

Every flag can also be given as an environment variable: PAIL_ and its name, as PAIL_LISTEN or PAIL_TLS_CERT. These of
Scality CloudServer are understood where no flag and no PAIL_ variable says otherwise:
  S3DATAPATH, S3METADATAPATH    --data, --metadata
  SCALITY_ACCESS_KEY_ID, SCALITY_SECRET_ACCESS_KEY
                                one pair of keys
  ENDPOINT=HOST[,HOST]          hosts of the service: HOST is path style, BUCKET.HOST virtual-host style
  SSL=TRUE                      --tls-self-signed with the hosts of ENDPOINT
  LISTEN_ADDR=ADDR              --listen ADDR:8000
  LOG_LEVEL=info|debug|trace    --log-level
  REMOTE_MANAGEMENT_DISABLE     nothing: there is no remote management, and there are no default keys

Flags:
`

// fullDay is a day of lifecycle rules.
const fullDay = 24 * time.Hour

// defaultPort is CloudServer's.
const defaultPort = "8000"

// serveOptions are what pail serve was told.
type serveOptions struct {
	listen         []string
	dir            string
	data, metadata string
	database       string // address of a PostgreSQL database, "" for none
	passwordShown  bool   // its password is among the arguments
	passwdFile     string
	accounts       string
	ownership      string
	blockPublic    bool
	tlsCert        string
	tlsKey         string
	selfSigned     []string
	domains        []string
	websiteDomains []string
	websiteListen  []string
	region         string
	metricsListen  string
	lifecycleDay   time.Duration
	logInterval    time.Duration
	logLevel       string
	logFormat      string
	clientTimeout  time.Duration
	maxConnections int
	encryption     string
	masterKeys     string
	kmsKeys        string
	insecureSSEC   bool
	rotate         bool
	noWait         bool
	patience       time.Duration
	fsckOnly       bool
	json           bool

	accessKey, secretKey string // from CloudServer's environment only: a flag would show in ps
}

// errHelp means that help was asked for and printed.
var errHelp = errors.New("help")

// parseServe reads flags and environment. With errHelp, the help is on stdout.
func parseServe(args []string, env func(string) string, stdout io.Writer) (serveOptions, error) {
	var o serveOptions
	flags := o.flagSet(env)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			fmt.Fprint(stdout, serveUsage, flags.FlagUsagesWrapped(100))
			return o, errHelp
		}
		return o, fmt.Errorf("%w; see pail serve --help", err)
	}
	if rest := flags.Args(); len(rest) > 0 {
		return o, fmt.Errorf("serve takes no argument, but got %q; see pail serve --help", rest[0])
	}
	o.passwordShown = hasPassword(o.metadata)
	if err := fromEnvironment(flags, env); err != nil {
		return o, err
	}
	if err := o.fromCloudServer(flags, env); err != nil {
		return o, err
	}
	return o, o.complete()
}

func (o *serveOptions) flagSet(env func(string) string) *pflag.FlagSet {
	f := pflag.NewFlagSet("pail serve", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.SortFlags = false
	f.StringSliceVar(&o.listen, "listen", []string{"127.0.0.1:" + defaultPort}, "`ADDR:PORT` to serve S3 on; may be given several times; port 0 takes a free one")
	f.StringVar(&o.dir, "dir", defaultServeDir(env), "`DIR` of everything the server keeps")
	f.StringVar(&o.data, "data", "", "`DIR` of the bytes of objects (default DIR/data)")
	f.StringVar(&o.metadata, "metadata", "", "`DIR` of the database, of the TLS files and the made credentials (default DIR/metadata); or postgres://USER@HOST[,HOST]/DATABASE, or a file of mode 0600 with that, for several servers that all serve, with the small files in DATA/config")
	f.StringVar(&o.passwdFile, "passwd-file", "", "`FILE` with the credentials (default METADATA/credentials, made when missing)")
	f.StringVar(&o.accounts, "accounts", "", "JSON `FILE` with several accounts and their keys, in place of a passwd file; read again when it changes")
	f.StringVar(&o.ownership, "object-ownership", "ObjectWriter", "who owns objects in new buckets: ObjectWriter (ACLs work, as clients of CloudServer, Ceph and S3 before 2023 expect), BucketOwnerPreferred, or BucketOwnerEnforced (no ACLs, as at AWS since)")
	f.BoolVar(&o.blockPublic, "block-public-access", false, "give new buckets a public access block, as AWS does")
	f.StringVar(&o.tlsCert, "tls-cert", "", "PEM `FILE` with the certificate chain; read again when it changes")
	f.StringVar(&o.tlsKey, "tls-key", "", "PEM `FILE` with the certificate's key")
	f.StringSliceVar(&o.selfSigned, "tls-self-signed", nil, "serve HTTPS for `HOST[,HOST]` with a certificate of pail's own CA, kept in METADATA/tls")
	f.StringSliceVar(&o.domains, "domain", nil, "`HOST[,HOST]` below which the first label of a host name is a bucket")
	f.StringSliceVar(&o.websiteDomains, "website-domain", nil, "`HOST[,HOST]` below which the first label of a host name is a bucket whose website is asked for")
	f.StringSliceVar(&o.websiteListen, "website-listen", nil, "`ADDR:PORT` to serve only websites on; a host that is below no --website-domain is itself the name of a bucket")
	f.StringVar(&o.region, "region", "us-east-1", "`NAME` of the region that requests are signed for")
	f.DurationVar(&o.lifecycleDay, "lifecycle-day", fullDay, "`DURATION` of a day in lifecycle rules; a shorter one is for tests")
	f.DurationVar(&o.logInterval, "access-log-interval", server.DefaultAccessLogInterval, "`DURATION` between deliveries of the access logs that buckets ask for")
	f.StringVar(&o.metricsListen, "metrics-listen", "", "`ADDR:PORT` to serve /live, /ready and /metrics on (default: nowhere)")
	f.StringVar(&o.logLevel, "log-level", "info", "least `LEVEL` to log: debug (every request), info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "text", "`FORMAT` of log lines on stderr: text or json")
	f.DurationVar(&o.clientTimeout, "client-timeout", time.Minute, "`TIME` that a client may be silent within a request, or send next to nothing")
	f.IntVar(&o.maxConnections, "max-connections", server.DefaultMaxConnections, "`NUMBER` of connections of each listener; above it idle ones are closed, then new ones refused with SlowDown")
	f.StringVar(&o.encryption, "default-encryption", "none", "`ALGORITHM` for objects when neither request nor bucket says: none, or AES256 as at AWS")
	f.StringVar(&o.masterKeys, "master-key-file", "", "`FILE` of the keys of AES256 encryption (default METADATA/master-keys, made at first use); without it nothing encrypted can be read")
	f.StringVar(&o.kmsKeys, "kms-keys", "", "`FILE` of the keys of aws:kms encryption, lines NAME:KEY with 32 bytes in base64, mode 0600; read again when it changes")
	f.BoolVar(&o.insecureSSEC, "sse-c-over-http", false, "take customers' keys over plain HTTP from other machines too, as behind a proxy with TLS")
	f.BoolVar(&o.rotate, "rotate-master-key", false, "add a key to the master key file, for what is encrypted from now on, also by a running server, and serve nothing")
	f.BoolVar(&o.noWait, "no-wait", false, "end with an error when another server owns the directories, in place of standing by")
	f.DurationVar(&o.patience, "patience", 10*time.Second, "`TIME` after which a standby takes over from an owner that holds its lock but gives no sign of life")
	f.BoolVar(&o.fsckOnly, "fsck", false, "check every record and every byte, name what is damaged, and serve nothing; exit 0 clean, 1 damaged, 2 not found out")
	f.BoolVar(&o.json, "json", false, "print the outcome of --fsck as JSON")
	return f
}

// defaultServeDir is the system's place for root, and the user's for everybody else.
func defaultServeDir(env func(string) string) string {
	if os.Geteuid() == 0 {
		return "/var/lib/pail"
	}
	if base := env("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "pail")
	}
	if home := env("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "pail")
	}
	return "pail-data"
}

// fromEnvironment sets the flags that were not given from PAIL_*.
func fromEnvironment(flags *pflag.FlagSet, env func(string) string) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "PAIL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := env(name)
		if f.Changed || value == "" || first != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			first = fmt.Errorf("environment variable %s: %w", name, err)
		}
	})
	return first
}

// fromCloudServer takes what CloudServer's container is configured by, where nothing else says it.
func (o *serveOptions) fromCloudServer(flags *pflag.FlagSet, env func(string) string) error {
	unset := func(flag string) bool { return !flags.Changed(flag) }
	if v := env("S3DATAPATH"); v != "" && unset("data") {
		o.data = v
	}
	if v := env("S3METADATAPATH"); v != "" && unset("metadata") {
		o.metadata = v
	}
	if v := env("LISTEN_ADDR"); v != "" && unset("listen") {
		o.listen = []string{net.JoinHostPort(strings.Trim(v, "[]"), defaultPort)}
	}
	hosts := splitHosts(env("ENDPOINT"))
	if unset("domain") {
		o.domains = hosts
	}
	if strings.EqualFold(env("SSL"), "true") && unset("tls-self-signed") && unset("tls-cert") && unset("tls-key") {
		if len(hosts) == 0 {
			return errors.New("SSL=TRUE needs ENDPOINT=HOST, the name to make the certificate for")
		}
		o.selfSigned = hosts
	}
	switch v := strings.ToLower(env("LOG_LEVEL")); {
	case v == "" || !unset("log-level"):
	case v == "trace":
		o.logLevel = "debug"
	default:
		o.logLevel = v
	}
	if unset("passwd-file") && unset("accounts") {
		o.accessKey, o.secretKey = env("SCALITY_ACCESS_KEY_ID"), env("SCALITY_SECRET_ACCESS_KEY")
		if (o.accessKey == "") != (o.secretKey == "") {
			return errors.New("SCALITY_ACCESS_KEY_ID and SCALITY_SECRET_ACCESS_KEY must both be set, or neither")
		}
	}
	return nil
}

func splitHosts(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// complete fills in what follows from the rest, and refuses what cannot be.
func (o *serveOptions) complete() error {
	if o.data == "" {
		o.data = filepath.Join(o.dir, "data")
	}
	if err := o.splitDatabase(); err != nil {
		return err
	}
	if o.metadata == "" {
		o.metadata = filepath.Join(o.dir, "metadata")
	}
	for _, addr := range slices.Concat(o.listen, o.websiteListen, o.metricsAddrs()) {
		if err := checkListen(addr); err != nil {
			return err
		}
	}
	switch {
	case len(o.listen) == 0:
		return errors.New("--listen is empty: give an ADDR:PORT")
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return errors.New("--tls-cert and --tls-key must be given together")
	case o.tlsCert != "" && len(o.selfSigned) > 0:
		return errors.New("--tls-self-signed makes a certificate: leave it out, or --tls-cert and --tls-key")
	case o.logFormat != "text" && o.logFormat != "json":
		return fmt.Errorf("--log-format %q: give text or json", o.logFormat)
	case o.clientTimeout < time.Second:
		return fmt.Errorf("--client-timeout %v: give a second or more", o.clientTimeout)
	case o.maxConnections < 1:
		return fmt.Errorf("--max-connections %d: give 1 or more", o.maxConnections)
	case o.encryption != "none" && o.encryption != "AES256":
		return fmt.Errorf("--default-encryption %q: give none or AES256", o.encryption)
	case o.rotate && o.fsckOnly:
		return errors.New("--rotate-master-key and --fsck: give one of them")
	case o.patience < 3*time.Second:
		return fmt.Errorf("--patience %v: give 3s or more; the owner gives a sign of life each second", o.patience)
	case o.json && !o.fsckOnly:
		return errors.New("--json is the form of what --fsck prints: give both")
	case o.logInterval <= 0:
		return errors.New("--access-log-interval must be longer than nothing")
	case o.lifecycleDay <= 0 || o.lifecycleDay > fullDay:
		return errors.New("--lifecycle-day is longer than nothing, and 24h at most")
	case o.accounts != "" && o.passwdFile != "":
		return errors.New("--accounts takes the place of --passwd-file: give one of them")
	case !slices.Contains([]string{"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"}, o.ownership):
		return fmt.Errorf("--object-ownership %q: give BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter", o.ownership)
	case o.region == "":
		return errors.New("--region is empty: give a name, as us-east-1")
	}
	_, err := parseLevel(o.logLevel)
	return err
}

// splitDatabase looks whether --metadata is the address of a database, or a file that holds one.
func (o *serveOptions) splitDatabase() error {
	info, err := os.Stat(o.metadata)
	switch {
	case isDatabase(o.metadata):
		o.database = o.metadata
	case err == nil && info.Mode().IsRegular():
		if info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("--metadata %s: others can read the file: chmod 600", o.metadata)
		}
		text, err := os.ReadFile(o.metadata)
		if err != nil {
			return fmt.Errorf("--metadata: %w", err)
		}
		if o.database = strings.TrimSpace(string(text)); !isDatabase(o.database) {
			return fmt.Errorf("--metadata %s: the file does not hold an address postgres://USER@HOST/DATABASE", o.metadata)
		}
	default:
		return nil
	}
	o.metadata = filepath.Join(o.data, "config")
	return nil
}

func isDatabase(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

func hasPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil || !isDatabase(address) {
		return false
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

func checkListen(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil && port == "" {
		err = errors.New("missing port")
	}
	if err != nil {
		return fmt.Errorf("%q is no address to listen on: give ADDR:PORT, as 127.0.0.1:8000 or :8000", addr)
	}
	return nil
}

func parseLevel(name string) (slog.Level, error) {
	var level slog.Level
	switch name {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(name))
	}
	return level, fmt.Errorf("log level %q: give debug, info, warn or error", name)
}

// logger writes to stderr.
func (o *serveOptions) logger(stderr io.Writer) *slog.Logger {
	level, _ := parseLevel(o.logLevel) // complete has checked it
	opt := &slog.HandlerOptions{Level: level}
	if o.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(stderr, opt))
	}
	return slog.New(slog.NewTextHandler(stderr, opt))
}
