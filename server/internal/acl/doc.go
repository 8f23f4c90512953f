// Package acl is S3's access control lists: who is granted what on a bucket or an object. It is pure: it knows neither the
// store nor HTTP.
//
// A List is the grants; the owner is kept beside it by whoever keeps the list. Canned gives the lists that clients ask for
// by name, ParseGrants reads the x-amz-grant-* headers, and Encode and Decode are the form in which lists are stored: a
// version byte and lines "PERMISSION kind:value". NB: that form must not change.
//
// Source: "Access control list (ACL) overview" in the S3 user guide.
package acl
