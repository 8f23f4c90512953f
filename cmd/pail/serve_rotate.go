package main

import (
	"fmt"
	"io"

	"pail/server"
)

// rotateMasterKey adds a master key of server-side encryption, and says which.
func (o *serveOptions) rotateMasterKey(stdout, stderr io.Writer) int {
	name, err := server.RotateMasterKey(server.Options{MetadataDir: o.metadata, MasterKeyFile: o.masterKeys})
	if err == nil {
		_, err = fmt.Fprintf(stdout, "master key %s encrypts from now on; the earlier ones must stay in the file, for what they have encrypted\n", name)
	}
	if err != nil {
		return fail(stderr, fmt.Errorf("--rotate-master-key: %w", err))
	}
	return 0
}
