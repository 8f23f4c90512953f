package opt_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"pail/cmd/internal/opt"
)

func manual(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	parts := []opt.ManualPart{{Title: "SERVE", Text: "Usage: pail serve\n\n.dots and 'quotes' and \\ are text\n  --dir DIR\n"}}
	if err := opt.WriteMan(&b, opt.Manual{Version: "v1", Parts: parts}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestManualHasEveryOption(t *testing.T) {
	page := manual(t)
	for _, o := range opt.List() {
		if !strings.Contains(page, o.Name) {
			t.Errorf("%s is missing", o.Name)
		}
	}
	known := []string{".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".BR"}
	for line := range strings.Lines(page) {
		if line[0] != '.' && line[0] != '\'' {
			continue
		}
		macro, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		found := false
		for _, k := range known {
			found = found || macro == k
		}
		if !found {
			t.Errorf("text is taken for a request: %q", line)
		}
	}
}

func TestManualIsCleanTroff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed")
	}
	cmd := exec.Command(groff, "-man", "-ww", "-b", "-Tutf8", "-P-cbou")
	cmd.Stdin = strings.NewReader(manual(t))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("groff: %v\n%s", err, &errs)
	}
	for _, want := range []string{"passwd_file=FILE", ".dots and 'quotes' and \\ are text", "--incomplete-mpu-abort[=all|AGE]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page does not show %q", want)
		}
	}
}

func TestCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	var script bytes.Buffer
	if err := opt.WriteCompletion(&script, opt.Completion{Commands: []string{"mount", "serve"}, ServeFlags: []string{"--dir", "--data"}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words  string // the last one is being written
		want   []string
		absent string
	}{
		{"pail mo", []string{"mount"}, "serve"},
		{"pail mount b /m -o passwd", []string{"passwd_file="}, "url="},
		{"pail mount b /m -o ro,allow_o", []string{"ro,allow_other"}, "ro,ro"},
		{"pail mount b /m --use-path", []string{"--use-path-request-style"}, "--url"},
		{"pail serve --d", []string{"--dir", "--data"}, "--url"},
		{"pail help --m", []string{"--man"}, "serve"},
	} {
		line := strings.Fields(c.words)
		cmd := exec.Command(bash, "--norc", "-uc", script.String()+`
			COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pail; printf '%s\n' "${COMPREPLY[@]}"`, "bash")
		cmd.Args = append(cmd.Args, line...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c.words, err, out)
			continue
		}
		got := strings.Fields(string(out))
		for _, want := range c.want {
			if !strings.Contains(" "+strings.Join(got, " ")+" ", " "+want+" ") {
				t.Errorf("%s: %q, want %q", c.words, got, want)
			}
		}
		if strings.Contains(" "+strings.Join(got, " ")+" ", " "+c.absent+" ") {
			t.Errorf("%s: %q holds %q", c.words, got, c.absent)
		}
	}
}
