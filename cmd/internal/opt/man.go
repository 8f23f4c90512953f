package opt

import (
	"fmt"
	"io"
	"strings"
)

// Manual is what the manual page has besides the options of "pail mount".
type Manual struct {
	Version string
	Parts   []ManualPart // in order, between the options and the list of files
}

// ManualPart is the help text of another command, shown as it is.
type ManualPart struct{ Title, Text string }

const manHead = `.SH NAME
pail \- mount S3 buckets as a filesystem, and serve S3
.SH SYNOPSIS
.nf
\fBpail mount\fR \fIBUCKET\fR[:/\fIPREFIX\fR] \fIMOUNTPOINT\fR [\fB\-o\fR \fIOPTION\fR[,\fIOPTION\fR...]] [\fIFLAGS\fR]
\fBpail\fR \fIBUCKET\fR \fIMOUNTPOINT\fR ...
\fBpail umount\fR \fIMOUNTPOINT\fR
\fBpail status\fR [\fIMOUNTPOINT\fR] [\fB\-\-json\fR]
\fBpail serve\fR [\fIFLAGS\fR]
.fi
.SH DESCRIPTION
\fBpail mount\fR mounts an S3 bucket as a directory of normal files. A file is one object with the same bytes; owner,
mode and times are kept in the object's metadata as s3fs does. When \fBclose\fR(2) or \fBfsync\fR(2) returns 0, the file is
stored on the server.
.PP
The command goes to the background once the mount answers and exits 0 only then, else with one line that says what is
wrong and what to do. In \fB/etc/fstab\fR the type is \fBfuse.pail\fR.
`

const manTail = `.SH FILES
.TP
\fB/etc/passwd\-pail\fR, \fB~/.passwd\-pail\fR, \fB/etc/passwd\-s3fs\fR, \fB~/.passwd\-s3fs\fR
credentials, lines of KEY:SECRET or BUCKET:KEY:SECRET, mode 0600
.TP
\fB/run/pail\fR, \fB$XDG_RUNTIME_DIR/pail\fR
what \fBpail umount\fR and \fBpail status\fR know of running mounts
.SH SIGNALS
A mount that gets SIGTERM or SIGINT stores what open files have and unmounts when nobody uses it any more; a second one
unmounts at once. SIGHUP opens the log file anew, SIGUSR2 changes the log level.
.SH EXIT STATUS
0, or 1 after one line on standard error.
.SH SEE ALSO
.BR mount (8),
.BR umount (8),
.BR fuse (4),
.BR s3fs (1)
`

// WriteMan writes the manual page pail(1) in the man macros of troff.
func WriteMan(w io.Writer, m Manual) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH PAIL 1 \"\" \"pail %s\" \"User Commands\"\n%s", roff(m.Version), manHead)
	_, flags, _ := strings.Cut(helpHead, "Flags:\n")
	preformatted(&b, "FLAGS OF MOUNT", flags)
	b.WriteString(".SH OPTIONS OF MOUNT\n")
	group := ""
	for _, o := range alike(List()) {
		if o.Group != group {
			group = o.Group
			fmt.Fprintf(&b, ".SS %s\n", roff(group))
		}
		name := title(o)
		if o.Status != Works || o.Group == groupFstab {
			name = o.Name // a list of names, whose values do not matter
		}
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", roff(name), roff(describe(o)))
	}
	for _, part := range m.Parts {
		preformatted(&b, part.Title, part.Text)
	}
	b.WriteString(manTail)
	_, err := io.WriteString(w, b.String())
	return err
}

func preformatted(b *strings.Builder, title, text string) {
	fmt.Fprintf(b, ".SH %s\n.nf\n", roff(title))
	for line := range strings.Lines(text) {
		b.WriteString(roff(line))
	}
	b.WriteString(".fi\n")
}

// roff escapes text: no character of it is a command or changes its look.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
