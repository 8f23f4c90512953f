package policy

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is one key under one operator. Its values are alternatives; for a negated operator none of them may match.
//
//	key has no values   positive operator   no match
//	                    negated operator    match
//	                    ...IfExists         match
//	                    ForAllValues:       match
//	                    ForAnyValue:        no match
type condition struct {
	op       operator
	quality  quantifier
	ifExists bool
	null     bool
	key      string // canonical
	values   []string
}

// quantifier says how the several values of a request's key count.
type quantifier int

const (
	single quantifier = iota // any of them, and none of them for a negated operator
	forAll                   // each of them
	forAny                   // at least one of them
)

// The kinds of values that a policy may give.
const (
	kindText = "text"
	kindNum  = "number"
	kindDate = "date"
	kindBool = "bool"
	kindIP   = "ip"
)

// operator is a comparison, without its negation.
type operator struct {
	kind   string // what the policy's values must be
	negate bool
	equal  func(have, want string) bool
}

// operators is never written to.
var operators = map[string]operator{
	"StringEquals":              {kindText, false, func(a, b string) bool { return a == unescapeLiteral(b) }},
	"StringNotEquals":           {kindText, true, func(a, b string) bool { return a == unescapeLiteral(b) }},
	"StringEqualsIgnoreCase":    {kindText, false, equalFold},
	"StringNotEqualsIgnoreCase": {kindText, true, equalFold},
	"StringLike":                {kindText, false, like},
	"StringNotLike":             {kindText, true, like},
	"BinaryEquals":              {kindText, false, func(a, b string) bool { return a == b }},
	"ArnEquals":                 {kindText, false, arnLike},
	"ArnLike":                   {kindText, false, arnLike},
	"ArnNotEquals":              {kindText, true, arnLike},
	"ArnNotLike":                {kindText, true, arnLike},
	"NumericEquals":             {kindNum, false, number(func(c int) bool { return c == 0 })},
	"NumericNotEquals":          {kindNum, true, number(func(c int) bool { return c == 0 })},
	"NumericLessThan":           {kindNum, false, number(func(c int) bool { return c < 0 })},
	"NumericLessThanEquals":     {kindNum, false, number(func(c int) bool { return c <= 0 })},
	"NumericGreaterThan":        {kindNum, false, number(func(c int) bool { return c > 0 })},
	"NumericGreaterThanEquals":  {kindNum, false, number(func(c int) bool { return c >= 0 })},
	"DateEquals":                {kindDate, false, date(func(c int) bool { return c == 0 })},
	"DateNotEquals":             {kindDate, true, date(func(c int) bool { return c == 0 })},
	"DateLessThan":              {kindDate, false, date(func(c int) bool { return c < 0 })},
	"DateLessThanEquals":        {kindDate, false, date(func(c int) bool { return c <= 0 })},
	"DateGreaterThan":           {kindDate, false, date(func(c int) bool { return c > 0 })},
	"DateGreaterThanEquals":     {kindDate, false, date(func(c int) bool { return c >= 0 })},
	"Bool":                      {kindBool, false, equalFold},
	"IpAddress":                 {kindIP, false, inNetwork},
	"NotIpAddress":              {kindIP, true, inNetwork},
}

// unescapeLiteral gives back the wildcards that a variable brought into a value that is compared as it is.
func unescapeLiteral(s string) string {
	if strings.IndexByte(s, literalStar) < 0 && strings.IndexByte(s, literalQuestion) < 0 {
		return s
	}
	b := []byte(s)
	for i := range b {
		b[i] = literal(b[i])
	}
	return string(b)
}

func equalFold(a, b string) bool { return strings.EqualFold(a, unescapeLiteral(b)) }

func like(have, want string) bool { return wildcard(want, have) }

// arnLike compares the six parts of an ARN, each with its own wildcards.
func arnLike(have, want string) bool {
	h, w := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	if len(h) != 6 || len(w) != 6 {
		return want == "*"
	}
	for i := range h {
		if !wildcard(w[i], h[i]) {
			return false
		}
	}
	return true
}

func number(test func(int) bool) func(have, want string) bool {
	return func(have, want string) bool {
		a, err1 := strconv.ParseFloat(have, 64)
		b, err2 := strconv.ParseFloat(want, 64)
		switch {
		case err1 != nil || err2 != nil || a != a || b != b:
			return false
		case a < b:
			return test(-1)
		case a > b:
			return test(1)
		}
		return test(0)
	}
}

