package opt

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of rows. field leads to the value's place in Mount.

const (
	mib = 1 << 20
	gib = 1 << 30
)

func ptr[T any](v T) *T { return &v }

// toggle is a switch; "=0" turns it off again.
func toggle(group, name, help string, field func(*Mount) *bool) option {
	return option{name: name, group: group, bare: ptr("1"), help: help, set: func(p *parser, v string) error {
		on, err := parseBool(v)
		*field(p.m) = on
		return err
	}}
}

// word is a string that may not be empty.
func word(group, name, arg, def, help string, field func(*Mount) *string) option {
	return option{name: name, group: group, arg: arg, def: def, help: help, set: func(p *parser, v string) error {
		if v == "" {
			return errors.New("needs a value")
		}
		*field(p.m) = v
		return nil
	}}
}

// number is a whole number from lo to hi.
func number(group, name, def, help string, lo, hi int, field func(*Mount) *int) option {
	return option{name: name, group: group, arg: "N", def: def, help: help, set: func(p *parser, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("must be a whole number from %d to %d", lo, hi)
		}
		*field(p.m) = n
		return nil
	}}
}

// seconds is a duration: a number of seconds, or one with a unit ("90s", "5m").
func seconds(group, name, def, help string, lo time.Duration, field func(*Mount) *time.Duration) option {
	return option{name: name, group: group, arg: "SECONDS", def: def, help: help, set: func(p *parser, v string) error {
		d, ok := parseSeconds(v)
		if !ok || d < lo {
			return fmt.Errorf("must be a number of seconds, at least %v", lo.Seconds())
		}
		*field(p.m) = d
		return nil
	}}
}

// megabytes is a size whose plain number counts MiB, as s3fs does; suffixes count in powers of 1024.
func megabytes(group, name, def, help string, lo, hi int64, field func(*Mount) *int64) option {
	return option{name: name, group: group, arg: "MB", def: def, help: help, set: func(p *parser, v string) error {
		n, ok := parseSize(strings.TrimSuffix(strings.ToUpper(v), "B"), mib)
		if !ok || n < uint64(lo) || n > uint64(hi) {
			return fmt.Errorf("must be %d to %d MB", lo/mib, hi/mib)
		}
		*field(p.m) = int64(n)
		return nil
	}}
}

// choice is one of the given words, in any case of letters.
func choice(group, name, def, help string, words []string, set func(*Mount, string)) option {
	known := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	arg := strings.Join(known, "|")
	if len(known) > 3 {
		arg, help = "NAME", help+": "+strings.Join(known, ", ")
	}
	return option{name: name, group: group, arg: arg, def: def, help: help, set: func(p *parser, v string) error {
		v = strings.ToLower(v)
		if !slices.Contains(words, v) {
			return fmt.Errorf("must be one of %s", strings.Join(known, ", "))
		}
		set(p.m, v)
		return nil
	}}
}

// mask is an octal number of permission bits.
func mask(group, name, help string, field func(*Mount) **uint32) option {
	return option{name: name, group: group, arg: "OCTAL", help: help, set: func(p *parser, v string) error {
		n, err := strconv.ParseUint(v, 8, 32)
		if err != nil || n > 0o777 {
			return errors.New("must be an octal number from 0000 to 0777")
		}
		*field(p.m) = ptr(uint32(n))
		return nil
	}}
}

// owner is a number or a name that lookup resolves.
func owner(group, name, arg, help string, lookup func(*parser, string) (string, error), field func(*Mount) **uint32) option {
	return option{name: name, group: group, arg: arg, help: help, set: func(p *parser, v string) error {
		text := v
		if _, err := strconv.ParseUint(v, 10, 32); err != nil {
			if text, err = lookup(p, v); err != nil {
				return fmt.Errorf("there is no %s %q here", strings.ToLower(arg), v)
			}
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n == math.MaxUint32 {
			return errors.New("must be a name or a number below 4294967295")
		}
		*field(p.m) = ptr(uint32(n))
		return nil
	}}
}

// accepted is a row without an effect of its own.
func accepted(status Status, group, name, reason string) option {
	return option{name: name, group: group, arg: "VALUE", bare: ptr("1"), status: status, help: reason}
}

func parseBool(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "1", "yes", "true", "on", "enable":
		return true, nil
	case "0", "no", "false", "off", "disable":
		return false, nil
	}
	return false, errors.New("is a switch: leave the value out, or give 1 or 0")
}

func parseSeconds(v string) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		const most = 100 * 365 * 24 * 3600
		return time.Duration(n * float64(time.Second)), n >= -most && n <= most
	}
	d, err := time.ParseDuration(v)
	return d, err == nil
}

// parseSize reads a number with an optional suffix: K, Ki, KiB... are powers of 1024, KB... powers of 1000. A plain
// number counts unit.
func parseSize(v string, unit uint64) (uint64, bool) {
	digits := strings.TrimRight(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	suffix := strings.ToUpper(v[len(digits):])
	base := uint64(1024)
	switch {
	case suffix == "":
		return multiply(n, unit)
	case suffix == "B":
		return n, true
	case len(suffix) == 2 && suffix[1] == 'B':
		base = 1000
	case len(suffix) > 1 && suffix[1:] != "I" && suffix[1:] != "IB":
		return 0, false
	}
	power := strings.IndexByte("KMGTPE", suffix[0])
	ok := power >= 0
	for range power + 1 {
		var fits bool
		n, fits = multiply(n, base)
		ok = ok && fits
	}
	return n, ok
}

func multiply(a, b uint64) (uint64, bool) {
	high, low := bits.Mul64(a, b)
	return low, high == 0
}
