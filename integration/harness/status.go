package harness

import (
	"encoding/json"
	"testing"
)

// MountStatus is what `pail status --json` says of a mount.
type MountStatus struct {
	Mountpoint, Source, State string
	PID                       int
	Report                    struct {
		Open   int   `json:"open_files"`
		Unsent int   `json:"unsent_files"`
		Bytes  int64 `json:"unsent_bytes"`
	}
}

// Status asks a binary for the status of a mount.
func (m *Mount) Status(t testing.TB, binary string) (s MountStatus) {
	t.Helper()
	out := Command{}.Run(t, binary, "status", m.Dir, "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}
