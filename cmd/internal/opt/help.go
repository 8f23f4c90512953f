package opt

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// helpHead precedes the options in the help text.
const helpHead = `Mount an S3 bucket as a filesystem.

Usage:
  pail mount BUCKET[:/PREFIX] MOUNTPOINT [-o OPTION[,OPTION...]] [flags]
  pail mount MOUNTPOINT -o bucket=BUCKET[:/PREFIX] ...
  pail BUCKET[:/PREFIX] MOUNTPOINT ...                 as s3fs is called
  pail umount MOUNTPOINT

Flags:
  -o OPTION[,OPTION...]   options, may be repeated; a comma in a value is written \,
  -f                      stay in the foreground
  -d, --debug             the same, and log everything; as a word of -o, log everything only
  -s                      accepted from s3fs, no effect
  -h, --help              this text
      --version           version
  -u, --incomplete-mpu-list            list unfinished uploads of BUCKET[:/PREFIX], mount nothing
      --incomplete-mpu-abort[=all|AGE] abort those older than AGE (24h; 1Y6M10D12h30m30s), mount nothing
      --json                           with these two: a JSON object for each upload, one a line

Each option can be given as -o name=value, as --name=value (dashes or underscores), or in the environment as
PAIL_NAME=value; arguments win over the environment, the last argument over those before it.
`

// WriteHelp writes the help text of "pail mount".
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString(helpHead)
	group := ""
	for _, o := range alike(List()) {
		if o.Group != group {
			group = o.Group
			fmt.Fprintf(&b, "\n%s:\n", group)
		}
		if o.Status == Works && o.Group != groupFstab {
			fmt.Fprintf(&b, "  %-31s ", title(o))
			wrap(&b, describe(o), 34)
		} else {
			b.WriteString("  ")
			wrap(&b, o.Name+": "+describe(o), 6)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// alike puts the names of options that only exist for compatibility, and have the same text, into one.
func alike(list []Info) []Info {
	var merged []Info
	for _, o := range list {
		i := slices.IndexFunc(merged, func(m Info) bool { return m.Group == o.Group && m.Status == o.Status && m.Help == o.Help })
		if i >= 0 && (o.Status != Works || o.Group == groupFstab) {
			merged[i].Name += ", " + o.Name
			continue
		}
		merged = append(merged, o)
	}
	return merged
}

// title shows names and value of an option.
func title(o Info) string {
	name := o.Name
	switch {
	case o.Arg == "":
	case o.Bare:
		name += "[=" + o.Arg + "]"
	default:
		name += "=" + o.Arg
	}
	return name
}

// describe says what an option does, with its default and other names.
func describe(o Info) string {
	text := o.Help
	switch o.Status {
	case Always:
		text = "accepted: " + text
	case NoEffect:
		text = "no effect here: " + text
	case Obsolete:
		text = "obsolete: " + text
	}
	var notes []string
	if o.Default != "" {
		notes = append(notes, "default "+o.Default)
	}
	if len(o.Aliases) > 0 {
		notes = append(notes, "also "+strings.Join(o.Aliases, ", "))
	}
	if notes != nil {
		text += " (" + strings.Join(notes, "; ") + ")"
	}
	return text
}

// wrap writes text in lines of at most 100 columns; the caller stands in column indent, or beyond it.
func wrap(b *strings.Builder, text string, indent int) {
	const width = 100
	line := b.String()[strings.LastIndexByte(b.String(), '\n')+1:]
	column := len(line)
	if line[column-1] == ' ' && column > indent { // the title took the place
		trimmed := strings.TrimRight(b.String(), " ")
		b.Reset()
		fmt.Fprintf(b, "%s\n%*s", trimmed, indent, "")
		column = indent
	}
	for i, word := range strings.Fields(text) {
		if i > 0 && column+1+len(word) > width {
			fmt.Fprintf(b, "\n%*s", indent, "")
			column = indent
		} else if i > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
}
