package memdb

import (
	"testing"

	"pail/server/internal/meta"
	"pail/server/internal/meta/metatest"
)

func TestContract(t *testing.T) {
	metatest.Run(t, func(*testing.T) meta.DB { return New() })
}
