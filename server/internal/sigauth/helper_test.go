package sigauth

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/server/internal/s3err"
)

// The credential and the time of AWS's examples.
const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	emptySHA256   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func exampleTime() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) }

type keyring map[string]Credential

func (k keyring) Lookup(accessKey string) (Credential, bool) {
	c, ok := k[accessKey]
	return c, ok
}

func exampleKeys() keyring {
	return keyring{
		exampleKey: {AccessKey: exampleKey, SecretKey: exampleSecret, Account: "example"},
		"a/slash":  {AccessKey: "a/slash", SecretKey: "secret"},
		"ASIATEMP": {AccessKey: "ASIATEMP", SecretKey: "temporary", SessionToken: "the-token"},
		"otherKey": {AccessKey: "otherKey", SecretKey: "otherSecret"},
		// The pair that older editions of the V2 page use.
		"0PN5J17HBGZHT7JJ3X82": {AccessKey: "0PN5J17HBGZHT7JJ3X82", SecretKey: "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o"},
		"emptyOwner":           {AccessKey: "emptyOwner"},
	}
}

func verifierAt(now time.Time, domains ...string) *Verifier {
	return New(Options{Keys: exampleKeys(), Region: "us-east-1", Domains: domains, Now: func() time.Time { return now }})
}

// parse reads a request as the server does. Lines may end in LF.
func parse(t testing.TB, head string, body []byte) *http.Request {
	t.Helper()
	head = strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n") + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body))))
	if err != nil {
		t.Fatalf("%v in\n%s", err, head)
	}
	return r
}

func wantCode(t testing.TB, err error, code s3err.Code) *s3err.Error {
	t.Helper()
	var e *s3err.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v (%T), want %s", err, err, code)
		return s3err.New(s3err.InternalError)
	}
	if e.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
	return e
}

// readBody reads the whole body of an authenticated request.
func readBody(t testing.TB, p *Payload, r *http.Request) ([]byte, error) {
	t.Helper()
	body, err := p.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	return io.ReadAll(body)
}
