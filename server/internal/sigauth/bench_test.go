package sigauth

import (
	"net/http"
	"testing"
)

func BenchmarkAuthenticateHeaderV4(b *testing.B) {
	r := newRequest(b, http.MethodGet, "http://127.0.0.1:8000/bucket/s/16/03/0000123")
	r = sign(b, r, exampleKey, exampleSecret, "", emptySHA256, exampleTime())
	v := verifierAt(exampleTime())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := v.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateListing(b *testing.B) {
	r := newRequest(b, http.MethodGet, "http://127.0.0.1:8000/bucket?delimiter=%2F&list-type=2&max-keys=1000&prefix=dir00%2F")
	r = sign(b, r, exampleKey, exampleSecret, "", emptySHA256, exampleTime())
	v := verifierAt(exampleTime())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := v.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}
