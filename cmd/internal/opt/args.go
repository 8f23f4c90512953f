package opt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// flagValue gives a flag's text to a function. It remembers the first error, which pflag would wrap with the text.
type flagValue struct {
	p   *flagParser
	set func(string) error
}

func (v flagValue) String() string { return "" }
func (v flagValue) Type() string   { return "value" }
func (v flagValue) Set(text string) error {
	err := v.set(text)
	if err != nil && v.p.err == nil {
		v.p.err = err
	}
	return err
}

type flagParser struct {
	*parser
	set *pflag.FlagSet
	err error
}

// flags parses arguments and returns those that are no flags.
func (p *parser) flags(args []string) ([]string, error) {
	f := &flagParser{parser: p, set: pflag.NewFlagSet("mount", pflag.ContinueOnError)}
	f.set.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "-", "_"))
	})
	f.set.Usage = func() {}
	f.options()
	f.common()
	if p.Form == Helper {
		f.helper()
	} else {
		f.command()
	}
	if err := f.set.Parse(args); err != nil {
		return nil, f.explain(err)
	}
	return f.set.Args(), nil
}

// options makes a long flag of every row.
func (f *flagParser) options() {
	for name, o := range f.byName {
		flag := f.set.VarPF(flagValue{f, func(v string) error { return f.give(o, v, "option --"+name) }}, name, "", "")
		if o.bare != nil {
			flag.NoOptDefVal = *o.bare
		}
	}
}

// common are the flags of both forms.
func (f *flagParser) common() {
	f.set.VarP(flagValue{f, f.words}, "options", "o", "")
	f.on("help", "h", func() { f.m.Help = true })
	f.on("version", "V", func() { f.m.Version = true })
}

// command are the flags of s3fs.
func (f *flagParser) command() {
	f.on("foreground", "f", func() { f.m.Foreground = true })
	f.on("single_thread", "s", func() {})
	f.on("debug", "d", f.debug)
	f.on("incomplete_mpu_list", "u", func() { f.m.Uploads.List = true })
	f.on("json", "", func() { f.m.Uploads.JSON = true })
	abort := f.set.VarPF(flagValue{f, f.abortUploads}, "incomplete_mpu_abort", "", "")
	abort.NoOptDefVal = "24H"
}

// helper are the flags that mount(8) gives to a helper (mount(8), EXTERNAL HELPERS).
func (f *flagParser) helper() {
	f.on("sloppy", "s", func() { f.sloppy = true })
	f.on("fake", "f", func() { f.m.Fake = true })
	f.on("no_mtab", "n", func() {})
	f.on("verbose", "v", func() { f.m.Verbose = true })
	f.on("debug", "d", f.debug)
	f.set.VarP(flagValue{f, func(ns string) error {
		return fmt.Errorf("flag -N %s: another mount namespace is not supported; use nsenter", ns)
	}}, "namespace", "N", "")
	f.set.VarP(flagValue{f, func(string) error { return nil }}, "types", "t", "")
}

// on adds a switch.
func (f *flagParser) on(name, short string, do func()) {
	flag := f.set.VarPF(flagValue{f, func(v string) error {
		on, err := parseBool(v)
		if on {
			do()
		}
		return err
	}}, name, short, "")
	flag.NoOptDefVal = "1"
}

// explain turns an error of pflag into one line for the user.
func (f *flagParser) explain(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	switch {
	case f.err != nil:
		return f.err
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return f.unknownOption(unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown flag -%s: see \"pail help mount\"", unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		name := missing.GetFlag().Name
		if o := f.byName[name]; o != nil {
			return fmt.Errorf("option --%s needs a value: --%s=%s", name, name, o.arg)
		}
		return fmt.Errorf("flag --%s needs a value", name)
	}
	return err
}

// abortUploads reads "all" or an age as s3fs has it: "1Y6M10D12h30m30s", years of 365 and months of 30 days.
func (f *flagParser) abortUploads(v string) error {
	f.m.Uploads.Abort = true
	if strings.EqualFold(v, "all") {
		f.m.Uploads.Age = 0
		return nil
	}
	age, ok := parseAge(v)
	if !ok {
		return fmt.Errorf("option --incomplete-mpu-abort: %q must be all, or an age as in 24h or 1Y6M10D12h30m30s", v)
	}
	f.m.Uploads.Age = age
	return nil
}

func parseAge(v string) (time.Duration, bool) {
	const day, most = 24 * time.Hour, 200 * 365 * 24 * time.Hour
	units := map[byte]time.Duration{'Y': 365 * day, 'M': 30 * day, 'D': day, 'H': time.Hour, 'h': time.Hour, 'm': time.Minute,
		's': time.Second}
	var age time.Duration
	for v != "" {
		i := strings.IndexFunc(v, func(r rune) bool { return r < '0' || r > '9' })
		if i <= 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(v[:i], 10, 64)
		unit := units[v[i]]
		if err != nil || unit == 0 || n > int64((most-age)/unit) {
			return 0, false
		}
		age += time.Duration(n) * unit
		v = v[i+1:]
	}
	return age, age > 0
}
