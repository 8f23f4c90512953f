package s3api

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/acl"
	"pail/server/internal/bucketdoc"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// The kinds of documents that are checked and kept, and change nothing: see package bucketdoc. Those that a bucket has
// several of are prefixes, to which the id is appended.
const (
	configAccelerate     store.ConfigKind = "accelerate"
	configRequestPayment store.ConfigKind = "requestPayment"
	configLogging        store.ConfigKind = "logging"
	configNotification   store.ConfigKind = "notification"

	configAnalytics store.ConfigKind = "analytics/"
	configInventory store.ConfigKind = "inventory/"
	configMetrics   store.ConfigKind = "metrics/"
	configTiering   store.ConfigKind = "intelligent-tiering/"
)

const (
	maxDocuments     = 1000 // of a kind, in one bucket
	documentsPerPage = 100
	documentToken    = "configurations" // kind of the tokens of their listings
)

// readDoc reads a document of that shape from the request.
func (r *request) readDoc(shape bucketdoc.Shape) (*bucketdoc.Node, error) {
	if err := r.requireBucket(); err != nil {
		return nil, err
	}
	n := new(bucketdoc.Node)
	if err := r.readXML(n); err != nil {
		return nil, err
	}
	return n, shape.Check(n)
}

func (r *request) keepDoc(kind store.ConfigKind, n *bucketdoc.Node) error {
	var x xmlBuf
	x.rootElement(n.XMLName.Local)
	x.b = append(x.b, n.Content()...)
	x.close(n.XMLName.Local)
	return r.api.store.SetBucketConfig(r.http.Context(), r.bucket, kind, x.b)
}

// putDoc serves the operation that sets the bucket's only document of a kind. check, which may be nil, says more than the
// shape can.
func putDoc(kind store.ConfigKind, shape func() bucketdoc.Shape, check func(*request, *bucketdoc.Node) error) func(*request) error {
	return func(r *request) error {
		n, err := r.readDoc(shape())
		if err != nil {
			return err
		}
		if check != nil {
			if err := check(r, n); err != nil {
				return err
			}
		}
		if err := r.keepDoc(kind, n); err != nil {
			return err
		}
		return r.empty(http.StatusOK)
	}
}

