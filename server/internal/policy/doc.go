// Package policy reads bucket policies and decides by them. It is pure: no store, no HTTP, no clock of its own.
//
// Parse takes the JSON of a policy, checks it as S3 does when a policy is put - elements, effects, principals, actions,
// resources of that very bucket, condition operators and keys, and that each action applies to some resource - and gives
// a Policy. Its errors are *Error, whose text is what AWS says with the code MalformedPolicy.
//
// Evaluate decides one Request: a matching Deny wins over everything, then a matching Allow; otherwise the policy says
// nothing. A statement matches when principal, action, resource and all conditions do. The values that conditions are
// held against come from the caller, by key; a key that the request does not have has no values (see condition.go for
// what each operator makes of that).
//
// IsPublic is AWS's meaning of "public" ("Blocking public access to your Amazon S3 storage", S3 user guide): an Allow for
// everybody that no condition narrows to fixed values.
//
// Sources: IAM user guide, "JSON policy elements reference" and "Condition operators"; service authorization reference,
// "Actions, resources, and condition keys for Amazon S3".
//
// A Policy is never written to after Parse and may be used concurrently.
package policy
