package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/acl"
	"pail/server/internal/s3err"
)

// grantHeaders are the headers that grant one permission each.
var grantHeaders = []struct {
	name       string
	permission acl.Permission
}{
	{"X-Amz-Grant-Full-Control", acl.FullControl},
	{"X-Amz-Grant-Read", acl.Read},
	{"X-Amz-Grant-Read-Acp", acl.ReadACP},
	{"X-Amz-Grant-Write", acl.Write},
	{"X-Amz-Grant-Write-Acp", acl.WriteACP},
}

// subject is what a list of grants is for.
type subject struct {
	object      bool
	owner       string // canonical ids
	bucketOwner string
}

// hasACLHeaders reports whether the request asks for a list of grants in its headers.
func hasACLHeaders(h http.Header) bool {
	for _, g := range grantHeaders {
		if h[g.name] != nil {
			return true
		}
	}
	return h["X-Amz-Acl"] != nil
}

// headerACL reads the list that the headers ask for; given is false when they do not.
func (r *request) headerACL(s subject) (list acl.List, given bool, err error) {
	h := r.http.Header
	canned := h.Get("X-Amz-Acl")
	for _, g := range grantHeaders {
		v := h.Get(g.name)
		if v == "" {
			continue
		}
		if canned != "" {
			return nil, true, s3err.Newf(s3err.InvalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed")
		}
		more, err := acl.ParseGrants(v, g.permission, r.api)
		if err != nil {
			return nil, true, grantError(g.name, v, err)
		}
		list, given = append(list, more...), true
	}
	if len(list) > acl.MaxGrants {
		return nil, true, s3err.New(s3err.InvalidRequest)
	}
	if canned == "" {
		return list, given, nil
	}
	list, ok := acl.Canned(canned, s.owner, s.bucketOwner, s.object)
	if !ok {
		return nil, true, invalidArgument("x-amz-acl", canned, "")
	}
	return list, true, nil
}

func grantError(header, value string, err error) error {
	var unknown *acl.UnknownError
	switch {
	case !errors.As(err, &unknown):
		return invalidArgument(strings.ToLower(header), value, "Argument format not recognized")
	case unknown.Kind == "emailAddress":
		return s3err.New(s3err.UnresolvableGrantByEmailAddress).With("EmailAddress", unknown.Value)
	case unknown.Kind == "uri":
		return invalidArgument("Group/URI", unknown.Value, "Invalid group uri")
	}
	return invalidArgument("CanonicalUser/ID", unknown.Value, "Invalid id")
}

// objectACL gives the stored list of a new object of that owner, nil for the owner's alone. Where ownership is enforced
// there is none, and a request may ask for what the bucket's owner has anyway only.
func (r *request) objectACL(owner owner) ([]byte, error) {
	if !hasACLHeaders(r.http.Header) {
		return nil, nil
	}
	a := r.access
	s := subject{object: true, owner: owner.id, bucketOwner: a.bucket.Owner}
	list, given, err := r.headerACL(s)
	if a.enforced() {
		switch r.header("X-Amz-Acl") {
		case "private", "bucket-owner-full-control": // is how it is anyway
			return nil, err
		case "":
			if err == nil && list.OwnerOnly(a.bucket.Owner) {
				return nil, nil
			}
		default:
			if err != nil {
				return nil, err
			}
		}
		return nil, s3err.New(s3err.AccessControlListNotSupported)
	}
	if err != nil || !given {
		return nil, err
	}
	if a.blockPublicACLs() && list.Public() {
		return nil, s3err.New(s3err.AccessDenied)
	}
	return list.Encode(), nil
}

// aclDocument is the body of PutBucketAcl and PutObjectAcl.
type aclDocument struct {
	XMLName xml.Name `xml:"AccessControlPolicy"`
	Owner   *struct {
		ID string
	}
	AccessControlList *struct {
		Grant []struct {
			Grantee *struct {
				Type         string `xml:"type,attr"`
				ID           string
				EmailAddress string
				URI          string
			}
			Permission acl.Permission
		}
	}
}

// readACL reads the list of a PutBucketAcl or PutObjectAcl, from headers or from the body, not from both.
func (r *request) readACL(s subject) (acl.List, error) {
	body, err := r.readBody(maxXMLBody)
	if err != nil {
		return nil, err
	}
	list, given, err := r.headerACL(s)
	switch {
	case err != nil:
		return nil, err
	case given && len(body) > 0:
		return nil, s3err.New(s3err.UnexpectedContent)
	case given:
		return list, nil
	case len(body) == 0:
		return nil, s3err.New(s3err.MissingSecurityHeader).With("MissingHeaderName", "x-amz-acl")
	}
	var d aclDocument
	if err := parseXML(body, &d); err != nil {
		return nil, s3err.New(s3err.MalformedACLError).Wrap(err)
	}
	return r.documentACL(&d, s)
}

func (r *request) documentACL(d *aclDocument, s subject) (acl.List, error) {
	if d.AccessControlList == nil || d.Owner == nil || len(d.AccessControlList.Grant) > acl.MaxGrants {
		return nil, s3err.New(s3err.MalformedACLError)
	}
	if id := d.Owner.ID; id == "" {
		return nil, s3err.New(s3err.MalformedACLError)
	} else if id != s.owner {
		return nil, s3err.New(s3err.AccessDenied)
	}
	list := acl.List{}
	for _, in := range d.AccessControlList.Grant {
		if in.Grantee == nil || !in.Permission.Valid() {
			return nil, s3err.New(s3err.MalformedACLError)
		}
		kind, value := "id", in.Grantee.ID
		switch in.Grantee.Type {
		case "CanonicalUser":
		case "AmazonCustomerByEmail":
			kind, value = "emailAddress", in.Grantee.EmailAddress
		case "Group":
			kind, value = "uri", in.Grantee.URI
		default:
			return nil, s3err.New(s3err.MalformedACLError)
		}
		g, err := acl.Grantee(kind, value, r.api)
		if err != nil {
			return nil, grantError("Grantee", value, err)
		}
		g.Permission = in.Permission
		list = append(list, g)
	}
	return list, nil
}

// sendACL answers a list of grants.
func (r *request) sendACL(owner owner, list acl.List) error {
	x := r.doc()
	x.root("AccessControlPolicy")
	x.owner("Owner", owner)
	x.open("AccessControlList")
	for _, g := range list {
		x.open("Grant")
		x.b = append(x.b, `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="`...)
		if g.Group != "" {
			x.b = append(x.b, `Group">`...)
			x.text("URI", g.Group)
		} else {
			x.b = append(x.b, `CanonicalUser">`...)
			x.text("ID", g.ID)
			x.optional("DisplayName", r.api.accountOf(g.ID).Name)
		}
		x.close("Grantee")
		x.text("Permission", string(g.Permission))
		x.close("Grant")
	}
	x.close("AccessControlList")
	x.close("AccessControlPolicy")
	return r.send(http.StatusOK, x)
}
