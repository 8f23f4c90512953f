package policy

import (
	"slices"
	"strings"
)

// Widest networks that do not make a policy public, in bits.
const (
	narrowIPv4 = 8
	narrowIPv6 = 32
)

// narrowing are the keys by whose fixed values AWS takes an Allow for everybody as not public.
var narrowing = []string{"aws:sourceip", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount",
	"aws:principalorgid", "aws:principalorgpaths", "aws:principalarn", "aws:principalaccount", "aws:userid",
	"s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:dataaccesspointarn", "s3:dataaccesspointaccount"}

// IsPublic reports whether the policy allows anything to everybody. A nil Policy does not.
func (p *Policy) IsPublic() bool {
	return p != nil && slices.ContainsFunc(p.statements, func(s statement) bool { return s.public() })
}

func (s *statement) public() bool {
	if s.deny || !s.principals.everyone && !s.principals.not {
		return false
	}
	return !slices.ContainsFunc(s.conditions, condition.narrows)
}

// narrows reports whether the condition leaves fixed values only.
func (c condition) narrows() bool {
	if c.null || c.ifExists || c.op.negate || c.quality == forAll || !slices.Contains(narrowing, c.key) {
		return false
	}
	if c.key == "aws:sourceip" {
		return c.op.kind == kindIP && !slices.ContainsFunc(c.values, wideNetwork)
	}
	return !slices.ContainsFunc(c.values, func(v string) bool {
		if c.key == "aws:userid" && strings.HasSuffix(v, ":*") {
			v = strings.TrimSuffix(v, "*")
		}
		return hasWildcard(v) || strings.Contains(v, "${")
	})
}

func wideNetwork(v string) bool {
	n, ok := parseNetwork(v)
	if !ok {
		return true
	}
	if n.Addr().Is4() {
		return n.Bits() < narrowIPv4
	}
	return n.Bits() < narrowIPv6
}
