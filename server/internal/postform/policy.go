package postform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
)

// Policy is what a form may contain.
type Policy struct {
	expires    time.Time
	conditions []condition
	min, max   int64 // of the file; max -1 for no bound
}

type condition struct {
	op, field, value string // field in lower case, without "$"
	text             string // as the document has it
}

// unsigned are the fields that no condition needs to name, and unchecked prefixes likewise.
var unsigned = []string{"policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"}

const ignoredPrefix = "x-ignore-"

func invalid(format string, args ...any) error {
	return s3err.Newf(s3err.InvalidPolicyDocument, "Invalid Policy: "+format, args...)
}

func denied(format string, args ...any) error {
	return s3err.Newf(s3err.AccessDenied, "Invalid according to Policy: "+format, args...)
}

// ParsePolicy reads the policy field.
func ParsePolicy(field string) (*Policy, error) {
	document, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(field), ""))
	if err != nil {
		return nil, invalid("Invalid Base64.")
	}
	var members map[string]json.RawMessage // not a struct: names are in one case only
	dec := json.NewDecoder(bytes.NewReader(document))
	if err := dec.Decode(&members); err != nil || dec.More() {
		return nil, invalid("Invalid JSON.")
	}
	p := &Policy{max: -1}
	if err := p.readExpiration(members["expiration"]); err != nil {
		return nil, err
	}
	return p, p.readConditions(members["conditions"])
}

func (p *Policy) readExpiration(raw json.RawMessage) (err error) {
	if raw == nil {
		return invalid("Policy missing expiration.")
	}
	var date string
	if json.Unmarshal(raw, &date) != nil {
		return invalid("Invalid 'expiration' value: '%s'", raw)
	}
	if p.expires, err = time.Parse(time.RFC3339, date); err != nil {
		return invalid("Invalid 'expiration' value: '%s'", date)
	}
	return nil
}

func (p *Policy) readConditions(raw json.RawMessage) error {
	var list []json.RawMessage
	if raw == nil || json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return invalid("Policy missing conditions.")
	}
	for _, raw := range list {
		if err := p.add(raw); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) add(raw json.RawMessage) error {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		var exact map[string]any
		if json.Unmarshal(raw, &exact) != nil || len(exact) == 0 {
			return invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
		}
		for field, v := range exact {
			value, ok := v.(string)
			if !ok {
				return invalid("Invalid Simple-Condition: value must be a string.")
			}
			p.conditions = append(p.conditions, condition{op: "eq", field: strings.ToLower(field), value: value,
				text: fmt.Sprintf(`["eq", "$%s", "%s"]`, field, value)})
		}
		return nil
	}
	var list []any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&list) != nil || len(list) != 3 {
		return invalid("Invalid Condition: must be an object or a list of three.")
	}
	op, ok := list[0].(string)
	if !ok {
		return invalid("Invalid Condition: the operation must be a string.")
	}
	op = strings.ToLower(op)
	switch op {
	case "content-length-range":
		return p.addRange(list[1], list[2])
	case "eq", "starts-with":
	default:
		return invalid("Invalid Condition: unknown operation '%s'.", op)
	}
	field, ok1 := list[1].(string)
	value, ok2 := list[2].(string)
	name, ok3 := strings.CutPrefix(field, "$")
	if !ok1 || !ok2 || !ok3 {
		return invalid("Invalid Condition: must name a field as \"$field\" and a string.")
	}
	p.conditions = append(p.conditions, condition{op: op, field: strings.ToLower(name), value: value,
		text: fmt.Sprintf(`["%s", "%s", "%s"]`, op, field, value)})
	return nil
}

// addRange narrows the file's size.
func (p *Policy) addRange(from, to any) error {
	low, ok1 := size(from)
	high, ok2 := size(to)
	if !ok1 || !ok2 {
		return invalid("Invalid content-length-range: must be two integers.")
	}
	p.min = max(p.min, low)
	if p.max < 0 || high < p.max {
		p.max = high
	}
	return nil
}

func size(v any) (int64, bool) {
	text := ""
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// Check holds the fields of a form for that bucket against the policy.
func (p *Policy) Check(fields map[string]string, bucket string, now time.Time) error {
	if !now.Before(p.expires) {
		return denied("Policy expired.")
	}
	named := map[string]bool{}
	for _, c := range p.conditions {
		named[c.field] = true
		value, ok := fields[c.field]
		if c.field == "bucket" {
			value, ok = bucket, true
		}
		if !ok && !(c.op == "starts-with" && c.value == "") || ok && !c.holds(value) {
			return denied("Policy Condition failed: %s", c.text)
		}
	}
	var extra []string
	for name := range fields {
		if !named[name] && !slices.Contains(unsigned, name) && !strings.HasPrefix(name, ignoredPrefix) && name != "bucket" {
			extra = append(extra, name)
		}
	}
	if !named["bucket"] {
		extra = append(extra, "bucket")
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return denied("Extra input fields: %s", strings.Join(extra, ", "))
	}
	return nil
}

func (c *condition) holds(value string) bool {
	if c.op == "eq" {
		return value == c.value
	}
	if c.field == "content-type" { // a list: each of it
		for part := range strings.SplitSeq(value, ",") {
			if !strings.HasPrefix(strings.TrimSpace(part), c.value) {
				return false
			}
		}
		return true
	}
	return strings.HasPrefix(value, c.value)
}

// SizeRange gives the bounds of the file in bytes; high is -1 when there is none.
func (p *Policy) SizeRange() (low, high int64) { return p.min, p.max }
