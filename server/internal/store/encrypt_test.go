package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pail/server/internal/keyring"
	"pail/server/internal/meta"
	"pail/server/internal/meta/memdb"
	"pail/server/internal/seal"
	"pail/server/internal/sse"
)

// TestEncryptedRowsOfVersion1 reads a row as the first version wrote it: master key, ID, description of the encryption and
// bytes are in the golden file. It must be readable for ever.
func TestEncryptedRowsOfVersion1(t *testing.T) {
	path, text := filepath.Join("testdata", "encrypted-v1.golden"), "hello, encrypted row"
	if *rewrite {
		writeEncryptedRow(t, path, text)
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(golden), "\n")
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	master, err := keyring.OpenMaster(file, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	field := func(i int) []byte {
		b, err := hex.DecodeString(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	keys, err := (&sse.Keys{Master: master}).Open(field(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := openData(meta.ID(field(1)), field(3), keys); err != nil || string(got) != text {
		t.Errorf("%q, %v", got, err)
	}
}

func writeEncryptedRow(t *testing.T, path, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if _, err := keyring.Rotate(file, ""); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.TrimSpace(b[bytes.LastIndexByte(bytes.TrimSpace(b), '\n')+1:])
	master, err := keyring.OpenMaster(file, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	info := withDefaultKey()
	keys, err := (&sse.Keys{Master: master}).Open(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	u := unit{id: meta.ID{1, 2, 3}}
	if u.cipher, u.label, err = keys.Wrap(u.id); err != nil {
		t.Fatal(err)
	}
	record := make([]byte, recordRoom(int64(len(text))))
	copy(record[meta.RecordHeader:], text)
	payload := u.record(record, len(text))[meta.RecordHeader:]
	golden := fmt.Sprintf("%s\n%x\n%x\n%x\n", line, u.id, info, payload)
	if err := os.WriteFile(path, []byte(golden), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Bytes that somebody changed on disk, checksums and all, are not served.
func TestForgedRowsAreNotServed(t *testing.T) {
	e := newEnv(t, memdb.New())
	e.encryption = withMaster
	e.put("k", data(500, 1))
	e.put("other", data(500, 2))
	at, payload := e.dataRow("k")
	_, stranger := e.dataRow("other")
	flipped := bytes.Clone(payload)
	flipped[len(flipped)-1] ^= 1
	for name, forged := range map[string][]byte{"a bit": flipped, "another's": stranger, "plain bytes": data(500, 3), "cut": payload[:len(payload)-5]} {
		if err := e.db.Update(ctx, func(x meta.Txn) error { return save(x, meta.DataKey(at), forged) }); err != nil {
			t.Fatal(err)
		}
		if p, err := read(e.Store, "b", "k"); !errors.Is(err, ErrDamaged) && !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("%s: %d bytes, %v", name, len(p), err)
		}
	}
	if err := e.db.Update(ctx, func(x meta.Txn) error { return save(x, meta.DataKey(at), payload) }); err != nil {
		t.Fatal(err)
	}
	e.has("k", data(500, 1))
}

// dataRow finds the row of the object's bytes.
func (e *env) dataRow(key string) (id meta.ID, payload []byte) {
	e.t.Helper()
	err := e.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, "b")
		if err != nil {
			return err
		}
		o, err := currentObject(r, b, key)
		if err != nil {
			return err
		}
		id = o.body.id
		payload, err = loadPayload(r, id)
		payload = bytes.Clone(payload)
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return id, payload
}

// A copy that is made while its source becomes encrypted, or with another key, can be read.
func TestCopiesWhileTheEncryptionChanges(t *testing.T) {
	e := newEnv(t, memdb.New())
	kinds := [][]byte{nil, withMaster(), withDefaultKey()}
	var putting sync.WaitGroup
	stop := make(chan struct{})
	putting.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			p := data([]int{10, 5000}[i%2], byte(i%3))
			if _, err := e.PutObject(ctx, PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(p), Size: int64(len(p)), Extra: Extra{Encryption: kinds[i%3]}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 300 {
		_, err := e.CopyObject(ctx, CopyInput{SrcBucket: "b", SrcKey: "k", DstBucket: "b", DstKey: "copy", Extra: Extra{Encryption: kinds[i/2%3]}})
		if errors.Is(err, ErrNoSuchKey) || errors.Is(err, ErrConditionalConflict) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if p := e.get("copy"); len(p) != 10 && len(p) != 5000 {
			t.Fatalf("copy %d has %d bytes", i, len(p))
		}
	}
	close(stop)
	putting.Wait()
}
