// Package store is the semantics of S3, written once over a meta.DB and a blob.Store.
package store
