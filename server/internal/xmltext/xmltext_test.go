package xmltext

import (
	"encoding/xml"
	"testing"
)

func TestAppendIsReadBack(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"plain/key":           "plain/key",
		`<a & "b">`:           `<a & "b">`,
		"tab\tline\nreturn\r": "tab\tline\nreturn\r",
		"é\U0001F600":         "é\U0001F600",
		"bell\a\x00":          "bell\uFFFD\uFFFD",
		"not UTF-8 \xff.":     "not UTF-8 \uFFFD.",
		"\uFFFE":              "\uFFFD",
	} {
		var got string
		doc := append(Append([]byte("<k>"), in), "</k>"...)
		if err := xml.Unmarshal(doc, &got); err != nil || got != want {
			t.Errorf("%q is read back as %q, %v", in, got, err)
		}
	}
}
