package lifecycle

import (
	"encoding/xml"
	"reflect"
	"strings"
	"testing"
	"time"
)

func conf(rules ...string) string {
	return "<LifecycleConfiguration><Rule>" + strings.Join(rules, "</Rule><Rule>") + "</Rule></LifecycleConfiguration>"
}

const (
	expire  = "<Expiration><Days>1</Days></Expiration>"
	enabled = "<Status>Enabled</Status>"
	all     = "<Filter></Filter>"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{conf(all + enabled + expire), ""},
		{conf("<Prefix></Prefix><Status>Disabled</Status>" + expire), ""},
		{conf("<Filter><Prefix></Prefix><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>" + enabled + expire), ""},
		{conf("<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>" + enabled + expire), ""},
		{"<LifecycleConfiguration></LifecycleConfiguration>", "MalformedXML"},
		{conf(enabled + expire), "MalformedXML"},
		{conf(all + "<Prefix>a</Prefix>" + enabled + expire), "MalformedXML"},
		{conf(all + "<Status>enabled</Status>" + expire), "MalformedXML"},
		{conf(all + enabled), "InvalidRequest"},
		{conf(all+enabled+expire+"<ID>a</ID>", all+enabled+expire+"<ID>a</ID>"), "InvalidArgument"},
		{conf(all + enabled + expire + "<ID>" + strings.Repeat("x", 256) + "</ID>"), "InvalidArgument"},
		{conf(all + enabled + "<Expiration></Expiration>"), "MalformedXML"},
		{conf(all + enabled + "<Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>"), "MalformedXML"},
		{conf(all + enabled + "<Expiration><Days>0</Days></Expiration>"), "InvalidArgument"},
		{conf(all + enabled + "<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>"), "InvalidArgument"},
		{conf(all + enabled + "<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>"), ""},
		{conf("<Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" + enabled + expire), "MalformedXML"},
		{conf("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" + enabled + "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"), "InvalidRequest"},
		{conf("<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>" + enabled + expire), "InvalidRequest"},
		{conf("<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>" + enabled + expire), "MalformedXML"},
		{conf(all + enabled + "<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), "MalformedXML"},
		{conf(all + enabled + "<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"), "InvalidArgument"},
		{conf(all + enabled + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), "InvalidArgument"},
		{conf(all + enabled + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), "InvalidArgument"},
		{conf("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>" + enabled + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), "InvalidRequest"},
		{conf(all + enabled + "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), ""},
		{conf(all + enabled + "<Transition><Days>1</Days><StorageClass>NONE</StorageClass></Transition>"), "MalformedXML"},
		{conf(all + enabled + expire + "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), "InvalidArgument"},
		{conf(all + enabled + "<Expiration><Date>2030-01-01</Date></Expiration><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), "InvalidRequest"},
		{conf("<Filter><And></And></Filter>" + enabled + expire), "MalformedXML"},
		{conf(all + enabled + "<NoncurrentVersionTransition><NoncurrentDays>-1</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>"), "InvalidArgument"},
	} {
		got, err := Parse([]byte(c.doc))
		if err != nil {
			t.Fatalf("%s: %v", c.doc, err)
		}
		if err := got.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.doc, err)
		}
	}
	if _, err := Parse([]byte(conf(all + enabled + "<Expiration><Date>20200101</Date></Expiration>"))); err == nil {
		t.Error("a date that is none is taken")
	}
}

func mustParse(t *testing.T, doc string) *Configuration {
	t.Helper()
	c, err := Parse([]byte(doc))
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFilters(t *testing.T) {
	o := Object{Key: "a/b", Size: 100, Tags: tagSet([]Tag{{"k", "v"}, {"l", ""}})}
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{all, true}, {"<Prefix>a/</Prefix>", true}, {"<Prefix>b</Prefix>", false},
		{"<Filter><Prefix>a/</Prefix></Filter>", true}, {"<Filter><Prefix>a/bc</Prefix></Filter>", false},
		{"<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", true},
		{"<Filter><Tag><Key>k</Key><Value>w</Value></Tag></Filter>", false},
		{"<Filter><ObjectSizeGreaterThan>100</ObjectSizeGreaterThan></Filter>", false},
		{"<Filter><ObjectSizeGreaterThan>99</ObjectSizeGreaterThan></Filter>", true},
		{"<Filter><ObjectSizeLessThan>100</ObjectSizeLessThan></Filter>", false},
		{"<Filter><ObjectSizeLessThan>101</ObjectSizeLessThan></Filter>", true},
		{"<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value></Value></Tag><ObjectSizeLessThan>101</ObjectSizeLessThan></And></Filter>", true},
		{"<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeLessThan>10</ObjectSizeLessThan></And></Filter>", false},
	} {
		_, _, got := mustParse(t, conf(c.filter+enabled+expire)).Expires(o, Day)
		_, _, off := mustParse(t, conf(c.filter+"<Status>Disabled</Status>"+expire)).Expires(o, Day)
		if got != c.want || off {
			t.Errorf("%s: %v, disabled: %v", c.filter, got, off)
		}
	}
}

func TestTimes(t *testing.T) {
	c := mustParse(t, conf(
		all+enabled+"<ID>days</ID><Expiration><Days>2</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
		all+enabled+"<ID>date</ID><Expiration><Date>2030-01-05T00:00:00Z</Date></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"))
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, x := range []struct{ modified, want, rule string }{
		{"2030-01-01T00:00:00Z", "2030-01-03T00:00:00Z", "days"},
		{"2030-01-01T00:00:01Z", "2030-01-04T00:00:00Z", "days"},
		{"2030-01-03T12:00:00Z", "2030-01-05T00:00:00Z", "date"},
	} {
		when, rule, ok := c.Expires(Object{Modified: at(x.modified)}, Day)
		if !ok || !when.Equal(at(x.want)) || rule != x.rule {
			t.Errorf("%v: %v %v %v", x, when, rule, ok)
		}
	}
	start := at("2030-01-01T00:00:07Z")
	if when, _, _ := c.Expires(Object{Modified: start}, time.Second); when.Sub(start) != 2*time.Second {
		t.Errorf("a short day ends at %v", when)
	}
	if _, ok := c.NoncurrentExpires(Object{}, start, 1, time.Second); ok {
		t.Error("a version among those to keep expires")
	}
	if when, ok := c.NoncurrentExpires(Object{}, start, 2, time.Second); !ok || when.Sub(start) != 3*time.Second {
		t.Errorf("%v %v", when, ok)
	}
	if when, rule, ok := c.AbortAt("k", start, time.Second); !ok || rule != "date" || when.Sub(start) != time.Second {
		t.Errorf("%v %v", when, ok)
	}
	m := mustParse(t, conf(all+enabled+"<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"))
	if when, ok := m.MarkerExpires(Object{Modified: start}, Day); !ok || !when.Equal(start) {
		t.Errorf("%v %v", when, ok)
	}
	if _, _, ok := m.Expires(Object{Modified: start}, Day); ok {
		t.Error("a rule about markers expires an object")
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(conf(all+enabled+expire), "a")
	f.Add(conf("<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"+enabled+"<Expiration><Date>2030-01-01</Date></Expiration>"), "b")
	f.Fuzz(func(t *testing.T, doc, key string) {
		c, err := Parse([]byte(doc))
		if err != nil || c.Check() != nil {
			return
		}
		c.Expires(Object{Key: key}, Day)
		c.AbortAt(key, time.Time{}, Day)
		written, err := xml.Marshal(c)
		if err != nil {
			return // a date beyond what can be written
		}
		again, err := Parse(written)
		if err != nil || again.Check() != nil || len(again.Rules) != len(c.Rules) || !reflect.DeepEqual(again.Rules[0].Expiration, c.Rules[0].Expiration) {
			t.Errorf("%q is not read again: %v", written, err)
		}
	})
}
