package sdnotify

import (
	"net"
	"path/filepath"
	"testing"
)

func TestStateArrives(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@pail-sdnotify-test-" + filepath.Base(t.TempDir())} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := Send(func(string) string { return name }, "READY=1"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1" {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
}

func TestNobodyToTell(t *testing.T) {
	if err := Send(func(string) string { return "" }, "READY=1"); err != nil {
		t.Error(err)
	}
	if err := Send(func(string) string { return filepath.Join(t.TempDir(), "none") }, "READY=1"); err == nil {
		t.Error("a socket that is not there is no error")
	}
}
