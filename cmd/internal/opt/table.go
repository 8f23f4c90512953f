package opt

import "slices"

// Groups of options, in the order of the help text.
const (
	groupServer  = "Bucket and server"
	groupKeys    = "Credentials"
	groupTLS     = "HTTPS and proxies"
	groupMount   = "Mount"
	groupCache   = "Attribute cache"
	groupData    = "Transfers and space"
	groupLog     = "Messages"
	groupCompat  = "Accepted from s3fs and FUSE"
	groupFstab   = "Words of fstab"
	groupRefused = "Refused"
)

// table returns all options. It is made anew by each call: nobody can change it for others.
func table() []option {
	return slices.Concat(serverOptions(), keyOptions(), tlsOptions(), mountOptions(), cacheOptions(), dataOptions(),
		logOptions(), compatOptions(), fstabOptions(), refusedOptions())
}

func serverOptions() []option {
	const g = groupServer
	return []option{
		{name: "bucket", group: g, arg: "BUCKET[:/PREFIX]", help: "what to mount, where the command line has the mountpoint only",
			set: func(p *parser, v string) error { p.bucketOption = v; return nil }},
		{name: "url", group: g, arg: "URL[,URL...]", def: "https://s3.amazonaws.com", help: "the S3 service, http:// or https://; of several URLs, the next is asked when one does not serve",
			set: func(p *parser, v string) error { return setEndpoints(p.m, v) }},
		{name: "host", group: g, arg: "HOST", help: "as url, https:// may be left out",
			set: func(p *parser, v string) error { return setHost(p.m, v) }},
		{name: "region", aliases: []string{"endpoint"}, group: g, arg: "REGION", def: "us-east-1",
			help: "signing region; when not given, the one that the service names is tried too", set: setRegion},
		toggle(g, "use_path_request_style", "URL/BUCKET/KEY in place of BUCKET.URL/KEY",
			func(m *Mount) *bool { return &m.PathStyle }),
		{name: "servicepath", group: g, arg: "PATH", def: "/", help: "path on the server before the bucket",
			set: func(p *parser, v string) error { return setServicePath(p.m, v) }},
		toggle(g, "sigv2", "sign with the old version 2, for old servers", func(m *Mount) *bool { return &m.SigV2 }),
		toggle(g, "requester_pays", "agree to pay for requests", func(m *Mount) *bool { return &m.RequesterPays }),
		choice(g, "default_acl", "private", "canned ACL of what is written; private and empty send none", cannedACLs(), setACL),
		choice(g, "storage_class", "standard", "storage class of what is written", storageClasses(), setStorageClass),
		{name: "use_sse", group: g, arg: "1|custom[:FILE]|kmsid[:ID]", bare: ptr("1"),
			help: "server-side encryption: S3's keys, your keys (FILE, mode 600, or $AWSSSECKEYS), or KMS ($AWSSSEKMSID)", set: setSSE},
		{name: "load_sse_c", group: g, arg: "FILE", help: "more customer keys for reading, one a line", set: setLoadSSE},
		word(g, "mime", "FILE", "/etc/mime.types", "content types by name suffix", func(m *Mount) *string { return &m.MIMEFile }),
		toggle(g, "enable_content_md5", "send Content-MD5 besides the checksum that pail always sends; ETags of parts are MD5s then",
			func(m *Mount) *bool { return &m.ContentMD5 }),
		toggle(g, "enable_unsigned_payload", "leave the body out of the signature", func(m *Mount) *bool { return &m.UnsignedPayload }),
		word(g, "instance_name", "NAME", "", "name of this mount in messages and in the User-Agent",
			func(m *Mount) *string { return &m.InstanceName }),
	}
}

func keyOptions() []option {
	const g = groupKeys
	return []option{
		word(g, "passwd_file", "FILE", "", "KEY:SECRET or BUCKET:KEY:SECRET lines, mode 600; else the environment, "+
			"~/.aws/credentials, ~/.passwd-pail, ~/.passwd-s3fs, /etc/passwd-pail, /etc/passwd-s3fs",
			func(m *Mount) *string { return &m.Passwd }),
		{name: "profile", group: g, arg: "NAME", def: "default", help: "profile of ~/.aws/credentials", set: setProfile},
		toggle(g, "use_session_token", "fail unless the credentials have a session token",
			func(m *Mount) *bool { return &m.RequireToken }),
		{name: "iam_role", group: g, arg: "NAME", bare: ptr("auto"), help: "credentials of the EC2 instance; auto is its only role",
			set: func(p *parser, v string) error { return setNonEmpty(&p.m.IAMRole, v) }},
		toggle(g, "ecs", "credentials of the ECS container", func(m *Mount) *bool { return &m.ECS }),
		toggle(g, "imdsv1only", "ask the instance metadata service without a token", func(m *Mount) *bool { return &m.IMDSv1Only }),
		toggle(g, "public_bucket", "send no credentials; implies nocopyapi", func(m *Mount) *bool { return &m.Public }),
	}
}

func tlsOptions() []option {
	const g = groupTLS
	verify := toggle(g, "ssl_verify_hostname", "the certificate must name the server (s3fs's 2 means 1)",
		func(m *Mount) *bool { return &m.VerifyHostname })
	verify.def = "1"
	set := verify.set
	verify.set = func(p *parser, v string) error {
		if v == "2" { // s3fs's and curl's default
			v = "1"
		}
		return set(p, v)
	}
	return []option{
		word(g, "ca_bundle", "FILE", "", "CA certificates (PEM) to trust; else $CURL_CA_BUNDLE, $AWS_CA_BUNDLE, $SSL_CERT_FILE, the system's",
			func(m *Mount) *string { return &m.CABundle }),
		toggle(g, "no_check_certificate", "take any certificate: whoever sits in between reads everything",
			func(m *Mount) *bool { return &m.NoCheckCertificate }),
		verify,
		{name: "ssl_client_cert", group: g, arg: "CERT[:TYPE[:KEY[:TYPE[:PASSWORD]]]]", secret: true,
			help: "client certificate and key (PEM), the key not encrypted", set: setClientCert},
		{name: "proxy", group: g, arg: "URL", secret: true, help: "HTTP proxy; else $https_proxy, $http_proxy, $all_proxy",
			set: func(p *parser, v string) error { return setProxy(p.m, v) }},
		word(g, "proxy_cred_file", "FILE", "", "USER:PASSWORD of the proxy, URL-encoded", func(m *Mount) *string { return &m.ProxyCredFile }),
		choice(g, "ipresolve", "whatever", "IP version to connect with", []string{"whatever", "ipv4", "ipv6"}, setIPVersion),
	}
}

func cannedACLs() []string {
	return []string{"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
		"bucket-owner-read", "bucket-owner-full-control", "log-delivery-write", ""}
}

func storageClasses() []string {
	return []string{"standard", "standard_ia", "onezone_ia", "reduced_redundancy", "intelligent_tiering", "glacier",
		"glacier_ir", "deep_archive"}
}
