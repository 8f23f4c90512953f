package s3api

import (
	"slices"
	"strings"
	"testing"

	"pail/server/internal/policy"
)

// Every operation has its action, so that none is decided by accident, and policies can name every action.
func TestEveryOperationHasAnAction(t *testing.T) {
	known := policy.Actions()
	for _, o := range ops() {
		if o.serve == nil || o.public {
			continue
		}
		if o.action == "" {
			t.Errorf("%s has no action: write it into actions", o.name)
		} else if !slices.Contains(known, strings.ToLower(o.action)) {
			t.Errorf("%s: policies do not know %s", o.name, o.action)
		}
		if v := versioned(o.action, "v"); !slices.Contains(known, strings.ToLower(v)) {
			t.Errorf("%s: policies do not know %s", o.name, v)
		}
	}
}
