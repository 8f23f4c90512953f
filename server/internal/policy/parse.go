package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Options of Parse.
type Options struct {
	Bucket string // whose policy it is

	// Known tells whether there is an account of that number or canonical id, or a user of that ARN; nil takes any.
	Known func(name string) bool
}

// Bounds of what a policy may have in it: depth of its JSON, bytes of a resource.
const (
	maxJSONDepth = 16
	maxResource  = 2048
)

// Parse reads and checks a policy. The error is an *Error.
func Parse(doc []byte, opt Options) (*Policy, error) {
	if len(doc) > MaxSize {
		return nil, &Error{"Policy exceeds the maximum allowed document size."}
	}
	if len(doc) == 0 || doc[0] != '{' {
		return nil, &Error{"Policies must be valid JSON and the first byte must be '{'"}
	}
	if err := checkJSON(doc); err != nil {
		return nil, &Error{"This policy contains invalid Json"}
	}
	fields, err := object(doc, "Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	p := &Policy{}
	if err := p.readVersion(fields["Version"]); err != nil {
		return nil, err
	}
	if id := fields["Id"]; id != nil {
		if _, err := text(id, "Id"); err != nil {
			return nil, err
		}
	}
	return p, p.readStatements(fields["Statement"], opt)
}

// checkJSON refuses what is no JSON, is nested too deep, or names a field twice.
func checkJSON(doc []byte) error {
	if !utf8.Valid(doc) || !json.Valid(doc) {
		return errors.New("invalid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	return walkJSON(dec, 0)
}

func walkJSON(dec *json.Decoder, depth int) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	if depth >= maxJSONDepth {
		return errors.New("nested too deep")
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := name.(string)
			if seen[key] {
				return fmt.Errorf("field %q twice", key)
			}
			seen[key] = true
		}
		if err := walkJSON(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// object reads a JSON object that has none but the given fields.
func object(doc []byte, allowed ...string) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(doc, &fields); err != nil || fields == nil {
		return nil, &Error{"Policy has invalid syntax"}
	}
	for name := range fields {
		if !slices.Contains(allowed, name) {
			return nil, &Error{"Unknown field " + name}
		}
	}
	return fields, nil
}

func text(raw json.RawMessage, field string) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", &Error{"Invalid value for field " + field}
	}
	return s, nil
}

// texts reads a string or a list of strings.
func texts(raw json.RawMessage, field string) ([]string, error) {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		s, err := text(raw, field)
		return []string{s}, err
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, &Error{"Invalid value for field " + field}
	}
	out := make([]string, len(list))
	for i, item := range list {
		var err error
		if out[i], err = text(item, field); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Policy) readVersion(raw json.RawMessage) error {
	if raw == nil {
		return nil // as 2008-10-17
	}
	v, err := text(raw, "Version")
	if err != nil || v != "2008-10-17" && v != "2012-10-17" {
		return &Error{"The policy must contain a valid version string"}
	}
	p.variables = v == "2012-10-17"
	return nil
}

func (p *Policy) readStatements(raw json.RawMessage, opt Options) error {
	if raw == nil {
		return &Error{"Missing required field Statement"}
	}
	list := []json.RawMessage{raw}
	if bytes.HasPrefix(raw, []byte("[")) {
		if json.Unmarshal(raw, &list) != nil {
			return &Error{"Policy has invalid syntax"}
		}
	}
	if len(list) == 0 {
		return &Error{"Could not parse the policy: Statement is empty!"}
	}
	sids := map[string]bool{}
	for _, item := range list {
		s, sid, err := readStatement(item, opt)
		if err != nil {
			return err
		}
		if sid != "" && sids[sid] {
			return &Error{"Policy has duplicate statement ids: " + sid}
		}
		sids[sid] = true
		p.statements = append(p.statements, s)
	}
	return nil
}

func readStatement(raw json.RawMessage, opt Options) (s statement, sid string, err error) {
	f, err := object(raw, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return s, "", err
	}
	if f["Sid"] != nil {
		if sid, err = text(f["Sid"], "Sid"); err != nil {
			return s, "", err
		}
	}
	if s.deny, err = readEffect(f["Effect"]); err != nil {
		return s, "", err
	}
	raw, not, err := either(f, "Principal")
	if err != nil {
		return s, "", err
	}
	if s.principals, err = readPrincipals(raw, not, opt); err != nil {
		return s, "", err
	}
	if s.actions, err = readActions(f); err != nil {
		return s, "", err
	}
	if s.resources, err = readResources(f, opt.Bucket); err != nil {
		return s, "", err
	}
	if err := s.checkFit(opt.Bucket); err != nil {
		return s, "", err
	}
	if f["Condition"] != nil {
		if s.conditions, err = readConditions(f["Condition"]); err != nil {
			return s, "", err
		}
	}
	return s, sid, s.checkConditions()
}

func readEffect(raw json.RawMessage) (deny bool, err error) {
	if raw == nil {
		return false, &Error{"Missing required field Effect"}
	}
	v, err := text(raw, "Effect")
	if err != nil {
		return false, &Error{"Invalid effect: " + string(raw)}
	}
	switch v {
	case "Allow":
		return false, nil
	case "Deny":
		return true, nil
	}
	return false, &Error{"Invalid effect: " + v}
}

// either gives the field or its negation; exactly one must be there.
func either(f map[string]json.RawMessage, name string) (raw json.RawMessage, not bool, err error) {
	yes, no := f[name], f["Not"+name]
	switch {
	case yes != nil && no != nil:
		return nil, false, &Error{"Policy statement must not contain both " + name + " and Not" + name}
	case yes != nil:
		return yes, false, nil
	case no != nil:
		return no, true, nil
	}
	return nil, false, &Error{"Missing required field " + name}
}

func readPrincipals(raw json.RawMessage, not bool, opt Options) (principals, error) {
	p := principals{not: not}
	if bytes.HasPrefix(raw, []byte(`"`)) {
		v, err := text(raw, "Principal")
		if err != nil || v != "*" {
			return p, errPrincipal
		}
		p.everyone = true
		return p, nil
	}
	var kinds map[string]json.RawMessage
	if json.Unmarshal(raw, &kinds) != nil || len(kinds) == 0 {
		return p, errPrincipal
	}
	for kind, raw := range kinds {
		values, err := texts(raw, "Principal")
		if err != nil || len(values) == 0 {
			return p, errPrincipal
		}
		for _, v := range values {
			if err := p.add(kind, v, opt.Known); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

func (p *principals) add(kind, v string, known func(string) bool) error {
	switch kind {
	case "AWS":
		return p.addAWS(v, known)
	case "CanonicalUser":
		return p.addCanonical(v, known)
	case "Service", "Federated":
		if v == "*" {
			return errPrincipal
		}
		p.others = true
		return nil
	}
	return errPrincipal
}

func readActions(f map[string]json.RawMessage) (patterns, error) {
	raw, not, err := either(f, "Action")
	if err != nil {
		return patterns{}, err
	}
	list, err := texts(raw, "Action")
	if err != nil || len(list) == 0 {
		return patterns{}, &Error{"Policy has invalid action"}
	}
	for i, a := range list {
		list[i] = strings.ToLower(a)
		if len(actionsLike(list[i])) == 0 {
			return patterns{}, &Error{"Policy has invalid action"}
		}
	}
	return patterns{list: list, not: not}, nil
}

func readResources(f map[string]json.RawMessage, bucket string) (patterns, error) {
	raw, not, err := either(f, "Resource")
	if err != nil {
		return patterns{}, err
	}
	bad := &Error{"Policy has invalid resource"}
	list, err := texts(raw, "Resource")
	if err != nil || len(list) == 0 {
		return patterns{}, bad
	}
	for _, r := range list {
		if len(r) > maxResource || r != "*" && !strings.HasPrefix(r, arnPrefix) || !ofBucket(r, bucket) {
			return patterns{}, bad
		}
	}
	return patterns{list: list, not: not}, nil
}

// ofBucket reports whether a resource can be the bucket or something in it. Variables in it can be anything.
func ofBucket(resource, bucket string) bool {
	return coversBucket(resource, bucket) || coversKeys(resource, bucket)
}

func coversBucket(resource, bucket string) bool {
	return wildcard(anyVariable(resource), arnPrefix+bucket)
}

func coversKeys(resource, bucket string) bool {
	head, _, slash := strings.Cut(anyVariable(resource), "/")
	if slash {
		return wildcard(head, arnPrefix+bucket)
	}
	return overlap(head, arnPrefix+bucket+"/*")
}

// anyVariable makes every variable a "*".
func anyVariable(s string) string {
	for {
		before, rest, found := strings.Cut(s, "${")
		_, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return s
		}
		s = before + "*" + after
	}
}
