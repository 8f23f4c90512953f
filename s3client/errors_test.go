package s3client

import (
	"context"
	"errors"
	"testing"
)

func TestErrorNamesWhatIsKnown(t *testing.T) {
	tests := []struct {
		err  Error
		want string
	}{
		{Error{Op: OpGet, Bucket: "b", Key: "k\n", Status: 503, Code: "SlowDown", Err: ErrThrottled, Message: "reduce", RequestID: "R"},
			`GetObject b/"k\n": 503 SlowDown: slow down (reduce) [request R]`},
		{Error{Op: OpList, Bucket: "b", Err: context.Canceled}, "ListObjects b: context canceled"},
		{Error{Op: OpHead, Bucket: "b", Status: 301, Region: "eu-west-1", Err: ErrRedirect},
			"HeadObject b: 301 : bucket is in another region: it is in region eu-west-1"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("error is %q, want %q", got, test.want)
		}
	}
}

func TestNarrowSentinelsMatchWiderOnes(t *testing.T) {
	tests := []struct {
		err, target error
		want        bool
	}{
		{ErrNoBucket, ErrNotFound, true}, {ErrNotFound, ErrNoBucket, false}, {ErrCredentials, ErrAccess, true}, {ErrAccess, ErrCredentials, false},
		{ErrNotFound, ErrNotFound, true}, {context.Canceled, context.Canceled, true}, {ErrNotFound, ErrAccess, false},
	}
	for _, test := range tests {
		if got := errors.Is(&Error{Err: test.err}, test.target); got != test.want {
			t.Errorf("an error of %v matches %v: %v", test.err, test.target, got)
		}
	}
}

func TestETag(t *testing.T) {
	for in, want := range map[string]ETag{`"abc"`: "abc", "abc": "abc", ` W/"abc-2" `: "abc-2", `W/"abc"`: "abc", "": ""} {
		if got := ParseETag(in); got != want {
			t.Errorf("ParseETag(%q) = %q, want %q", in, got, want)
		}
	}
	if got := ETag("abc").Header(); got != `"abc"` {
		t.Errorf("Header is %s", got)
	}
}
