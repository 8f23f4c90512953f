package memclient

import (
	"strings"
	"testing"

	"pail/s3client"
	"pail/s3client/clienttest"
)

func TestContract(t *testing.T) {
	clienttest.Run(t, func(*testing.T) s3client.Client { return New(Options{Capabilities: Full()}) })
}

func TestContractOfPlainService(t *testing.T) {
	clienttest.Run(t, func(*testing.T) s3client.Client { return New(Options{}) })
}

func TestAnotherSharesObjectsAndCountsItsOwn(t *testing.T) {
	one := New(Options{})
	other := one.Another()
	if _, err := one.Put(t.Context(), "k", strings.NewReader("x"), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Head(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if got := one.Counts(); got[s3client.OpPut] != 1 || got[s3client.OpHead] != 0 {
		t.Errorf("counts are %v", got)
	}
	if got := other.Requests(); got != 1 {
		t.Errorf("the other client made %d requests", got)
	}
	one.ResetCounts()
	if got := one.Requests(); got != 0 {
		t.Errorf("%d requests after reset", got)
	}
}

func TestWithoutConditionsTheyAreIgnored(t *testing.T) {
	c := New(Options{})
	for range 2 {
		if _, err := c.Put(t.Context(), "k", strings.NewReader("x"), s3client.PutOptions{IfNoneMatch: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUploadsShowsWhatIsInProgress(t *testing.T) {
	c := New(Options{})
	u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Uploads(); len(got) != 1 || got[0] != u.ID() {
		t.Errorf("uploads are %q", got)
	}
	if err := u.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.Uploads(); len(got) != 0 {
		t.Errorf("uploads are %q", got)
	}
}
