package policy

import "strings"

// MaxSize is the length of the longest policy, in bytes.
const MaxSize = 20 << 10

// Error is why a document is no policy. Its text is meant for the client.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// Policy is a checked bucket policy.
type Policy struct {
	variables  bool // of version 2012-10-17
	statements []statement
}

type statement struct {
	deny       bool
	principals principals
	actions    patterns // lower case
	resources  patterns
	conditions []condition
}

// patterns is a list of wildcard patterns, or of what must not match.
type patterns struct {
	list []string
	not  bool
}

// Principal is who makes a request. The zero Principal is anonymous.
type Principal struct {
	AccountID   string // 12 digits
	ARN         string // arn:aws:iam::ACCOUNT:root, or :user/NAME
	CanonicalID string
}

// Anonymous reports whether there is nobody behind the request.
func (p Principal) Anonymous() bool { return p.CanonicalID == "" && p.AccountID == "" }

// Request is what is to be decided. Values gives the values of a condition key, whose part before "/" is in lower case;
// nil means that the request does not have the key.
type Request struct {
	Principal Principal
	Action    string // "s3:GetObject"
	Bucket    string
	Key       string // "" for the bucket itself
	Values    func(key string) []string
}

// Decision is what a policy says of a request.
type Decision int

// The decisions. Neutral leaves it to others.
const (
	Neutral Decision = iota
	Allow
	Deny
)

const arnPrefix = "arn:aws:s3:::"

// Evaluate decides a request. A nil Policy is Neutral.
func (p *Policy) Evaluate(r *Request) Decision {
	if p == nil {
		return Neutral
	}
	result := Neutral
	action := strings.ToLower(r.Action)
	resource := arnPrefix + r.Bucket
	if r.Key != "" {
		resource += "/" + r.Key
	}
	for i := range p.statements {
		s := &p.statements[i]
		if !s.deny && result == Allow {
			continue
		}
		if !p.matches(s, r, action, resource) {
			continue
		}
		if s.deny {
			return Deny
		}
		result = Allow
	}
	return result
}

func (p *Policy) matches(s *statement, r *Request, action, resource string) bool {
	if !s.principals.match(r.Principal) || !s.actions.match(action, nil) {
		return false
	}
	expand := p.expander(r)
	if !s.resources.match(resource, expand) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r, expand) {
			return false
		}
	}
	return true
}

// HasDeny reports whether any statement denies.
func (p *Policy) HasDeny() bool {
	if p == nil {
		return false
	}
	for i := range p.statements {
		if p.statements[i].deny {
			return true
		}
	}
	return false
}

// UsesKey reports whether a condition, or a variable in one or in a resource, needs a key that begins with prefix (in
// lower case).
func (p *Policy) UsesKey(prefix string) bool {
	if p == nil {
		return false
	}
	for i := range p.statements {
		s := &p.statements[i]
		for _, res := range s.resources.list {
			if p.variables && strings.Contains(strings.ToLower(res), "${"+prefix) {
				return true
			}
		}
		for _, c := range s.conditions {
			if strings.HasPrefix(c.key, prefix) {
				return true
			}
			for _, v := range c.values {
				if p.variables && strings.Contains(strings.ToLower(v), "${"+prefix) {
					return true
				}
			}
		}
	}
	return false
}

func (p patterns) match(s string, expand func(string) (string, bool)) bool {
	for _, pattern := range p.list {
		if expand != nil {
			var ok bool
			if pattern, ok = expand(pattern); !ok {
				continue
			}
		}
		if wildcard(pattern, s) {
			return !p.not
		}
	}
	return p.not
}
