package s3api

import (
	"pail/server/internal/account"
	"pail/server/internal/acl"
	"pail/server/internal/policy"
	"pail/server/internal/s3err"
)

// Accounts finds accounts by what policies, lists of grants and rows call them. Its methods are called concurrently.
type Accounts interface {
	ByID(numberOrCanonicalID string) (account.Account, bool)
	ByEmail(address string) (account.Account, bool)
	HasUser(arn string) bool
}

// owner is an account as XML shows it.
type owner struct{ id, name string }

// owner is the account of the request's credentials.
func (r *request) owner() owner {
	if r.identity.Anonymous {
		return owner{id: acl.AnonymousID}
	}
	return owner{id: r.identity.CanonicalID, name: r.identity.Account}
}

// newOwner is the account that will own what the request makes in its bucket. Where ownership is enforced, that is the
// bucket's owner; with BucketOwnerPreferred also, when the request gives the bucket's owner full control.
func (r *request) newOwner() owner {
	a := r.access
	given := a.ownership == ownershipPreferred && r.header("X-Amz-Acl") == "bucket-owner-full-control"
	if a.enforced() || given {
		return r.ownerOf(a.bucket.Owner)
	}
	return r.owner()
}

// ownerOf describes the owner whose id is kept with a bucket or an object. Where ownership is enforced, all objects are
// the bucket's owner's.
func (r *request) ownerOf(id string) owner {
	if a := r.access; a != nil && a.enforced() {
		id = a.bucket.Owner
	}
	o := r.owner()
	if id == "" || id == o.id {
		return o
	}
	return owner{id: id, name: r.api.accountOf(id).Name}
}

// accountOf gives the account of a canonical id; the zero Account when there is none any more.
func (a *API) accountOf(id string) account.Account {
	if a.accounts == nil {
		return account.Account{}
	}
	found, _ := a.accounts.ByID(id)
	return found
}

// accountID is what lists of grants know the request's identity by. Whoever has none is one account too, as at AWS: what
// anybody uploads without credentials, everybody without credentials may read.
func (r *request) accountID() string { return r.owner().id }

func (r *request) principal() policy.Principal {
	if r.identity.Anonymous {
		return policy.Principal{}
	}
	return policy.Principal{AccountID: r.identity.AccountID, ARN: r.identity.ARN, CanonicalID: r.identity.CanonicalID}
}

// checkExpectedOwner refuses a request whose sender thinks that the bucket is another account's.
func (r *request) checkExpectedOwner(header string, a *access) error {
	want := r.header(header)
	if want == "" {
		return nil
	}
	if len(want) != 12 || !digits(want) {
		return s3err.New(s3err.InvalidBucketOwnerAWSAccountID).With("BucketOwner", want)
	}
	if r.api.accountOf(a.bucket.Owner).ID != want {
		return s3err.New(s3err.AccessDenied)
	}
	return nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// CanonicalID and Email make the API the directory in which grantees are found.
func (a *API) CanonicalID(id string) bool {
	return a.accounts == nil || a.accountOf(id).CanonicalID == id && id != ""
}

// Email is as CanonicalID.
func (a *API) Email(address string) (string, bool) {
	if a.accounts == nil {
		return "", false
	}
	found, ok := a.accounts.ByEmail(address)
	return found.CanonicalID, ok
}

func (x *xmlBuf) owner(element string, o owner) {
	x.open(element)
	x.text("ID", o.id)
	x.optional("DisplayName", o.name)
	x.close(element)
}
