package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	alice = "111122223333"
	bob   = "444455556666"
)

var (
	aliceRoot = Principal{AccountID: alice, ARN: "arn:aws:iam::111122223333:root", CanonicalID: strings.Repeat("a", 64)}
	bobUser   = Principal{AccountID: bob, ARN: "arn:aws:iam::444455556666:user/bob", CanonicalID: strings.Repeat("b", 64)}
	nobody    = Principal{}
)

func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func parse(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text), Options{Bucket: "bucket"})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

const allowGet = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}`

func TestWhatPoliciesAreRefused(t *testing.T) {
	with := func(old, new string) string { return doc(strings.Replace(allowGet, old, new, 1)) }
	condition := func(c string) string { return with(`"Effect"`, `"Condition":`+c+`,"Effect"`) }
	for _, c := range []struct{ text, want string }{
		{"", "first byte must be '{'"},
		{"[]", "first byte must be '{'"},
		{" {}", "first byte must be '{'"},
		{"{", "invalid Json"},
		{`{"Version":"2012-10-17","Version":"2012-10-17"}`, "invalid Json"},
		{"{\"Id\":\"\xff\"}", "invalid Json"},
		{`{"Statement":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}", "invalid Json"},
		{"{}", "Missing required field Statement"},
		{`{"Version":"2020-01-01","Statement":[]}`, "valid version string"},
		{`{"Statement":[]}`, "Statement is empty"},
		{`{"Statement":[],"Extra":1}`, "Unknown field Extra"},
		{with(`"Effect":"Allow",`, ""), "Missing required field Effect"},
		{with(`"Allow"`, `"allow"`), "Invalid effect: allow"},
		{with(`"Principal":"*",`, ""), "Missing required field Principal"},
		{with(`"*"`, `"bob"`), "Invalid principal in policy"},
		{with(`"*"`, `{}`), "Invalid principal in policy"},
		{with(`"*"`, `{"AWS":[]}`), "Invalid principal in policy"},
		{with(`"*"`, `{"AWS":"bob"}`), "Invalid principal in policy"},
		{with(`"*"`, `{"AWS":"arn:aws:iam::1:root"}`), "Invalid principal in policy"},
		{with(`"*"`, `{"AWS":"arn:aws:iam::444455556666:user/*"}`), "Invalid principal in policy"},
		{with(`"*"`, `{"Someone":"x"}`), "Invalid principal in policy"},
		{with(`"*"`, `{"CanonicalUser":"x"}`), "Invalid principal in policy"},
		{with(`"Action":"s3:GetObject",`, ""), "Missing required field Action"},
		{with(`s3:GetObject`, "s3:Nonsense"), "Policy has invalid action"},
		{with(`s3:GetObject`, "s3:Nonsense*"), "Policy has invalid action"},
		{with(`s3:GetObject`, "ec2:Run"), "Policy has invalid action"},
		{with(`"Action"`, `"NotAction":"s3:*","Action"`), "both Action and NotAction"},
		{with(`"Resource":"arn:aws:s3:::bucket/*"`, `"Sid":"x"`), "Missing required field Resource"},
		{with("arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"), "Policy has invalid resource"},
		{with("arn:aws:s3:::bucket/*", "bucket/*"), "Policy has invalid resource"},
		{with("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket"+strings.Repeat("*", 3000)), "Policy has invalid resource"},
		{with("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket"), "Action does not apply to any resource(s) in statement"},
		{with("s3:GetObject", "s3:ListBucket"), "Action does not apply to any resource(s) in statement"},
		{condition(`[]`), "Condition"},
		{condition(`{"StringIs":{"aws:Referer":"x"}}`), "Invalid Condition type : StringIs"},
		{condition(`{"ForAllValues:Null":{"aws:Referer":"true"}}`), "Invalid Condition type"},
		{condition(`{"StringEquals":{"aws:Nonsense":"x"}}`), "invalid condition key"},
		{condition(`{"StringEquals":{"s3:ExistingObjectTag":"x"}}`), "invalid condition key"},
		{condition(`{"StringEquals":{"aws:Referer":[]}}`), "Condition"},
		{condition(`{"StringEquals":{"aws:Referer":{}}}`), "Condition"},
		{condition(`{"NumericLessThan":{"s3:max-keys":"many"}}`), "invalid condition value"},
		{condition(`{"IpAddress":{"aws:SourceIp":"home"}}`), "invalid condition value"},
		{condition(`{"StringEquals":{"s3:prefix":"x"}}`), "Conditions do not apply"},
		{doc(with2(allowGet, "one"), with2(allowGet, "one")), "duplicate statement ids"},
		{doc(allowGet) + strings.Repeat(" ", MaxSize), "exceeds the maximum"},
	} {
		_, err := Parse([]byte(c.text), Options{Bucket: "bucket"})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, c.want) {
			t.Errorf("%.200s: %v, want %q", c.text, err, c.want)
		}
	}
}

