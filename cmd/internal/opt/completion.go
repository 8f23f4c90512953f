package opt

import (
	"io"
	"slices"
	"strings"
)

// Completion is what completion knows besides the options of "pail mount".
type Completion struct {
	Commands   []string // first words
	ServeFlags []string // of "pail serve", with dashes
}

const completionScript = `# bash completion for pail; made by: pail help --completion
_pail() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local options="@OPTIONS@"
	local flags="@FLAGS@"
	COMPREPLY=()
	case $prev in
	-o)
		local done=${cur%"${cur##*,}"}
		COMPREPLY=($(compgen -P "$done" -W "$options" -- "${cur##*,}"))
		compopt -o nospace 2>/dev/null
		return
		;;
	=)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	esac
	case $COMP_CWORD:${COMP_WORDS[1]} in
	1:-*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
	1:*) COMPREPLY=($(compgen -W "@COMMANDS@" -- "$cur")) ;;
	*:umount | *:status) COMPREPLY=($(compgen -W "--json $(awk '$3 == "fuse.pail" { print $2 }' /proc/mounts)" -- "$cur")) ;;
	*:serve) COMPREPLY=($(compgen -f -W "@SERVE@" -- "$cur")) ;;
	*:help) COMPREPLY=($(compgen -W "mount umount status serve --man --completion" -- "$cur")) ;;
	*:version) ;;
	*)
		case $cur in
		-*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
		*) COMPREPLY=($(compgen -d -- "$cur")) ;;
		esac
		;;
	esac
}
complete -F _pail pail
`

// WriteCompletion writes a script that makes bash complete commands, flags and options.
func WriteCompletion(w io.Writer, c Completion) error {
	var options []string
	flags := []string{"-o", "-f", "-d", "-s", "-h", "-u", "--debug", "--foreground", "--help", "--version",
		"--incomplete-mpu-list", "--incomplete-mpu-abort", "--json"}
	for _, o := range List() {
		if o.Status != Works { // accepted from existing command lines, and not to be written into new ones
			continue
		}
		if o.Arg != "" && !o.Bare {
			options = append(options, o.Name+"=")
		} else {
			options = append(options, o.Name)
		}
		if o.Group != groupFstab {
			flags = append(flags, "--"+strings.ReplaceAll(o.Name, "_", "-"))
		}
	}
	slices.Sort(options)
	slices.Sort(flags)
	_, err := strings.NewReplacer(
		"@OPTIONS@", strings.Join(options, " "), "@FLAGS@", strings.Join(flags, " "),
		"@COMMANDS@", strings.Join(c.Commands, " "), "@SERVE@", strings.Join(c.ServeFlags, " "),
	).WriteString(w, completionScript)
	return err
}
