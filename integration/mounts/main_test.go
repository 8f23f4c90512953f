package mounts

import (
	"testing"

	"pail/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