func date(test func(int) bool) func(have, want string) bool {
	return func(have, want string) bool {
		a, ok1 := parseDate(have)
		b, ok2 := parseDate(want)
		return ok1 && ok2 && test(a.Compare(b))
	}
}

// parseDate reads ISO 8601 in W3C's profile, or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > 4 {
		return time.Unix(n, 0), true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func inNetwork(have, want string) bool {
	a, err := netip.ParseAddr(have)
	n, ok := parseNetwork(want)
	return err == nil && ok && n.Contains(a.Unmap().WithZone(""))
}

func parseNetwork(s string) (netip.Prefix, bool) {
	if n, err := netip.ParsePrefix(s); err == nil {
		return n.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

// fits reports whether v can be a value of that kind. What has a variable in it is not known yet.
func fits(kind, v string) bool {
	if strings.Contains(v, "${") {
		return true
	}
	ok := true
	switch kind {
	case kindNum:
		_, err := strconv.ParseFloat(v, 64)
		ok = err == nil
	case kindDate:
		_, ok = parseDate(v)
	case kindBool:
		ok = strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	case kindIP:
		_, ok = parseNetwork(v)
	}
	return ok
}

// holds decides the condition.
func (c *condition) holds(r *Request, expand func(string) (string, bool)) bool {
	have := r.values(c.key)
	if c.null {
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, "true") == (have == nil) })
	}
	if have == nil {
		switch {
		case c.quality == forAny && !c.ifExists:
			return false
		case c.quality == forAll, c.ifExists:
			return true
		}
		return c.op.negate
	}
	want := make([]string, 0, len(c.values))
	for _, v := range c.values {
		if v, ok := expand(v); ok {
			want = append(want, v)
		}
	}
	matches := func(h string) bool {
		return slices.ContainsFunc(want, func(w string) bool { return c.op.equal(h, w) })
	}
	switch c.quality {
	case forAll:
		return !slices.ContainsFunc(have, func(h string) bool { return matches(h) == c.op.negate })
	case forAny:
		return slices.ContainsFunc(have, func(h string) bool { return matches(h) != c.op.negate })
	}
	return slices.ContainsFunc(have, matches) != c.op.negate
}

// readConditions reads {"Operator": {"key": value or [values]}}.
func readConditions(raw json.RawMessage) ([]condition, error) {
	var ops map[string]json.RawMessage
	if json.Unmarshal(raw, &ops) != nil {
		return nil, &Error{"Invalid value for field Condition"}
	}
	var list []condition
	for name, raw := range ops {
		base, err := parseOperator(name)
		if err != nil {
			return nil, err
		}
		var keys map[string]json.RawMessage
		if json.Unmarshal(raw, &keys) != nil || keys == nil {
			return nil, &Error{"Invalid value for field Condition"}
		}
		for key, raw := range keys {
			c := base
			c.key = canonicalKey(key)
			if c.values, err = scalars(raw); err != nil {
				return nil, err
			}
			if err := c.check(); err != nil {
				return nil, err
			}
			list = append(list, c)
		}
	}
	return list, nil
}

func parseOperator(name string) (condition, error) {
	var c condition
	bad := &Error{"Invalid Condition type : " + name}
	base := name
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.quality = rest, forAll
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.quality = rest, forAny
	}
	if base == "Null" {
		c.null = true
		c.op.kind = kindBool
		if c.quality != single {
			return c, bad
		}
		return c, nil
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	var ok bool
	if c.op, ok = operators[base]; !ok {
		return c, bad
	}
	return c, nil
}

// scalars reads a value or a list of values; numbers and booleans may come without quotes.
func scalars(raw json.RawMessage) ([]string, error) {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	bad := &Error{"Invalid value for field Condition"}
	if dec.Decode(&v) != nil {
		return nil, bad
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]string, len(list))
	for i, item := range list {
		switch item := item.(type) {
		case string:
			out[i] = item
		case json.Number:
			out[i] = item.String()
		case bool:
			out[i] = strconv.FormatBool(item)
		default:
			return nil, bad
		}
	}
	if len(out) == 0 {
		return nil, bad
	}
	return out, nil
}

func (c *condition) check() error {
	if _, ok := keyOf(c.key); !ok {
		return &Error{"Policy has an invalid condition key"}
	}
	for _, v := range c.values {
		if !fits(c.op.kind, v) {
			return &Error{"Policy has an invalid condition value: " + v}
		}
	}
	return nil
}
