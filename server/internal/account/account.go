package account

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"pail/server/internal/sigauth"
)

// maxFileSize bounds the accounts file, in bytes.
const maxFileSize = 16 << 20

// Account is one owner of buckets.
type Account struct {
	Name        string
	ID          string // 12 digits
	CanonicalID string // 64 hexadecimal digits
	Email       string
	Quota       int64 // bytes that all its buckets may hold; 0: no bound
}

// ARN names the account itself, as policies do.
func (a Account) ARN() string { return "arn:aws:iam::" + a.ID + ":root" }

func (a Account) userARN(user string) string { return "arn:aws:iam::" + a.ID + ":user/" + user }

// Set is the content of an accounts file. It is never written to after it was made.
type Set struct {
	accounts    []Account
	credentials map[string]sigauth.Credential // by access key
	byID        map[string]int                // by number and by canonical id
	byEmail     map[string]int                // in lower case
	users       map[string]bool               // by ARN
}

type file struct {
	Accounts []struct {
		Name        string `json:"name"`
		ShortID     string `json:"shortid"`
		CanonicalID string `json:"canonicalID"`
		ARN         string `json:"arn"`
		Email       string `json:"email"`
		Quota       int64  `json:"quota"`
		Keys        []key  `json:"keys"`
		Users       []struct {
			Name string `json:"name"`
			ARN  string `json:"arn"`
			Keys []key  `json:"keys"`
		} `json:"users"`
	} `json:"accounts"`
}

type key struct {
	Access string `json:"access"`
	Secret string `json:"secret"`
}

var (
	numberForm    = regexp.MustCompile(`^[0-9]{12}$`)
	canonicalForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	userForm      = regexp.MustCompile(`^[A-Za-z0-9+=,.@_/-]{1,128}$`)
)

// Parse reads an accounts file. Errors name the account, never a secret.
func Parse(r io.Reader) (*Set, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxFileSize {
		return nil, errors.New("file is too large")
	}
	var f file
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, describe(err)
	}
	if dec.More() {
		return nil, errors.New("something follows the JSON document")
	}
	if len(f.Accounts) == 0 {
		return nil, errors.New(`there are no accounts: write {"accounts": [{"name": ..., "keys": [{"access": ..., "secret": ...}]}]}`)
	}
	s := &Set{credentials: map[string]sigauth.Credential{}, byID: map[string]int{}, byEmail: map[string]int{}, users: map[string]bool{}}
	for i, in := range f.Accounts {
		a := Account{Name: in.Name, ID: in.ShortID, CanonicalID: in.CanonicalID, Email: in.Email, Quota: in.Quota}
		if a.Name == "" {
			return nil, fmt.Errorf("account %d has no name", i+1)
		}
		a.derive()
		if err := s.add(a); err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
		if in.ARN != "" && in.ARN != a.ARN() && in.ARN != strings.TrimSuffix(a.ARN(), "root") {
			return nil, fmt.Errorf("account %q: arn is not %s, which follows from its shortid", a.Name, a.ARN())
		}
		if err := s.addKeys(a, "", in.Keys); err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
		for _, u := range in.Users {
			if !userForm.MatchString(u.Name) {
				return nil, fmt.Errorf("account %q: %q is no name of a user", a.Name, u.Name)
			}
			s.users[a.userARN(u.Name)] = true
			if err := s.addKeys(a, u.Name, u.Keys); err != nil {
				return nil, fmt.Errorf("account %q: user %q: %w", a.Name, u.Name, err)
			}
		}
	}
	return s, nil
}

// describe keeps what a file says out of the message: it may be a secret.
func describe(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("invalid JSON after %d bytes", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("%s must not be a JSON %s", kind.Field, kind.Value)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return errors.New("invalid JSON")
}

// derive fills in ids that were not given. NB: what they are derived from must not change: owners are recorded by them.
func (a *Account) derive() {
	sum := sha256.Sum256([]byte("pail account\x00" + a.Name))
	if a.CanonicalID == "" {
		a.CanonicalID = hex.EncodeToString(sum[:])
	}
	if a.ID == "" {
		a.ID = fmt.Sprintf("%012d", binary.BigEndian.Uint64(sum[:])%1e12)
	}
}

func (s *Set) add(a Account) error {
	email := strings.ToLower(a.Email)
	switch {
	case !numberForm.MatchString(a.ID):
		return errors.New("shortid must be 12 digits")
	case !canonicalForm.MatchString(a.CanonicalID):
		return errors.New("canonicalID must be 64 lower-case hexadecimal digits")
	case email != "" && !strings.Contains(email, "@"):
		return errors.New("email is no address")
	case a.Quota < 0:
		return errors.New("quota must be a number of bytes")
	}
	for _, other := range s.accounts {
		if other.Name == a.Name {
			return errors.New("the name is there twice")
		}
	}
	if _, twice := s.byID[a.ID]; twice {
		return errors.New("another account has its shortid")
	}
	if _, twice := s.byID[a.CanonicalID]; twice {
		return errors.New("another account has its canonicalID")
	}
	if _, twice := s.byEmail[email]; twice {
		return errors.New("another account has its email")
	}
	s.byID[a.ID], s.byID[a.CanonicalID] = len(s.accounts), len(s.accounts)
	if email != "" {
		s.byEmail[email] = len(s.accounts)
	}
	s.accounts = append(s.accounts, a)
	return nil
}

func (s *Set) addKeys(a Account, user string, keys []key) error {
	for _, k := range keys {
		if k.Access == "" || k.Secret == "" {
			return errors.New("a key needs both access and secret")
		}
		if _, twice := s.credentials[k.Access]; twice {
			return fmt.Errorf("access key %s is there twice", k.Access)
		}
		s.credentials[k.Access] = Credential(a, user, k.Access, k.Secret)
	}
	return nil
}

// Credential makes the credential of an account, or of one of its users.
func Credential(a Account, user, access, secret string) sigauth.Credential {
	c := sigauth.Credential{AccessKey: access, SecretKey: secret, Account: a.Name, CanonicalID: a.CanonicalID, AccountID: a.ID,
		User: user, ARN: a.ARN()}
	if user != "" {
		c.ARN = a.userARN(user)
	}
	return c
}

// Lookup finds the credential of an access key.
func (s *Set) Lookup(accessKey string) (sigauth.Credential, bool) {
	c, ok := s.credentials[accessKey]
	return c, ok
}

// ByID finds an account by its number or its canonical id.
func (s *Set) ByID(id string) (Account, bool) { return s.at(s.byID, id) }

// ByEmail finds an account by its address, in any case.
func (s *Set) ByEmail(address string) (Account, bool) {
	return s.at(s.byEmail, strings.ToLower(address))
}

// HasUser reports whether a user of an account has that ARN.
func (s *Set) HasUser(arn string) bool { return s.users[arn] }

func (s *Set) at(index map[string]int, key string) (Account, bool) {
	i, ok := index[key]
	if !ok {
		return Account{}, false
	}
	return s.accounts[i], true
}
