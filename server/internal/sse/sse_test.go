package sse

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/server/internal/keyring"
	"pail/server/internal/seal"
)

func newKeys(t *testing.T) *Keys {
	t.Helper()
	dir := t.TempDir()
	m, err := keyring.OpenMaster(filepath.Join(dir, "master"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	const key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
	if err := os.WriteFile(filepath.Join(dir, "kms"), []byte("a:"+key+"\nb:"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := keyring.OpenRing(filepath.Join(dir, "kms"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Keys{Master: m, Ring: r}
}

func customer(b byte) *CustomerKey {
	k, _ := NewCustomerKey(bytes.Repeat([]byte{b}, 32))
	return k
}

// Only the Access that is of the same key opens what another has sealed.
func TestOnlyTheSameKeyOpens(t *testing.T) {
	keys := newKeys(t)
	one, two := customer(1), customer(2)
	type object struct {
		info     Info
		customer *CustomerKey
	}
	objects := []object{{Info{Scheme: S3}, nil}, {Info{Scheme: KMS, Key: "a"}, nil}, {Info{Scheme: KMS, Key: "b"}, nil},
		{Info{Scheme: KMS, Key: DefaultKey}, nil}, {Info{Scheme: KMS, Key: "a", Context: "x"}, nil},
		{Info{Scheme: KMS, Key: DefaultKey, Context: "x"}, nil}, {ForCustomer(one), one}, {ForCustomer(two), two}}
	id := seal.ID{1}
	for i, o := range objects {
		from, err := keys.Open(o.info.Encode(), o.customer)
		if err != nil {
			t.Fatal(i, err)
		}
		_, label, err := from.Wrap(id)
		if err != nil {
			t.Fatal(i, err)
		}
		if err := keys.Check(id, label); err != nil {
			t.Errorf("%d: Check: %v", i, err)
		}
		for j, p := range objects {
			to, err := keys.Open(p.info.Encode(), p.customer)
			if err != nil {
				t.Fatal(j, err)
			}
			_, err = to.Unwrap(id, label)
			if from.Same(to) != (i == j) || (err == nil) != (i == j) {
				t.Errorf("%d opened with the key of %d: %v; the same: %v", i, j, err, from.Same(to))
			}
		}
		if from.HidesMD5() != (i > 0) || from.Same(nil) {
			t.Errorf("%d: HidesMD5 %v", i, from.HidesMD5())
		}
	}
	again := ForCustomer(one)
	a, _ := keys.Open(again.Encode(), one)
	b, _ := keys.Open(objects[6].info.Encode(), one)
	if !a.Same(b) || bytes.Equal(again.mark, objects[6].info.mark) {
		t.Error("two objects of one customer's key")
	}
	var none *Access
	if !none.Same(nil) || none.HidesMD5() {
		t.Error("no encryption is not the same as none")
	}
}

func TestRefusals(t *testing.T) {
	keys := newKeys(t)
	one, two := customer(1), customer(2)
	encoded := ForCustomer(one).Encode()
	for _, c := range []struct {
		encoded []byte
		key     *CustomerKey
		want    error
	}{
		{encoded, nil, ErrKeyNeeded}, {encoded, two, ErrKeyWrong}, {encoded, one, nil}, {nil, one, ErrKeyUnwanted},
		{Info{Scheme: S3}.Encode(), one, ErrKeyUnwanted}, {nil, nil, nil}, {[]byte("nonsense"), nil, errInfo}, {encoded[:20], one, errInfo},
	} {
		if _, err := keys.Open(c.encoded, c.key); !errors.Is(err, c.want) {
			t.Errorf("%x: %v, want %v", c.encoded, err, c.want)
		}
	}
	a, err := keys.Open(Info{Scheme: KMS, Key: "none"}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Wrap(seal.ID{}); !errors.Is(err, ErrNoKMSKey) || keys.Has("none") || !keys.Has("a") || !keys.Has(DefaultKey) {
		t.Errorf("a key that is not there: %v", err)
	}
	if strings.Contains(fmt.Sprint(one), "1") || bytes.Contains(encoded, one.secret[:4]) {
		t.Error("a customer's key shows")
	}
}

// A server that lost its keys says which.
func TestLostKeys(t *testing.T) {
	keys := newKeys(t)
	for _, info := range []Info{{Scheme: S3}, {Scheme: KMS, Key: "a"}} {
		a, _ := keys.Open(info.Encode(), nil)
		_, label, err := a.Wrap(seal.ID{})
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []*Keys{newKeys(t), {}} {
			if info.Scheme == KMS && other.Ring != nil {
				other.Ring = nil
			}
			a, _ := other.Open(info.Encode(), nil)
			_, err := a.Unwrap(seal.ID{}, label)
			if !errors.Is(err, seal.ErrNoKey) || !errors.Is(other.Check(seal.ID{}, label), seal.ErrNoKey) {
				t.Errorf("%v: %v", info, err)
			}
		}
	}
}
