package sigauth

import (
	"net/http"
	"net/textproto"
	"net/url"
	"testing"
	"time"
)

func FuzzShortcutsAgreeWithTheLongWay(f *testing.F) {
	for _, s := range []string{"", "/b/k", "/b/%20", "/b/%2f", "/b/%2F", "/b/%41", "/b/é", "/b/%C3%A9", "/b/%c3%A9", "/%", "/%4", "/%zz", "/+", "/%2B", "/~",
		"x-amz-date", "host", "X-Amz-Date", "x_a", "-", "--a", "a b", "20130524T000000Z", "20130229T000000Z",
		"20130524T240000Z", "20130524T235960Z", "00000000T000000Z", "99991231T235959Z", "2013052aT000000Z", "-1230101T000000Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		decoded, err := url.PathUnescape(s)
		if got, want := isCanonical(s), err == nil && string(appendEscaped(nil, decoded, true)) == s; got != want {
			t.Errorf("isCanonical(%q) is %v", s, got)
		}
		h := http.Header{textproto.CanonicalMIMEHeaderKey(s): {"value"}, "Other": {"no"}}
		if v := headerValues(h, s); len(v) != 1 || v[0] != "value" && s != "other" {
			t.Errorf("header %q is not found: %q", s, v)
		}
		if v := headerValues(http.Header{}, s); v != nil {
			t.Errorf("header %q is found in an empty map: %q", s, v)
		}
		want, err := time.Parse(isoBasic, s)
		if got, ok := parseISO(s); ok && (err != nil || !got.Equal(want)) {
			t.Errorf("parseISO(%q) is %v; time.Parse gives %v, %v", s, got, want, err)
		} else if !ok && err == nil && len(s) == len(isoBasic) {
			t.Errorf("parseISO(%q) refuses %v", s, want)
		}
	})
}
