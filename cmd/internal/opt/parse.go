package opt

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// Form is the meaning that arguments have.
type Form int

const (
	Command Form = iota // "pail mount", "pail BUCKET MOUNTPOINT", and the name s3fs
	Helper              // the program that mount(8) calls for a type: /sbin/mount.TYPE
)

// FormOf tells the form by the name under which the program was called.
func FormOf(argv0 string) Form {
	if strings.HasPrefix(filepath.Base(argv0), "mount.") {
		return Helper
	}
	return Command
}

// Context is what parsing depends on besides the arguments. Nil functions ask the machine.
type Context struct {
	Form        Form
	Env         func(name string) string
	LookupUser  func(name string) (*user.User, error)
	LookupGroup func(name string) (*user.Group, error)

	NoMountpoint bool // for a command that works on a bucket
}

// ParseArgs reads the arguments, without the program's name and the word "mount", in the machine's context. Errors are
// one line for the user.
func ParseArgs(form Form, args []string) (Mount, error) { return Context{Form: form}.Parse(args) }

// Parse reads the environment and the arguments, and checks that they fit together.
func (c Context) Parse(args []string) (Mount, error) {
	p := newParser(c)
	if err := p.defaults(); err != nil {
		return Mount{}, err
	}
	if err := p.environment(); err != nil {
		return Mount{}, err
	}
	rest, err := p.flags(args)
	if err != nil {
		return Mount{}, err
	}
	if p.m.Help || p.m.Version {
		return *p.m, nil
	}
	if err := p.finish(rest); err != nil {
		return Mount{}, err
	}
	return *p.m, nil
}

// parser collects a Mount.
type parser struct {
	Context
	m            *Mount
	rows         []option
	byName       map[string]*option
	seen         map[string]bool // rows given in arguments
	explicit     bool            // not setting defaults
	sloppy       bool            // helper's -s
	unknown      []error
	bucketOption string
	subdir       string
}

func newParser(c Context) *parser {
	if c.Env == nil {
		c.Env = os.Getenv
	}
	if c.LookupUser == nil {
		c.LookupUser = user.Lookup
	}
	if c.LookupGroup == nil {
		c.LookupGroup = user.LookupGroup
	}
	rows := table()
	return &parser{Context: c, rows: rows, byName: index(rows), seen: map[string]bool{}, m: &Mount{
		LogTime: true, KernelAttrTTL: -1 * time.Second, KernelEntryTTL: -1 * time.Second, KernelNegativeTTL: -1 * time.Second,
	}}
}

// defaults sets what the table says.
func (p *parser) defaults() error {
	for i := range p.rows {
		if o := &p.rows[i]; o.def != "" && o.set != nil {
			if err := o.set(p, o.def); err != nil {
				return fmt.Errorf("default of option %s: %w", o.name, err)
			}
		}
	}
	p.m.LogTime = p.Env("S3FS_MSGTIMESTAMP") != "no"
	p.explicit = true
	return nil
}

// environment applies the PAIL_ variables.
func (p *parser) environment() error {
	for i := range p.rows {
		o := &p.rows[i]
		name := o.env()
		if name == "" {
			continue
		}
		if v := p.Env(name); v != "" {
			if err := p.give(o, v, "environment variable "+name); err != nil {
				return err
			}
		}
	}
	clear(p.seen) // arguments may contradict the environment
	return nil
}

