package awss3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

func newTLSConfig(opt *HTTPOptions) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: opt.InsecureSkipVerify}
	if opt.CABundle != "" {
		pool, err := loadCABundle(opt.CABundle)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	if opt.SkipVerifyHostname && !opt.InsecureSkipVerify {
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = verifyChain(cfg.RootCAs)
	}
	if opt.ClientCert != "" {
		cert, err := loadClientCert(opt)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func loadCABundle(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("ca_bundle: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_bundle: %s holds no certificate in PEM form", name)
	}
	return pool, nil
}

func loadClientCert(opt *HTTPOptions) (tls.Certificate, error) {
	key := opt.ClientKey
	if key == "" {
		key = opt.ClientCert
	}
	cert, err := tls.LoadX509KeyPair(opt.ClientCert, key)
	if err != nil {
		return cert, fmt.Errorf("client certificate %s with key %s: %w", opt.ClientCert, key, err)
	}
	return cert, nil
}

// verifyChain is crypto/tls's own verification without the host name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("tls: the server sent no certificate")
		}
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(opts)
		return err
	}
}

// tlsAdvice returns what to do about a failed handshake, "" if err is not one.
func tlsAdvice(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var system x509.SystemRootsError
	switch {
	case errors.As(err, &unknown), errors.As(err, &system):
		return "name its authority with ca_bundle=FILE"
	case errors.As(err, &host):
		return "use a name that the certificate has, or ssl_verify_hostname=0"
	case errors.As(err, &invalid):
		return "the certificate is not valid now or not for this use"
	case errors.As(err, &record):
		return "the server does not speak TLS on this port: is the endpoint http:// ?"
	}
	return ""
}
