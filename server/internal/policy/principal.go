package policy

import (
	"regexp"
	"strings"
)

// principals is the Principal or NotPrincipal of a statement.
type principals struct {
	not      bool
	everyone bool
	accounts []string // 12 digits, or as an ARN has them: everybody of the account
	arns     []string
	ids      []string // canonical ids
	others   bool     // services and the like, which no request here comes from
}

var (
	accountForm   = regexp.MustCompile(`^[0-9]{12}$`)
	canonicalForm = regexp.MustCompile(`^[0-9a-f]{32}([0-9a-f]{32})?$`)
	arnForm       = regexp.MustCompile(`^arn:aws:(?:iam|sts)::([0-9]{12}):(root|(?:user|role|assumed-role|federated-user|group)/[\x21-\x7e]+)$`)
)

func (p *principals) match(who Principal) bool { return p.covers(who) != p.not }

func (p *principals) covers(who Principal) bool {
	if p.everyone {
		return true
	}
	if who.Anonymous() {
		return false
	}
	for _, a := range p.accounts {
		// A NotPrincipal that names an account spares its root only: each user must be named beside it (IAM user guide).
		if a == who.AccountID && (!p.not || who.ARN == "arn:aws:iam::"+a+":root") {
			return true
		}
	}
	for _, a := range p.arns {
		if a == who.ARN {
			return true
		}
	}
	for _, id := range p.ids {
		if id == who.CanonicalID {
			return true
		}
	}
	return false
}

var errPrincipal = &Error{"Invalid principal in policy"}

// addAWS takes one value of {"AWS": ...}: "*", an account, a canonical id or an ARN.
func (p *principals) addAWS(v string, known func(name string) bool) error {
	switch m := arnForm.FindStringSubmatch(v); {
	case v == "*":
		p.everyone = true
		return nil
	case accountForm.MatchString(v):
		p.accounts = append(p.accounts, v)
	case canonicalForm.MatchString(v):
		p.ids = append(p.ids, v)
	case m == nil:
		return errPrincipal
	case m[2] == "root":
		v = m[1]
		p.accounts = append(p.accounts, v)
	case strings.ContainsAny(m[2], "*?"):
		return errPrincipal
	case known != nil && !known(m[1]):
		return errPrincipal
	default:
		p.arns = append(p.arns, v)
	}
	if known != nil && !known(v) {
		return errPrincipal
	}
	return nil
}

func (p *principals) addCanonical(v string, known func(string) bool) error {
	if !canonicalForm.MatchString(v) || known != nil && !known(v) {
		return errPrincipal
	}
	p.ids = append(p.ids, v)
	return nil
}
