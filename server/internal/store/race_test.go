//go:build race

package store

// raced tells that the race detector is at work, with which Pebble also checks its invariants: a power cut then costs
// thirty times as much.
const raced = true
