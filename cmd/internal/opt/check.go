package opt

import (
	"errors"
	"fmt"
	"strings"
)

// check looks for options that contradict each other.
func (p *parser) check() error {
	for _, pair := range [][2]string{
		{"stat_cache_expire", "stat_cache_interval_expire"},
		{"sigv2", "sigv4"},
		{"sigv2", "enable_unsigned_payload"},
		{"iam_role", "ecs"},
		{"passwd_file", "iam_role"},
		{"passwd_file", "ecs"},
		{"use_rrs", "storage_class"},
	} {
		if p.given(pair[0]) && p.given(pair[1]) {
			return fmt.Errorf("options %s and %s exclude each other", pair[0], pair[1])
		}
	}
	for _, check := range []func(*Mount) error{checkPublic, checkTLS, checkSSE, checkUploads, checkBucketStyle} {
		if err := check(p.m); err != nil {
			return err
		}
	}
	if !p.m.Writeback && (p.given("journal_dir") || p.given("journal_size")) {
		p.m.Warnings = append(p.m.Warnings, "options journal_dir and journal_size have no effect without writeback")
	}
	if p.m.Public {
		for _, name := range []string{"passwd_file", "iam_role", "ecs", "profile", "use_session_token"} {
			if p.given(name) {
				return fmt.Errorf("options public_bucket and %s exclude each other: a public bucket gets no credentials", name)
			}
		}
		p.m.NoCopy = true
	}
	return nil
}

// given reports whether a row was given, and if it is a switch, on.
func (p *parser) given(name string) bool {
	switch name {
	case "sigv2":
		return p.m.SigV2
	case "enable_unsigned_payload":
		return p.m.UnsignedPayload
	case "ecs":
		return p.m.ECS
	case "use_session_token":
		return p.m.RequireToken
	}
	return p.seen[name]
}

func checkPublic(m *Mount) error {
	if m.Public && m.RequesterPays {
		return errors.New("options public_bucket and requester_pays exclude each other: somebody must be known to pay")
	}
	return nil
}

func checkTLS(m *Mount) error {
	https := strings.HasPrefix(m.Endpoint, "https://")
	if m.ClientCert.Cert != "" && !https {
		return errors.New("option ssl_client_cert needs a url of https://")
	}
	if m.ClientCert.Password != "" {
		m.Warnings = append(m.Warnings, "the password of ssl_client_cert has no effect here: the key file must not be encrypted")
	}
	if m.NoCheckCertificate && m.CABundle != "" {
		m.Warnings = append(m.Warnings, "option no_check_certificate is on: ca_bundle is not looked at")
	}
	if m.ProxyCredFile != "" && m.Proxy == "" {
		return errors.New("option proxy_cred_file needs proxy")
	}
	return nil
}

func checkSSE(m *Mount) error {
	switch https := strings.HasPrefix(m.Endpoint, "https://"); {
	case m.SSE.Mode == "C" && m.SSE.KeyFile == "" && len(m.SSE.Keys) == 0:
		if len(m.SSE.ReadFiles) == 0 {
			return errors.New("option use_sse=custom needs keys: custom:FILE, load_sse_c=FILE, or $AWSSSECKEYS")
		}
		m.SSE.KeyFile, m.SSE.ReadFiles = m.SSE.ReadFiles[0], m.SSE.ReadFiles[1:]
	case m.SSE.Mode != "C" && len(m.SSE.ReadFiles) > 0:
		return errors.New("option load_sse_c needs use_sse=custom: keys that only read are not supported yet")
	case m.SSE.Mode == "C" && !https:
		return errors.New("option use_sse=custom needs a url of https://: the key itself travels")
	case m.SSE.Mode == "KMS" && !https:
		return errors.New("option use_sse=kmsid needs a url of https://")
	case m.SSE.Mode == "KMS" && m.SigV2:
		return errors.New("options use_sse=kmsid and sigv2 exclude each other")
	}
	return nil
}

func checkUploads(m *Mount) error {
	if m.Uploads.List && m.Uploads.Abort {
		return errors.New("--incomplete-mpu-list and --incomplete-mpu-abort exclude each other")
	}
	if m.Uploads.JSON && !m.Uploads.List && !m.Uploads.Abort {
		return errors.New("--json goes with --incomplete-mpu-list and --incomplete-mpu-abort only")
	}
	return nil
}

// checkBucketStyle finds names that cannot be part of a host name.
func checkBucketStyle(m *Mount) error {
	if m.PathStyle {
		return nil
	}
	if strings.ToLower(m.Bucket) != m.Bucket || strings.Contains(m.Bucket, "_") {
		return fmt.Errorf("bucket name %q cannot be part of a host name: add -o use_path_request_style", m.Bucket)
	}
	if strings.Contains(m.Bucket, ".") && strings.HasPrefix(m.Endpoint, "https://") && m.VerifyHostname && !m.NoCheckCertificate {
		m.Warnings = append(m.Warnings, fmt.Sprintf(
			"bucket name %q has a dot: most certificates do not cover it; add -o use_path_request_style", m.Bucket))
	}
	return nil
}
