package sse

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"pail/server/internal/keyring"
	"pail/server/internal/seal"
)

var (
	// ErrKeyNeeded means that the object is encrypted with a customer's key, and none came with the request.
	ErrKeyNeeded = errors.New("sse: the object is encrypted with a customer's key, which must come with the request")
	// ErrKeyUnwanted means that a customer's key came for an object that is not encrypted with one.
	ErrKeyUnwanted = errors.New("sse: the object is not encrypted with a customer's key")
	// ErrNoKMSKey means that there is no key of KMS of that name.
	ErrNoKMSKey = errors.New("sse: there is no such KMS key")
	// ErrKeyWrong means that the customer's key is not the object's.
	ErrKeyWrong = errors.New("sse: the customer's key is not the object's")
)

// Keys are the keys that the server has. They are safe for concurrent use.
type Keys struct {
	Master *keyring.Master // nil: there is none
	Ring   *keyring.Ring   // nil: there is none
}

// Open gives access to the bytes of an object with that encoded Info; nil for one that is not encrypted. customer is the
// key that came with the request, nil for none. That the server has its own key is found out by the first use.
func (k *Keys) Open(encoded []byte, customer *CustomerKey) (*Access, error) {
	info, err := Decode(encoded)
	switch {
	case err != nil:
		return nil, err
	case info.Scheme == Customer && customer == nil:
		return nil, ErrKeyNeeded
	case info.Scheme == Customer && !info.fits(customer):
		return nil, ErrKeyWrong
	case info.Scheme != Customer && customer != nil:
		return nil, ErrKeyUnwanted
	case info.Scheme == None:
		return nil, nil
	}
	a := &Access{info: info, customer: customer}
	switch info.Scheme {
	case S3:
		a.Keys = masters{k, ""}
	case KMS:
		a.Keys = managed{k, info.Key, info.Context}
	default:
		a.Keys = seal.NewKey(seal.Customer, "", customer.secret, "")
	}
	return a, nil
}

// Has reports whether there is a key of KMS of that name.
func (k *Keys) Has(name string) bool {
	_, ok := k.ring(name)
	return ok || name == DefaultKey
}

func (k *Keys) ring(name string) (secret [32]byte, ok bool) {
	if k.Ring == nil {
		return secret, false
	}
	return k.Ring.Find(name)
}

func (k *Keys) master(name string) (secret [32]byte, ok bool) {
	if k.Master == nil {
		return secret, false
	}
	return k.Master.Find(name)
}

// Check reports whether the server has the key that the label of a unit names, and it fits. Of a customer's key it cannot
// tell.
func (k *Keys) Check(id seal.ID, label []byte) error {
	l, err := seal.ParseLabel(label)
	if err != nil || l.Kind == seal.Customer {
		return err
	}
	key, err := k.named(l, "")
	if err != nil {
		return err
	}
	if _, err = key.Open(id, l); err != nil {
		err = fmt.Errorf("%s: %w", keyName(l), err)
	}
	return err
}

// named finds the key that a label names.
func (k *Keys) named(l seal.Label, context string) (*seal.Key, error) {
	find := k.master
	if l.Kind == seal.Managed {
		find = k.ring
	}
	secret, ok := find(l.Name)
	if !ok {
		return nil, missing(l.Kind, l.Name)
	}
	return seal.NewKey(l.Kind, l.Name, secret, context), nil
}

func missing(k seal.Kind, name string) error {
	if k == seal.Managed {
		return fmt.Errorf("KMS key %s: %w (%w)", name, ErrNoKMSKey, seal.ErrNoKey)
	}
	return fmt.Errorf("master key %s: %w", name, seal.ErrNoKey)
}

func keyName(l seal.Label) string {
	if l.Kind == seal.Master {
		return "master key " + l.Name
	}
	return "KMS key " + l.Name
}

// Access seals and opens the bytes of one object.
type Access struct {
	seal.Keys
	info     Info
	customer *CustomerKey
}

// HidesMD5 reports whether the ETags of the object must not be the MD5 of its bytes, as with S3.
func (a *Access) HidesMD5() bool { return a != nil && a.info.Scheme != S3 }

// Same reports whether what was sealed for a may be given to b as it is.
func (a *Access) Same(b *Access) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.info.Scheme != b.info.Scheme || a.info.Key != b.info.Key || a.info.Context != b.info.Context {
		return false
	}
	return a.info.Scheme != Customer || subtle.ConstantTimeCompare(a.customer.secret[:], b.customer.secret[:]) == 1
}

// masters are the server's master keys: the current one wraps, each unwraps what names it.
type masters struct {
	keys    *Keys
	context string
}

func (m masters) Wrap(id seal.ID) (*seal.Cipher, []byte, error) {
	if m.keys.Master == nil {
		return nil, nil, fmt.Errorf("master key: %w", seal.ErrNoKey)
	}
	name, secret, err := m.keys.Master.Current()
	if err != nil {
		return nil, nil, err
	}
	return seal.NewKey(seal.Master, name, secret, m.context).Wrap(id)
}

func (m masters) Unwrap(id seal.ID, label []byte) (*seal.Cipher, error) {
	l, err := seal.ParseLabel(label)
	if err != nil {
		return nil, seal.ErrOpen
	}
	if l.Kind != seal.Master {
		return nil, seal.ErrWrongKey
	}
	key, err := m.keys.named(l, m.context)
	if err != nil {
		return nil, err
	}
	return unwrap(key, id, l, label)
}

// managed is a key of KMS.
type managed struct {
	keys          *Keys
	name, context string
}

// byMaster is the default key where the ring has none: what it seals does not open as S3's. NB: must not change.
func (m managed) byMaster() masters { return masters{m.keys, "aws:kms\x00" + m.context} }

func (m managed) Wrap(id seal.ID) (*seal.Cipher, []byte, error) {
	secret, ok := m.keys.ring(m.name)
	if !ok && m.name == DefaultKey {
		return m.byMaster().Wrap(id)
	}
	if !ok {
		return nil, nil, missing(seal.Managed, m.name)
	}
	return seal.NewKey(seal.Managed, m.name, secret, m.context).Wrap(id)
}

func (m managed) Unwrap(id seal.ID, label []byte) (*seal.Cipher, error) {
	l, err := seal.ParseLabel(label)
	switch {
	case err != nil:
		return nil, seal.ErrOpen
	case l.Kind == seal.Master && m.name == DefaultKey:
		return m.byMaster().Unwrap(id, label)
	case l.Kind != seal.Managed || l.Name != m.name:
		return nil, seal.ErrWrongKey
	}
	key, err := m.keys.named(l, m.context)
	if err != nil {
		return nil, err
	}
	return unwrap(key, id, l, label)
}

func unwrap(key *seal.Key, id seal.ID, l seal.Label, label []byte) (*seal.Cipher, error) {
	c, err := key.Unwrap(id, label)
	if err != nil {
		err = fmt.Errorf("%s: %w", keyName(l), err)
	}
	return c, err
}
