package policy

import "strings"

// Escaped wildcards: what a variable brought in, or ${*} and ${?}, is taken literally. The bytes cannot occur in UTF-8.
const (
	literalStar     = 0xfe
	literalQuestion = 0xff
)

// wildcard matches s against a pattern where "*" is any bytes and "?" is one character. Its time is at most the product
// of the two lengths, its memory constant.
func wildcard(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += runeLen(s[i:])
		case p < len(pattern) && literal(pattern[p]) == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func literal(c byte) byte {
	switch c {
	case literalStar:
		return '*'
	case literalQuestion:
		return '?'
	}
	return c
}

func runeLen(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}

func hasWildcard(s string) bool { return strings.ContainsAny(s, "*?") }

// overlap reports whether some string matches both patterns. It is used on short patterns only, when a policy is put.
func overlap(a, b string) bool {
	type at struct{ i, j int }
	seen := map[at]bool{}
	var walk func(i, j int) bool
	walk = func(i, j int) bool {
		if seen[at{i, j}] {
			return false
		}
		seen[at{i, j}] = true
		switch {
		case i == len(a) && j == len(b):
			return true
		case i < len(a) && a[i] == '*':
			return walk(i+1, j) || j < len(b) && walk(i, j+1)
		case j < len(b) && b[j] == '*':
			return walk(i, j+1) || i < len(a) && walk(i+1, j)
		case i == len(a) || j == len(b):
			return false
		}
		return (a[i] == b[j] || a[i] == '?' || b[j] == '?') && walk(i+1, j+1)
	}
	return walk(0, 0)
}

// expander gives the function that replaces ${key} by the request's value. ok is false when there is none: then the
// whole pattern matches nothing, as in IAM. Policies of version 2008-10-17 have no variables.
func (p *Policy) expander(r *Request) func(string) (string, bool) {
	return func(s string) (string, bool) {
		if !p.variables || !strings.Contains(s, "${") {
			return s, true
		}
		return expand(s, r)
	}
}

func expand(s string, r *Request) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			return b.String(), true
		}
		value, ok := variable(name, r)
		if !ok {
			return "", false
		}
		b.WriteString(value)
		s = after
	}
}

// variable gives the value of "key" or "key, 'default'".
func variable(name string, r *Request) (string, bool) {
	switch name {
	case "*":
		return string([]byte{literalStar}), true
	case "?":
		return string([]byte{literalQuestion}), true
	case "$":
		return "$", true
	}
	key, fallback, hasFallback := strings.Cut(name, ",")
	values := r.values(canonicalKey(strings.TrimSpace(key)))
	value := ""
	switch {
	case len(values) == 1:
		value = values[0]
	case hasFallback:
		value = strings.Trim(strings.TrimSpace(fallback), "'")
	default:
		return "", false
	}
	value = strings.ReplaceAll(value, "*", string([]byte{literalStar}))
	return strings.ReplaceAll(value, "?", string([]byte{literalQuestion})), true
}

func (r *Request) values(key string) []string {
	if r.Values == nil {
		return nil
	}
	return r.Values(key)
}

// canonicalKey puts a condition key into the form that Request.Values is asked for.
func canonicalKey(key string) string {
	head, tail, ok := strings.Cut(key, "/")
	head = strings.ToLower(head)
	if ok {
		return head + "/" + tail
	}
	return head
}
