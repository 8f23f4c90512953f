package tree

import (
	"fmt"
	"testing"
)

func BenchmarkForgetTree(b *testing.B) {
	c, _ := newTestCache(100_000)
	for i := range 100_000 {
		c.Put(fmt.Sprintf("some/where/d%d/file-%d", i/100, i), i, c.Begin())
	}
	i := 0
	for b.Loop() {
		c.ForgetTree(fmt.Sprintf("some/where/e%d", i))
		i++
	}
}
