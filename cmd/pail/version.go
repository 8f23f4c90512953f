package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -X main.version=v1.2.3.
var version string

// versionText returns the version, from the build's own record when the linker was not told.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// s3fsLevel is the version of s3fs whose options and formats pail follows.
const s3fsLevel = "1.97"

// s3fsVersion is the line that scripts look for in the answer of "s3fs --version".
func s3fsVersion() string {
	return fmt.Sprintf("Amazon Simple Storage Service File System V%s (commit:pail-%s) with Go", s3fsLevel, versionText())
}

// printVersion is "pail version".
func printVersion(_ []string, _ func(string) string, w, _ io.Writer) int {
	fmt.Fprintf(w, "pail %s %s/%s %s\n", versionText(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return 0
}
