package server

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"math/big"
	"os"

	"pail/server/internal/smallfile"
)

const (
	accessAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	secretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	accessLength = 20
	secretLength = 40
)

// Credentials makes sure that there is a passwd file (ACCESS:SECRET, mode 0600) at path: where there is none, it writes
// one with a random pair. made tells whether it did.
func Credentials(path string) (made bool, err error) {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	line := randomText(accessAlphabet, accessLength) + ":" + randomText(secretAlphabet, secretLength) + "\n"
	err = smallfile.WriteNew(path, []byte(line), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil // another server has just made one
	}
	return err == nil, err
}

func randomText(alphabet string, n int) string {
	b := make([]byte, n)
	limit := big.NewInt(int64(len(alphabet)))
	for i := range b {
		k, err := rand.Int(rand.Reader, limit)
		if err != nil {
			panic(err) // the system has no randomness: nothing can go on (crypto/rand says it cannot happen)
		}
		b[i] = alphabet[k.Int64()]
	}
	return string(b)
}
