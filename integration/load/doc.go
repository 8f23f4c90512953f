// Package load changes objects of S3 servers that are killed, stopped and cut off meanwhile, remembers what was
// acknowledged, and checks afterwards that nothing of it is lost and nothing is half there.
package load
