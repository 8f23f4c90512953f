// Package s3err is the vocabulary of errors that the S3 server answers with.
//
// A Code is a name that AWS documents ("NoSuchKey"); a table gives each its HTTP status and the message AWS words for
// it. New makes an *Error from the table, With adds the extra elements some answers carry (BucketName, Key, Region,
// StringToSign and so on), and AppendXML writes the document a client parses.
//
// Errors are values: every method that "changes" one returns a copy, so an *Error may be shared between goroutines and
// kept in a variable. They match by code: errors.Is(err, s3err.New(s3err.NoSuchKey)), or shorter Is(err, NoSuchKey).
//
// The package imports nothing of pail but how to write XML text, and so every layer of the server may speak it. Which error of the store means
// which code is decided in package s3api.
package s3err
