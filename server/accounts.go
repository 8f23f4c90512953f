package server

import (
	"log/slog"

	"pail/server/internal/account"
	"pail/server/internal/s3api"
)

// The one owner of everything, where there is no accounts file. The ids have the form of AWS's. NB: they must not change,
// for owners are recorded by them.
const (
	ownerID     = "7061696c000000000000000000000000000000000000000000000000000000ff"
	ownerNumber = "123456789012"
	ownerName   = "pail"
)

// Accounts are the Keys of an accounts file: several accounts, with users. It follows changes of the file.
type Accounts = account.File

// OpenAccounts reads an accounts file, JSON that is described in API.md, which must have mode 0600. Later versions of it
// that cannot be used are logged, and the last good one stays valid.
func OpenAccounts(path string, log *slog.Logger) (*Accounts, error) { return account.Open(path, log) }

// directory gives the keys and the accounts that they belong to. Keys that know no accounts are the one owner's.
func directory(keys Keys) (Keys, s3api.Accounts, bool) {
	if several, ok := keys.(s3api.Accounts); ok {
		return keys, several, true
	}
	return ownedKeys{keys}, oneAccount{}, false
}

// accountQuota gives the quotas of the accounts behind keys, nil where those know no accounts.
func accountQuota(keys Keys) func(owner string) int64 {
	several, ok := keys.(s3api.Accounts)
	if !ok {
		return nil
	}
	return func(owner string) int64 {
		a, _ := several.ByID(owner)
		return a.Quota
	}
}

// ownedKeys makes every credential the owner's.
type ownedKeys struct{ Keys }

func (k ownedKeys) Lookup(accessKey string) (Credential, bool) {
	c, ok := k.Keys.Lookup(accessKey)
	if c.CanonicalID == "" {
		c.CanonicalID, c.AccountID, c.ARN = ownerID, ownerNumber, oneAccount{}.owner().ARN()
	}
	if c.Account == "" {
		c.Account = ownerName
	}
	return c, ok
}

// oneAccount is the directory of a server without accounts file.
type oneAccount struct{}

func (oneAccount) owner() account.Account {
	return account.Account{Name: ownerName, ID: ownerNumber, CanonicalID: ownerID}
}

func (o oneAccount) ByID(id string) (account.Account, bool) {
	if id == ownerID || id == ownerNumber {
		return o.owner(), true
	}
	return account.Account{}, false
}

func (oneAccount) HasUser(string) bool { return false }

func (oneAccount) ByEmail(string) (account.Account, bool) { return account.Account{}, false }