// words applies the argument of a -o.
func (p *parser) words(list string) error {
	for _, word := range splitWords(list) {
		name, value, valued := strings.Cut(word, "=")
		if err := p.word(name, value, valued); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) word(name, value string, valued bool) error {
	switch name {
	case "":
		if valued {
			return fmt.Errorf("option without a name: %q", "="+value)
		}
		return nil
	case "-d", "-f", "-s", "debug": // seen in fstab files
		if name == "-d" || name == "debug" {
			setLogLevel(p.m, "debug") // and stay in the background: mount -a would wait for a foreground for ever
		}
		return nil
	}
	if foreign(name) {
		return nil
	}
	o := p.find(name)
	switch {
	case o == nil:
		p.unknown = append(p.unknown, p.unknownOption(name))
		return nil
	case !valued && o.bare == nil:
		return fmt.Errorf("option %s needs a value: %s=%s", name, name, o.arg)
	case !valued:
		value = *o.bare
	}
	return p.give(o, value, "option "+name)
}

// find looks a name up, with underscores for dashes.
func (p *parser) find(name string) *option {
	if o, ok := p.byName[name]; ok {
		return o
	}
	return p.byName[strings.ReplaceAll(name, "-", "_")]
}

func (p *parser) unknownOption(name string) error {
	if near := nearest(name, p.byName); near != "" {
		return fmt.Errorf("unknown option %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown option %q: see \"pail help mount\"", name)
}

// give applies a value to a row; where names its source for errors.
func (p *parser) give(o *option, value, where string) error {
	if o.status == Refused {
		return fmt.Errorf("%s is refused: %s", where, o.help)
	}
	if !p.seen[o.name] {
		if w := o.warning(value); w != "" {
			p.m.Warnings = append(p.m.Warnings, w)
		}
	}
	p.seen[o.name] = true
	if o.set == nil {
		return nil
	}
	err := o.set(p, value)
	if err != nil && !o.secret && value != "" {
		return fmt.Errorf("%s: %q %w", where, value, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// debug is the flag -d. mount(8) does not get the terminal back from a helper that stays.
func (p *parser) debug() {
	p.m.Foreground = p.Form == Command
	setLogLevel(p.m, "debug")
}

// splitWords splits at commas as libfuse does: a backslash keeps the next character, and with three octal digits
// stands for that byte. Empty words fall out.
func splitWords(list string) []string {
	var words []string
	var b strings.Builder
	end := func() {
		switch word := b.String(); {
		case word == "":
		case len(words) > 0 && isURL(word): // a further one of url=, as no option begins so
			words[len(words)-1] += "," + word
		default:
			words = append(words, word)
		}
		b.Reset()
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == ',':
			end()
		case c == '\\' && i+3 < len(list) && isOctalByte(list[i+1:i+4]):
			b.WriteByte((list[i+1]-'0')<<6 | (list[i+2]-'0')<<3 | (list[i+3] - '0'))
			i += 3
		case c == '\\' && i+1 < len(list):
			i++
			b.WriteByte(list[i])
		default:
			b.WriteByte(c)
		}
	}
	end()
	return words
}

func isOctalByte(s string) bool {
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7'
}

// finish takes the arguments that are no flags, and looks at the whole.
func (p *parser) finish(rest []string) error {
	if len(p.unknown) > 0 && !p.sloppy {
		return p.unknown[0]
	}
	for _, err := range p.unknown {
		p.m.Warnings = append(p.m.Warnings, "ignored "+err.Error())
	}
	source, err := p.positional(rest)
	if err != nil {
		return err
	}
	if p.m.Bucket, p.m.Prefix, err = ParseBucket(source); err != nil {
		return err
	}
	if p.m.Prefix, err = joinSubdir(p.m.Prefix, p.subdir, p.seen["modules"]); err != nil {
		return err
	}
	p.caBundle()
	return p.check()
}

// positional returns the bucket, and sets the mountpoint.
func (p *parser) positional(rest []string) (source string, err error) {
	utility := p.m.Uploads.List || p.m.Uploads.Abort || p.NoMountpoint
	switch {
	case len(rest) == 2 && !utility:
		source, p.m.Mountpoint = rest[0], rest[1]
	case len(rest) == 1 && utility:
		source = rest[0]
	case len(rest) == 1 && p.bucketOption != "":
		p.m.Mountpoint = rest[0]
	case len(rest) == 0 && utility && p.bucketOption != "":
	case len(rest) == 1:
		return "", fmt.Errorf("bucket or mountpoint is missing: there is only %q", rest[0])
	case len(rest) == 0:
		return "", errors.New("bucket and mountpoint are missing: pail mount BUCKET[:/PREFIX] MOUNTPOINT [-o OPTIONS]")
	default:
		return "", fmt.Errorf("unexpected argument %q", rest[len(rest)-1])
	}
	switch {
	case source == "":
		source = p.bucketOption
	case p.seen["bucket"] && strings.TrimRight(p.bucketOption, "/") != strings.TrimRight(trimType(source), "/"):
		return "", fmt.Errorf("option bucket says %q, but the argument %q", p.bucketOption, source)
	}
	if p.m.Mountpoint == "" && !utility {
		return "", errors.New("mountpoint is empty")
	}
	return source, nil
}

// caBundle takes the CA file from the variables that other programs know.
func (p *parser) caBundle() {
	for _, name := range []string{"CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"} {
		if p.m.CABundle == "" {
			p.m.CABundle = p.Env(name)
		}
	}
}

func isURL(word string) bool {
	return strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://")
}
