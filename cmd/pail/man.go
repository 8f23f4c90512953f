package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"

	"pail/cmd/internal/opt"
)

// printMan is "pail help --man": the manual page.
func printMan(_ []string, env func(string) string, stdout, stderr io.Writer) int {
	m := opt.Manual{Version: versionText()}
	for _, part := range []struct {
		title string
		do    command
	}{{"UMOUNT", umount}, {"STATUS", status}, {"FSCK", fsck}, {"SERVE", serve}} {
		text, exit := helpOf(part.do, env, stderr)
		if exit != 0 {
			return exit
		}
		m.Parts = append(m.Parts, opt.ManualPart{Title: part.title, Text: text})
	}
	if err := opt.WriteMan(stdout, m); err != nil {
		return fail(stderr, err)
	}
	return 0
}

// printCompletion is "pail help --completion": a script for bash.
func printCompletion(_ []string, env func(string) string, stdout, stderr io.Writer) int {
	text, exit := helpOf(serve, env, stderr)
	if exit != 0 {
		return exit
	}
	flags := regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(text, -1)
	slices.Sort(flags)
	c := opt.Completion{Commands: []string{"mount", "umount", "status", "fsck", "serve", "health", "version", "help"}, ServeFlags: slices.Compact(flags)}
	if err := opt.WriteCompletion(stdout, c); err != nil {
		return fail(stderr, err)
	}
	return 0
}

func helpOf(do command, env func(string) string, stderr io.Writer) (text string, exit int) {
	var b bytes.Buffer
	exit = do([]string{"--help"}, env, &b, stderr)
	return b.String(), exit
}