func checkAccelerate(r *request, _ *bucketdoc.Node) error {
	if strings.Contains(r.bucket, ".") {
		return s3err.Newf(s3err.InvalidRequest, "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	return nil
}

// checkLogging takes targets that are there and belong to the bucket's owner, and grants that can be given there.
func checkLogging(r *request, n *bucketdoc.Node) error {
	enabled := n.Child("LoggingEnabled")
	if enabled == nil {
		return nil
	}
	target := enabled.Value("TargetBucket")
	a, err := r.api.accesses.get(r.http.Context(), target)
	switch {
	case errors.Is(err, store.ErrNoSuchBucket):
		return s3err.Newf(s3err.InvalidTargetBucketForLogging, "The target bucket for logging does not exist").With("TargetBucket", target)
	case err != nil:
		return err
	case a.bucket.Owner != r.access.bucket.Owner:
		return s3err.Newf(s3err.InvalidTargetBucketForLogging, "The owner for the bucket to be logged and the target bucket must be the same.").
			With("TargetBucket", target)
	}
	if f := enabled.Child("TargetObjectKeyFormat"); f != nil && f.Child("SimplePrefix") != nil && f.Child("PartitionedPrefix") != nil {
		return s3err.New(s3err.MalformedXML)
	}
	if grants := enabled.Child("TargetGrants"); grants != nil {
		return r.checkLogGrants(grants, a)
	}
	return nil
}

// checkLogGrants takes grantees that there are, as far as the objects of the target bucket may be granted to them.
func (r *request) checkLogGrants(grants *bucketdoc.Node, target *access) error {
	list := acl.List{}
	for i := range grants.Nodes {
		grantee := grants.Nodes[i].Child("Grantee")
		g, err := r.api.grantee(grantee)
		if err != nil {
			return grantError("Grantee", cmp.Or(grantee.Value("ID"), grantee.Value("EmailAddress"), grantee.Value("URI")), err)
		}
		list = append(list, g)
	}
	switch {
	case target.enforced() && len(list) > 0:
		return s3err.Newf(s3err.AccessControlListNotSupported, "Target grants not allowed for bucket owner enforced buckets")
	case target.blockPublicACLs() && list.Public():
		return s3err.New(s3err.AccessDenied)
	}
	return nil
}

// grantee finds a grantee of a document.
func (a *API) grantee(n *bucketdoc.Node) (acl.Grant, error) {
	for _, kind := range []struct{ element, name string }{{"ID", "id"}, {"EmailAddress", "emailAddress"}, {"URI", "uri"}} {
		if value := n.Value(kind.element); value != "" {
			return acl.Grantee(kind.name, value, a)
		}
	}
	return acl.Grant{}, acl.ErrGrant
}

// checkNotification takes only a configuration without destinations: none of AWS's can be reached from here.
func checkNotification(_ *request, n *bucketdoc.Node) error {
	for _, name := range []string{"TopicConfiguration", "QueueConfiguration", "CloudFunctionConfiguration", "EventBridgeConfiguration"} {
		if n.Child(name) != nil {
			return s3err.Newf(s3err.InvalidArgument, "Unable to validate the following destination configurations").With("ArgumentName", name)
		}
	}
	return nil
}

// docID reads the id of a document of which a bucket has several.
func (r *request) docID() (string, error) {
	id := r.arg("id")
	if id == "" || len(id) > 64 {
		return "", invalidArgument("id", id, "Invalid configuration id")
	}
	return id, nil
}

func putDocByID(kind store.ConfigKind, shape func() bucketdoc.Shape) func(*request) error {
	return func(r *request) error {
		id, err := r.docID()
		if err != nil {
			return err
		}
		n, err := r.readDoc(shape())
		if err != nil {
			return err
		}
		if got := n.Value("Id"); got != id {
			return invalidArgument("Id", got, "Document ID does not match the specified configuration ID.")
		}
		list, more, err := r.api.store.BucketConfigs(r.http.Context(), r.bucket, string(kind), "", maxDocuments)
		if err != nil {
			return err
		}
		if more || len(list) == maxDocuments {
			return s3err.Newf(s3err.InvalidRequest, "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.")
		}
		if err := r.keepDoc(kind+store.ConfigKind(id), n); err != nil {
			return err
		}
		return r.empty(http.StatusOK)
	}
}

func getDocByID(kind store.ConfigKind) func(*request) error {
	return func(r *request) error {
		id, err := r.docID()
		if err != nil {
			return err
		}
		b, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, kind+store.ConfigKind(id))
		if errors.Is(err, store.ErrNoSuchConfig) {
			return s3err.New(s3err.NoSuchConfiguration).With("BucketName", r.bucket)
		}
		if err != nil {
			return err
		}
		return r.sendStored(b)
	}
}

func deleteDocByID(kind store.ConfigKind) func(*request) error {
	return func(r *request) error {
		id, err := r.docID()
		if err != nil {
			return err
		}
		full := kind + store.ConfigKind(id)
		if _, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, full); errors.Is(err, store.ErrNoSuchConfig) {
			return s3err.New(s3err.NoSuchConfiguration).With("BucketName", r.bucket)
		} else if err != nil {
			return err
		}
		return deleteConfig(full)(r)
	}
}

// listDocs lists the documents of a kind, by id.
func listDocs(kind store.ConfigKind, root string) func(*request) error {
	return func(r *request) error {
		after, given, err := r.tokenArg(documentToken)
		if err != nil {
			return err
		}
		list, more, err := r.api.store.BucketConfigs(r.http.Context(), r.bucket, string(kind), after, documentsPerPage)
		if err != nil {
			return err
		}
		x := r.doc()
		x.root(root)
		for _, c := range list {
			x.b = append(x.b, c.Document...)
		}
		x.bool("IsTruncated", more)
		if given {
			x.text("ContinuationToken", r.arg("continuation-token"))
		}
		if more {
			x.text("NextContinuationToken", makeToken(documentToken, string(list[len(list)-1].Kind)))
		}
		x.close(root)
		return r.send(http.StatusOK, x)
	}
}
