// Package bucketdoc has the shapes of bucket configurations that the server checks, keeps and gives back, and that change
// nothing it does: logging, request payment, acceleration, notification, and inventory, analytics, metrics and
// intelligent tiering with their ids. Shapes are those of the S3 API reference.
//
// A document is read into a tree, held against its shape, and written anew without what XML allows and S3 does not
// need: comments, foreign name spaces, attributes but xsi:type. Errors are *s3err.Error.
package bucketdoc
