package mounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"pail/integration/harness"
)

// TestNamesThatAreNotKept removes a file behind the back of a mount that believes nothing, right after it was made there.
func TestNamesThatAreNotKept(t *testing.T) {
	t.Parallel()
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	srv.Bucket(t, "bucket")
	client, m := plainClient{srv.Client(t)}, srv.Mount(t, "bucket", harness.MountOptions{Options: believeNothing})
	for i := range 10 {
		name := fmt.Sprint("f", i)
		if err := os.WriteFile(m.Path(name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := client.delete(name); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(m.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}
