package opt

import "strings"

// Status says what pail does with an option.
type Status int

const (
	Works    Status = iota // does what s3fs does, or what its help says
	Always                 // accepted: pail does so anyway, or the word means nothing to a filesystem
	NoEffect               // accepted with a warning: what it asks for is not done
	Obsolete               // accepted with a warning: something else took its place
	Refused                // an error
)

// option is a row of the table. Values reach Mount through set, which gets the text after "=", or bare where there is
// none; it reports what is wrong with the text, without naming the option.
type option struct {
	name    string
	aliases []string
	group   string
	arg     string  // what help calls the value; "" for a switch
	bare    *string // the value where none is given; nil: one is needed
	def     string  // what help shows, and set gets first; "": nothing
	status  Status
	help    string // of NoEffect, Obsolete and Refused: the reason
	secret  bool   // errors must not show the value
	set     func(p *parser, value string) error
}

// Info describes an option for help, man page and completion.
type Info struct {
	Name    string
	Aliases []string
	Group   string
	Arg     string // "" for a switch
	Bare    bool   // may stand without a value
	Default string // "" where there is none
	Status  Status
	Help    string
}

// List returns all options in the order of the table.
func List() []Info {
	var list []Info
	for _, o := range table() {
		list = append(list, Info{
			Name: o.name, Aliases: o.aliases, Group: o.group, Arg: o.arg, Bare: o.bare != nil, Default: o.def,
			Status: o.status, Help: o.help,
		})
	}
	return list
}

// env returns the name of the environment variable, or "" for words that only fstab has.
func (o *option) env() string {
	if o.group == groupFstab || o.status == Refused {
		return ""
	}
	return "PAIL_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(o.name))
}

// index maps every name and alias to its row.
func index(rows []option) map[string]*option {
	byName := make(map[string]*option, len(rows)*2)
	for i := range rows {
		byName[rows[i].name] = &rows[i]
		for _, alias := range rows[i].aliases {
			byName[alias] = &rows[i]
		}
	}
	return byName
}

// nearest returns the known name that takes the fewest edits to get from name, or "" if none is near.
func nearest(name string, byName map[string]*option) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for known, o := range byName {
		if o.status == Refused {
			continue
		}
		d := distance(name, known)
		if d < bestDistance || d == bestDistance && best != "" && known < best {
			best, bestDistance = known, d
		}
	}
	return best
}

// distance is Levenshtein's, with a swap of neighbours as one edit.
func distance(a, b string) int {
	const longest = 64
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
