package harness

import "os"

// Soaking reports whether `make soak` runs the tests: for as long and as large as it takes, not as CI can wait for.
func Soaking() bool { return os.Getenv("PAIL_SOAK") != "" }

// Scale is short in `make test` and long in `make soak`.
func Scale[T any](short, long T) T {
	if Soaking() {
		return long
	}
	return short
}
