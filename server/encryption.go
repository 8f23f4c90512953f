package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"pail/server/internal/keyring"
	"pail/server/internal/meta"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// Files below the metadata directory.
const (
	masterKeyFile   = "master-keys"
	masterKeyRecord = "master-key-used" // that there is a master key; must not change
)

func (o *Options) masterKeys() string {
	if o.MasterKeyFile != "" {
		return o.MasterKeyFile
	}
	return filepath.Join(o.MetadataDir, masterKeyFile)
}

// masterKeyRecord is where it is recorded that there is a master key, "" without a metadata directory.
func (o *Options) masterKeyRecord() string {
	if o.MetadataDir == "" {
		return ""
	}
	return filepath.Join(o.MetadataDir, masterKeyRecord)
}

// openKeys reads the keys of server-side encryption that the server has.
func (o *Options) openKeys() (keys *sse.Keys, err error) {
	keys = new(sse.Keys)
	if keys.Master, err = keyring.OpenMaster(o.masterKeys(), o.masterKeyRecord(), o.Log); err != nil {
		return nil, err
	}
	if o.KMSKeyFile != "" {
		keys.Ring, err = keyring.OpenRing(o.KMSKeyFile, o.Log)
	}
	return keys, err
}

// requireKeys fails where a master key is gone that the store's objects need: clients of a server without it would find that
// out object by object, years later. Check goes on without.
func (o *Options) requireKeys() error {
	m, err := keyring.OpenMaster(o.masterKeys(), o.masterKeyRecord(), o.Log)
	if err != nil {
		return err
	}
	return m.Require()
}

// forgetKeys has the database forget the master keys that an operator took out of the record, before the first server starts.
func (o *Options) forgetKeys(db meta.DB) error {
	m, err := keyring.OpenMaster(o.masterKeys(), o.masterKeyRecord(), o.Log)
	if err != nil {
		return err
	}
	recorded, err := m.Recorded()
	if err != nil {
		return err
	}
	return store.ForgetMasterKeys(context.Background(), db, recorded)
}

// RotateMasterKey adds a master key for what is encrypted from now on, by a running server too, and gives its name. Of
// Options it needs MetadataDir or MasterKeyFile; with the former it makes no new file in place of one that is gone. Earlier keys stay, for what they have encrypted.
func RotateMasterKey(opt Options) (name string, err error) {
	path := opt.masterKeys()
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("directory %s: %w", filepath.Dir(path), ErrNoStore)
	}
	return keyring.Rotate(path, opt.masterKeyRecord())
}
