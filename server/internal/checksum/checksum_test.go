package checksum

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func sum(a Algorithm, p []byte) Sum {
	h := a.New()
	h.Write(p)
	return Sum{Algorithm: a, Value: h.Sum(nil)}
}

// The check values of the CRC catalogue for "123456789", and those of FIPS 180, RFC 1321 and xxHash's own xxhsum for "abc".
func TestKnownValues(t *testing.T) {
	for _, c := range []struct {
		a          Algorithm
		text, want string
	}{
		{CRC32, "123456789", "y/Q5Jg=="},
		{CRC32C, "123456789", "4waSgw=="},
		{CRC64NVME, "123456789", "rosUhgp5mIg="},
		{SHA1, "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="},
		{SHA256, "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
		{SHA512, "abc", "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="},
		{MD5, "abc", "kAFQmDzST7DWlj99KOF/cg=="},
		{XXHASH64, "abc", "RLws9a13CZk="},
		{XXHASH3, "abc", "eK9flIkvOVA="},
		{XXHASH128, "abc", "BrBatnM6YYV4r1+UiS85UA=="},
	} {
		if got := sum(c.a, []byte(c.text)).String(); got != c.want {
			t.Errorf("%s of %q = %s, want %s", c.a, c.text, got, c.want)
		}
		s, err := c.a.Decode(c.want)
		if err != nil || !s.Equal(sum(c.a, []byte(c.text))) {
			t.Errorf("%s: Decode(%q) = %v, %v", c.a, c.want, s, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, a := range Algorithms() {
		if got, ok := Parse(strings.ToLower(string(a))); !ok || got != a {
			t.Errorf("Parse of %s in lower case = %q", a, got)
		}
		if got, ok := ParseHeader(a.Header()); !ok || got != a {
			t.Errorf("ParseHeader(%q) = %q", a.Header(), got)
		}
		if len(a.New().Sum(nil)) != a.Size() {
			t.Errorf("%s: New and Size disagree", a)
		}
		if !a.Supports(a.DefaultType()) || a.Supports("") {
			t.Errorf("%s: default type is not one it supports", a)
		}
	}
	for _, bad := range []string{"", "MD4", "CRC", "CRC32 ", "x-amz-checksum-", "x-amz-checksum-type", "x-amz-checksum-md4"} {
		if _, ok := Parse(bad); ok {
			t.Errorf("Parse(%q) succeeds", bad)
		}
		if _, ok := ParseHeader(bad); ok {
			t.Errorf("ParseHeader(%q) succeeds", bad)
		}
	}
	if a := Algorithm("MD4"); a.New() != nil || a.Size() != 0 || a.Supports(Composite) || a.Supports(FullObject) {
		t.Error("an unknown algorithm does something")
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for _, c := range []struct {
		a    Algorithm
		text string
	}{
		{CRC32, ""}, {CRC32, "short==="}, {CRC32, "shrt"}, {CRC32, "toolong="}, {CRC32, "^^^^^^=="}, {CRC32, "y/Q5Jh=="},
		{CRC32, "y/Q5Jg="}, {CRC32, "y/Q5\nJg"}, {CRC32, "y_Q5Jg=="}, {CRC64NVME, "y/Q5Jg=="}, {"MD5", "y/Q5Jg=="}, {"", ""},
	} {
		if s, err := c.a.Decode(c.text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Decode(%q) = %v, %v", c.a, c.text, s, err)
		}
	}
	for _, bad := range []string{"y/Q5Jg==-", "y/Q5Jg==-0", "y/Q5Jg==-01", "y/Q5Jg==--1", "y/Q5Jg==-10001", "y/Q5Jg==-x", "-1"} {
		if s, err := CRC32.DecodeObject(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("DecodeObject(%q) = %v, %v", bad, s, err)
		}
	}
	if _, err := CRC64NVME.DecodeObject("rosUhgp5mIg=-2"); err == nil {
		t.Error("a composite CRC64NVME is accepted")
	}
	if s, err := CRC32.DecodeObject("y/Q5Jg==-17"); err != nil || s.Parts != 17 || s.String() != "y/Q5Jg==-17" {
		t.Errorf("DecodeObject of a composite value = %v, %v", s, err)
	}
}

func TestCombinedPartsEqualTheWhole(t *testing.T) {
	rnd := rand.New(rand.NewChaCha8([32]byte{1}))
	whole := make([]byte, 300_000)
	for i := range whole {
		whole[i] = byte(rnd.Uint32())
	}
	for _, a := range []Algorithm{CRC32, CRC32C, CRC64NVME} {
		for _, size := range []int{1, 7, 4096, 65537, len(whole) - 1, len(whole), len(whole) + 1} {
			data := whole[:min(len(whole), size*5000)]
			c, err := NewCombiner(a)
			if err != nil {
				t.Fatal(err)
			}
			for rest := data; len(rest) > 0; {
				n := min(size, len(rest))
				if err := c.Add(sum(a, rest[:n]).Value, int64(n)); err != nil {
					t.Fatal(err)
				}
				if err := c.Add(sum(a, nil).Value, 0); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got, want := c.Sum(), sum(a, data); !got.Equal(want) {
				t.Errorf("%s in pieces of %d = %v, want %v", a, size, got, want)
			}
		}
	}
}

// Zeros of 2^40 bytes by doubling, against the same length in one step: lengths beyond what a test can hash.
func TestCombineHugeLengths(t *testing.T) {
	for _, a := range []Algorithm{CRC32, CRC32C, CRC64NVME} {
		block := make([]byte, 1<<10)
		value, length := sum(a, block).Value, int64(len(block))
		for length < 1<<40 {
			c, _ := NewCombiner(a)
			_ = c.Add(value, length)
			_ = c.Add(value, length)
			value, length = c.Sum().Value, 2*length
		}
		one, _ := NewCombiner(a)
		_ = one.Add(sum(a, []byte("x")).Value, 1)
		_ = one.Add(value, length)
		half := value
		two, _ := NewCombiner(a)
		_ = two.Add(sum(a, []byte("x")).Value, 1)
		c, _ := NewCombiner(a)
		_ = c.Add(half, length)
		_ = two.Add(c.Sum().Value, length)
		if !bytes.Equal(one.Sum().Value, two.Sum().Value) || bytes.Equal(one.Sum().Value, value) {
			t.Errorf("%s: %v and %v", a, one.Sum(), two.Sum())
		}
	}
}

func TestOfParts(t *testing.T) {
	a, b := sum(SHA256, []byte("a")), sum(SHA256, []byte("b"))
	got, err := OfParts(SHA256, [][]byte{a.Value, b.Value})
	want := sum(SHA256, append(append([]byte(nil), a.Value...), b.Value...)).String() + "-2"
	if err != nil || got.String() != want {
		t.Errorf("OfParts = %v, %v, want %s", got, err, want)
	}
	if _, err := OfParts(CRC64NVME, [][]byte{make([]byte, 8)}); err == nil {
		t.Error("CRC64NVME has a composite checksum")
	}
	if _, err := OfParts(CRC32, nil); err == nil {
		t.Error("a composite of no parts")
	}
	if _, err := OfParts(CRC32, [][]byte{make([]byte, 3)}); err == nil {
		t.Error("a part of the wrong length is accepted")
	}
	if _, err := NewCombiner(SHA256); err == nil {
		t.Error("SHA256 combines")
	}
	c, _ := NewCombiner(CRC32)
	if c.Add(make([]byte, 8), 1) == nil || c.Add(make([]byte, 4), -1) == nil || c.Replace(make([]byte, 4), nil, 1) == nil {
		t.Error("a wrong value is accepted")
	}
}

func FuzzCombineAtAnyCut(f *testing.F) {
	f.Add([]byte("hello world"), 3)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		if cut < 0 || cut > len(p) {
			return
		}
		for _, a := range []Algorithm{CRC32, CRC32C, CRC64NVME} {
			c, _ := NewCombiner(a)
			_ = c.Add(sum(a, p[:cut]).Value, int64(cut))
			_ = c.Add(sum(a, p[cut:]).Value, int64(len(p)-cut))
			if !c.Sum().Equal(sum(a, p)) {
				t.Fatalf("%s of %d bytes cut at %d", a, len(p), cut)
			}
			other := slices.Clone(p)
			for i := range other[cut/2 : cut] {
				other[cut/2+i] ^= 0x5a
			}
			_ = c.Replace(sum(a, p[cut/2:cut]).Value, sum(a, other[cut/2:cut]).Value, int64(len(p)-cut))
			if !c.Sum().Equal(sum(a, other)) {
				t.Fatalf("%s of %d bytes with others from %d to %d", a, len(p), cut/2, cut)
			}
		}
	})
}
