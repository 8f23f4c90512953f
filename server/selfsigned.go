package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pail/server/internal/smallfile"
)

const (
	caLifetime     = 20 * 365 * 24 * time.Hour
	serverLifetime = 397 * 24 * time.Hour // the longest that TLS clients accept
	renewBefore    = 30 * 24 * time.Hour
	renewCheck     = time.Hour
	clockLeeway    = time.Hour // a client's clock may be behind
)

// SelfSigned gives a TLS configuration with a certificate of pail's own making for hosts, which are names or IP
// addresses; localhost and the loopback addresses are always added, and for each name also *.name, for virtual-host
// style. caFile is the certificate of the CA that clients have to trust.
//
// CA and certificate are made once, in dir (0700, keys 0600): ca.crt, ca.key, server.crt, server.key. The certificate
// is made again, by the same CA, when a host is missing in it and before it expires, also while the server runs.
func SelfSigned(dir string, hosts []string, log *slog.Logger) (config *tls.Config, caFile string, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	names, ips, err := subjectNames(hosts)
	if err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	s := &selfSigned{dir: dir, names: names, ips: ips, log: log}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.alone(func() error {
		if err := s.openCA(time.Now()); err != nil {
			return err
		}
		return s.ensureLocked(time.Now())
	}); err != nil {
		return nil, "", err
	}
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.current(time.Now()), nil }
	return baseTLS(get), s.path("ca.crt"), nil
}

// subjectNames sorts hosts into names and addresses.
func subjectNames(hosts []string) (names []string, ips []net.IP, err error) {
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	names = []string{"localhost"}
	for _, h := range hosts {
		h = strings.Trim(strings.TrimSpace(h), "[]")
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
			continue
		}
		h = strings.ToLower(strings.TrimSuffix(h, "."))
		if !validHost(h) {
			return nil, nil, fmt.Errorf("%q is no host name and no IP address", h)
		}
		names = append(names, h)
		if h != "localhost" && !strings.HasPrefix(h, "*.") {
			names = append(names, "*."+h)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), ips, nil
}

func validHost(h string) bool {
	for i, label := range strings.Split(strings.TrimPrefix(h, "*."), ".") {
		if label == "" || len(label) > 63 || len(h) > 253 || i > 0 && label == "*" {
			return false
		}
		for _, c := range label {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// selfSigned is the CA with its one certificate.
type selfSigned struct {
	dir   string
	names []string
	ips   []net.IP
	log   *slog.Logger
	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey

	mu struct {
		sync.Mutex
		cert    *tls.Certificate
		checked time.Time
	}
}

func (s *selfSigned) path(name string) string { return filepath.Join(s.dir, name) }

// alone runs fn while no other server that shares the directory makes something there.
func (s *selfSigned) alone(fn func() error) error {
	f, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return fn()
}

// current gives the certificate for a handshake, a fresh one when it is about to expire.
func (s *selfSigned) current(now time.Time) *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.mu.checked) >= renewCheck {
		if err := s.alone(func() error { return s.ensureLocked(now) }); err != nil {
			s.log.Error("self-signed certificate not renewed", "error", err)
		}
	}
	return s.mu.cert
}

// ensureLocked loads the certificate, or makes one where there is none that serves.
func (s *selfSigned) ensureLocked(now time.Time) error {
	s.mu.checked = now
	if c, err := tls.LoadX509KeyPair(s.path("server.crt"), s.path("server.key")); err == nil && s.serves(c.Leaf, now) {
		s.mu.cert = &c
		return nil
	}
	if err := s.issue(now); err != nil {
		return err
	}
	c, err := tls.LoadX509KeyPair(s.path("server.crt"), s.path("server.key"))
	if err != nil {
		return err
	}
	s.mu.cert = &c
	return nil
}

// serves reports whether the certificate is of this CA, covers every host and will be valid for a while.
func (s *selfSigned) serves(leaf *x509.Certificate, now time.Time) bool {
	if leaf == nil || leaf.CheckSignatureFrom(s.ca) != nil || now.Before(leaf.NotBefore) || now.Add(renewBefore).After(leaf.NotAfter) {
		return false
	}
	for _, n := range s.names {
		if !slices.Contains(leaf.DNSNames, n) {
			return false
		}
	}
	for _, ip := range s.ips {
		if !slices.ContainsFunc(leaf.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

// openCA reads the CA, or makes it the first time. A CA that has expired is not replaced silently: clients trust it.
func (s *selfSigned) openCA(now time.Time) error {
	c, err := tls.LoadX509KeyPair(s.path("ca.crt"), s.path("ca.key"))
	if errors.Is(err, fs.ErrNotExist) && missing(s.path("ca.crt")) {
		return s.makeCA(now)
	}
	if err != nil {
		return fmt.Errorf("certificate authority in %s: %w (remove ca.crt and ca.key to make a new one)", s.dir, err)
	}
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !c.Leaf.IsCA {
		return fmt.Errorf("certificate authority %s is not one of pail's (remove ca.crt and ca.key to make a new one)", s.path("ca.crt"))
	}
	if now.After(c.Leaf.NotAfter) {
		return fmt.Errorf("certificate authority %s has expired (remove ca.crt and ca.key to make a new one, and let clients trust it)", s.path("ca.crt"))
	}
	s.ca, s.caKey = c.Leaf, key
	return nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func (s *selfSigned) makeCA(now time.Time) error {
	serial, err := newSerial()
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"pail"}, CommonName: "pail local CA " + serial.Text(16)[:8]},
		NotBefore: now.Add(-clockLeeway), NotAfter: now.Add(caLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	if s.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	if s.ca, err = s.write("ca", t, t, s.caKey, s.caKey); err != nil {
		return err
	}
	return nil
}

func (s *selfSigned) issue(now time.Time) error {
	serial, err := newSerial()
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"pail"}, CommonName: s.names[0]},
		NotBefore: now.Add(-clockLeeway), NotAfter: now.Add(serverLifetime), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: s.names, IPAddresses: s.ips,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	_, err = s.write("server", t, s.ca, key, s.caKey)
	return err
}

// write signs a certificate and keeps it and its key; the key first, so that a certificate is never without one.
func (s *selfSigned) write(name string, t, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := smallfile.Write(s.path(name+".key"), keyPEM, 0o600); err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := smallfile.Write(s.path(name+".crt"), certPEM, 0o644); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil // never short: the CA's name shows eight of its digits
}
