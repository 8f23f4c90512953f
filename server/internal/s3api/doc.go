// Package s3api is S3 over HTTP: it turns requests into calls of package store and their results into S3's answers.
//
// ops.go holds the one table of operations; router, metric labels, NotImplemented answers and the list in API.md derive
// from it. A request passes, in this order: URL parsing (request.go; net/http's mux is not used, for it would clean
// "a/../b", an ordinary key), the table (route.go), authentication (package sigauth), authorize (authorize.go, the one
// place that decides who may do what), and then the operation's serve function, one file per S3 resource. Only a
// browser's form (object_post.go) has its credentials in its body, and passes these steps when its fields are read.
//
// authorize asks the bucket's policy, the lists of grants and the owners of bucket and object about the operation's IAM
// action (actions.go). What decides about a bucket is parsed once and kept (access.go) until any bucket's configuration
// changes, so that the owner's requests cost no look-up. With several servers over one database, that needs word of the
// others' changes.
//
// A serve function writes its answer through the request's methods (respond.go), or returns an error and writes
// nothing. Errors are translated in one place (errors.go): the store's sentinels become S3's codes, and what nobody
// knows is logged once, with the request id, and answered InternalError. A panic fails its own request only. An error
// after the first byte of an answer cuts the connection: a client must never take half an object for a whole one.
//
// Nothing reads a request's body before everything that can be known without it has been checked, so that a client
// that sent "Expect: 100-continue" is refused before it uploads. Bodies that are not object data are bounded.
//
// Keys are bytes: they come from the raw path, decoded once, and are limited by length only.
package s3api