func with2(statement, sid string) string {
	return strings.Replace(statement, "{", `{"Sid":"`+sid+`",`, 1)
}

func TestPrincipalsMustBeKnownWhereAccountsAre(t *testing.T) {
	known := func(name string) bool { return name == alice || name == "arn:aws:iam::111122223333:user/x" }
	for principal, ok := range map[string]bool{alice: true, bob: false, "arn:aws:iam::111122223333:user/x": true, "arn:aws:iam::111122223333:user/y": false, bobUser.ARN: false, "*": true} {
		text := doc(strings.Replace(allowGet, `"*"`, `{"AWS":"`+principal+`"}`, 1))
		if _, err := Parse([]byte(text), Options{Bucket: "bucket", Known: known}); (err == nil) != ok {
			t.Errorf("%s: %v", principal, err)
		}
	}
}

func TestDecisions(t *testing.T) {
	st := func(effect, principal, action, resource string) string {
		return `{"Effect":"` + effect + `","Principal":` + principal + `,"Action":` + action + `,"Resource":` + resource + `}`
	}
	all, keys := `"*"`, `"arn:aws:s3:::bucket/*"`
	for _, c := range []struct {
		what   string
		policy string
		who    Principal
		action string
		key    string
		want   Decision
	}{
		{"everybody", doc(st("Allow", all, `"s3:GetObject"`, keys)), nobody, "s3:GetObject", "k/l", Allow},
		{"AWS star is everybody", doc(st("Allow", `{"AWS":"*"}`, `"s3:GetObject"`, keys)), nobody, "s3:GetObject", "k", Allow},
		{"another action", doc(st("Allow", all, `"s3:GetObject"`, keys)), nobody, "s3:PutObject", "k", Neutral},
		{"case of actions", doc(st("Allow", all, `"S3:getobject"`, keys)), nobody, "s3:GetObject", "k", Allow},
		{"wildcard action", doc(st("Allow", all, `["s3:Get*"]`, keys)), nobody, "s3:GetObjectTagging", "k", Allow},
		{"keys do not cover the bucket", doc(st("Allow", all, `"s3:*"`, keys)), nobody, "s3:ListBucket", "", Neutral},
		{"the bucket does not cover keys", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket"`)), nobody, "s3:GetObject", "k", Neutral},
		{"one character", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/a?c"`)), nobody, "s3:GetObject", "aäc", Allow},
		{"case of keys", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/K"`)), nobody, "s3:GetObject", "k", Neutral},
		{"account", doc(st("Allow", `{"AWS":"444455556666"}`, `"s3:*"`, keys)), bobUser, "s3:GetObject", "k", Allow},
		{"root ARN is the account", doc(st("Allow", `{"AWS":"arn:aws:iam::444455556666:root"}`, `"s3:*"`, keys)), bobUser, "s3:GetObject", "k", Allow},
		{"user ARN", doc(st("Allow", `{"AWS":"arn:aws:iam::444455556666:user/bob"}`, `"s3:*"`, keys)), bobUser, "s3:GetObject", "k", Allow},
		{"another account", doc(st("Allow", `{"AWS":"444455556666"}`, `"s3:*"`, keys)), aliceRoot, "s3:GetObject", "k", Neutral},
		{"canonical id", doc(st("Allow", `{"CanonicalUser":"`+bobUser.CanonicalID+`"}`, `"s3:*"`, keys)), bobUser, "s3:GetObject", "k", Allow},
		{"nobody is no account", doc(st("Allow", `{"AWS":"444455556666"}`, `"s3:*"`, keys)), nobody, "s3:GetObject", "k", Neutral},
		{"services are not here", doc(st("Allow", `{"Service":"logging.s3.amazonaws.com"}`, `"s3:*"`, keys)), bobUser, "s3:GetObject", "k", Neutral},
		{"deny wins", doc(st("Allow", all, `"s3:*"`, keys), st("Deny", all, `"s3:GetObject"`, `"arn:aws:s3:::bucket/secret/*"`)), bobUser, "s3:GetObject", "secret/k", Deny},
		{"deny first wins too", doc(st("Deny", all, `"s3:GetObject"`, keys), st("Allow", all, `"s3:*"`, keys)), bobUser, "s3:GetObject", "k", Deny},
		{"not principal", doc(`{"Effect":"Deny","NotPrincipal":{"AWS":"444455556666"},"Action":"s3:*","Resource":` + keys + `}`), aliceRoot, "s3:GetObject", "k", Deny},
		{"not principal, itself", doc(`{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":` + keys + `}`), aliceRoot, "s3:GetObject", "k", Neutral},
		{"not principal, a user of it", doc(`{"Effect":"Deny","NotPrincipal":{"AWS":"444455556666"},"Action":"s3:*","Resource":` + keys + `}`), bobUser, "s3:GetObject", "k", Deny},
		{"not principal, a user that is named", doc(`{"Effect":"Deny","NotPrincipal":{"AWS":["444455556666","arn:aws:iam::444455556666:user/bob"]},"Action":"s3:*","Resource":` + keys + `}`), bobUser, "s3:GetObject", "k", Neutral},
		{"not action", doc(`{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteObject","Resource":` + keys + `}`), bobUser, "s3:DeleteObject", "k", Neutral},
		{"not action, another", doc(`{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteObject","Resource":` + keys + `}`), bobUser, "s3:GetObject", "k", Allow},
		{"not resource", doc(`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::bucket/open/*"}`), bobUser, "s3:GetObject", "k", Deny},
		{"variable", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/${aws:username}/*"`)), bobUser, "s3:GetObject", "bob/k", Allow},
		{"a variable's value has no wildcards", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/${aws:Referer}"`)), bobUser, "s3:GetObject", "other", Neutral},
		{"a variable that is missing", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/${aws:userid}*"`)), bobUser, "s3:GetObject", "k", Neutral},
		{"a variable's default", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/${aws:userid, 'k'}"`)), bobUser, "s3:GetObject", "k", Allow},
		{"a literal star", doc(st("Allow", all, `"s3:*"`, `"arn:aws:s3:::bucket/${*}"`)), bobUser, "s3:GetObject", "*", Allow},
	} {
		values := func(key string) []string {
			switch key {
			case "aws:username":
				return []string{"bob"}
			case "aws:referer":
				return []string{"*"}
			}
			return nil
		}
		r := &Request{Principal: c.who, Action: c.action, Bucket: "bucket", Key: c.key, Values: values}
		if got := parse(t, c.policy).Evaluate(r); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	if (*Policy)(nil).Evaluate(&Request{}) != Neutral || (*Policy)(nil).IsPublic() {
		t.Error("no policy says something")
	}
}

func TestConditions(t *testing.T) {
	have := map[string][]string{"s3:x-amz-acl": {"private"}, "aws:sourceip": {"192.0.2.7"}, "aws:securetransport": {"true"},
		"aws:currenttime": {"2026-06-01T12:00:00Z"}, "s3:if-match": {"10"}, "s3:requestobjecttagkeys": {"a", "b"},
		"aws:principalarn": {"arn:aws:iam::444455556666:user/x/bob"}, "s3:requestobjecttag/Team": {"red"}}
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{`{"StringEquals":{"s3:x-amz-acl":"private"}}`, true},
		{`{"StringEquals":{"S3:X-AMZ-ACL":["x","private"]}}`, true},
		{`{"StringEquals":{"s3:x-amz-acl":"Private"}}`, false},
		{`{"StringEqualsIgnoreCase":{"s3:x-amz-acl":"Private"}}`, true},
		{`{"StringNotEquals":{"s3:x-amz-acl":["x","y"]}}`, true},
		{`{"StringNotEquals":{"s3:x-amz-acl":["x","private"]}}`, false},
		{`{"StringNotEqualsIgnoreCase":{"s3:x-amz-acl":"PRIVATE"}}`, false},
		{`{"StringLike":{"s3:x-amz-acl":"priv*"}}`, true},
		{`{"StringNotLike":{"s3:x-amz-acl":"priv*"}}`, false},
		{`{"StringEquals":{"aws:Referer":"x"}}`, false},
		{`{"StringNotEquals":{"aws:Referer":"x"}}`, true},
		{`{"StringEqualsIfExists":{"aws:Referer":"x"}}`, true},
		{`{"StringEqualsIfExists":{"s3:x-amz-acl":"x"}}`, false},
		{`{"Null":{"aws:Referer":"true"}}`, true},
		{`{"Null":{"aws:Referer":true,"s3:x-amz-acl":"false"}}`, true},
		{`{"Null":{"s3:x-amz-acl":"true"}}`, false},
		{`{"Bool":{"aws:SecureTransport":"true"}}`, true},
		{`{"Bool":{"aws:SecureTransport":false}}`, false},
		{`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, true},
		{`{"IpAddress":{"aws:SourceIp":["198.51.100.0/24","192.0.2.7"]}}`, true},
		{`{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, false},
		{`{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}`, false},
		{`{"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}`, true},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01"}}`, false},
		{`{"NumericEquals":{"s3:if-match":10}}`, true},
		{`{"NumericLessThanEquals":{"s3:if-match":"9"}}`, false},
		{`{"NumericGreaterThan":{"s3:if-match":"9"}}`, true},
		{`{"NumericNotEquals":{"s3:if-match":"9"}}`, true},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`, true},
		{`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`, true},
		{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::444455556666:root"}}`, false},
		{`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","b","c"]}}`, true},
		{`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a"]}}`, false},
		{`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["a"]}}`, true},
		{`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":["a"]}}`, true},
		{`{"ForAllValues:StringNotEquals":{"s3:RequestObjectTagKeys":["c"]}}`, true},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}`, true},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}}`, false},
		{`{"StringEquals":{"s3:RequestObjectTag/Team":"red"}}`, true},
		{`{"StringEquals":{"s3:RequestObjectTag/team":"red"}}`, false},
		{`{"StringEquals":{"s3:x-amz-acl":"private"},"Bool":{"aws:SecureTransport":"false"}}`, false},
		{`{"StringEquals":{"s3:x-amz-acl":"private","aws:SourceVpc":"x"}}`, false},
	} {
		p := parse(t, doc(`{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*","Condition":`+c.condition+`}`))
		r := &Request{Action: "s3:PutObject", Bucket: "bucket", Key: "k", Values: func(k string) []string { return have[k] }}
		if got := p.Evaluate(r) == Allow; got != c.want {
			t.Errorf("%s: %v", c.condition, got)
		}
	}
}

func TestWhatIsPublic(t *testing.T) {
	with := func(principal, condition string) string {
		return doc(`{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:*","Resource":"arn:aws:s3:::bucket/*","Condition":` + condition + `}`)
	}
	for text, want := range map[string]bool{
		doc(allowGet): true,
		doc(strings.Replace(allowGet, "Allow", "Deny", 1)):                                            false,
		doc(strings.Replace(allowGet, `"*"`, `{"AWS":"444455556666"}`, 1)):                            false,
		with(`{"AWS":"*"}`, `{"StringLike":{"aws:Referer":"x"}}`):                                     true,
		with(`"*"`, `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`):                                  false,
		with(`"*"`, `{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","0.0.0.0/1"]}}`):                    true,
		with(`"*"`, `{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`):                               true,
		with(`"*"`, `{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}`):                                 false,
		with(`"*"`, `{"IpAddress":{"aws:SourceIp":"::/1"}}`):                                          true,
		with(`"*"`, `{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`):                                     false,
		with(`"*"`, `{"StringLike":{"aws:SourceVpc":"vpc-*"}}`):                                       true,
		with(`"*"`, `{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}`):                             true,
		with(`"*"`, `{"StringEquals":{"aws:PrincipalArn":"${aws:PrincipalArn}"}}`):                    true,
		with(`"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}}`):                 true,
		with(`"*"`, `{"StringEquals":{"aws:PrincipalArn":"`+bobUser.ARN+`"}}`):                        false,
		doc(strings.Replace(allowGet, `"Principal":"*"`, `"NotPrincipal":{"AWS":"444455556666"}`, 1)): true,
	} {
		if got := parse(t, text).IsPublic(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestWildcardsMatchInBoundedTime(t *testing.T) {
	if wildcard(strings.Repeat("*a", 500)+"b", strings.Repeat("a", 1024)) {
		t.Error("matched")
	}
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{{"", "", true}, {"*", "", true}, {"?", "", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXbY", false}, {"**", "x", true}} {
		if wildcard(c.pattern, c.s) != c.want {
			t.Errorf("%q %q", c.pattern, c.s)
		}
	}
}

func TestKeysInUseAreKnown(t *testing.T) {
	p := parse(t, doc(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}}`))
	if !p.UsesKey("s3:existingobjecttag/") || p.UsesKey("s3:versionid") || p.HasDeny() {
		t.Error("keys")
	}
	if !slices.Contains(Actions(), "s3:getobject") {
		t.Error("actions")
	}
}

// FuzzParse: whatever is taken for a policy can be asked anything without a panic, and says the same of a document twice.
func FuzzParse(f *testing.F) {
	f.Add(doc(allowGet), "k")
	f.Add(doc(`{"Effect":"Deny","NotPrincipal":{"AWS":["111122223333"]},"NotAction":"s3:*","NotResource":"arn:aws:s3:::bucket/${aws:username}","Condition":{"ForAllValues:StringNotLikeIfExists":{"s3:RequestObjectTag/x":["a*","${*}"]},"Null":{"aws:Referer":true}}}`), "a/b")
	f.Add(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}}`, "")
	f.Fuzz(func(t *testing.T, text, key string) {
		p, err := Parse([]byte(text), Options{Bucket: "bucket"})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T", err)
			}
			return
		}
		r := &Request{Principal: bobUser, Action: "s3:PutObject", Bucket: "bucket", Key: key, Values: func(k string) []string { return []string{key} }}
		first := p.Evaluate(r)
		again, err := Parse([]byte(text), Options{Bucket: "bucket"})
		if err != nil || again.Evaluate(r) != first || again.IsPublic() != p.IsPublic() {
			t.Fatal("undecided")
		}
	})
}
