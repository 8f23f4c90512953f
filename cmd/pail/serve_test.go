package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// vars is an environment.
type vars map[string]string

func (v vars) get(name string) string { return v[name] }

func TestServeOptions(t *testing.T) {
	cloud := vars{"S3DATAPATH": "/cs/data", "S3METADATAPATH": "/cs/meta", "ENDPOINT": "a.test,b.test", "SSL": "TRUE", "LISTEN_ADDR": "0.0.0.0",
		"LOG_LEVEL": "trace", "SCALITY_ACCESS_KEY_ID": "AK", "SCALITY_SECRET_ACCESS_KEY": "SK", "REMOTE_MANAGEMENT_DISABLE": "1"}
	pail := vars{"PAIL_LISTEN": "127.0.0.1:1,127.0.0.1:2", "PAIL_DATA": "/p/data", "PAIL_LOG_LEVEL": "warn", "S3DATAPATH": "/cs/data"}
	for _, c := range []struct {
		what string
		args string
		env  vars
		ok   func(serveOptions) bool
	}{
		{"defaults", "--dir /d", nil, func(o serveOptions) bool {
			return strings.Join(o.listen, " ") == "127.0.0.1:8000" && o.data == "/d/data" && o.metadata == "/d/metadata" && o.region == "us-east-1"
		}},
		{"flags", "--listen :1 --listen :2 --data /a --metadata /b --tls-self-signed x,y --region r", nil, func(o serveOptions) bool {
			return len(o.listen) == 2 && o.data == "/a" && o.metadata == "/b" && len(o.selfSigned) == 2 && o.region == "r"
		}},
		{"CloudServer", "", cloud, func(o serveOptions) bool {
			return o.data == "/cs/data" && o.metadata == "/cs/meta" && strings.Join(o.domains, " ") == "a.test b.test" && len(o.selfSigned) == 2 &&
				o.listen[0] == "0.0.0.0:8000" && o.logLevel == "debug" && o.accessKey == "AK" && o.secretKey == "SK"
		}},
		{"flags over CloudServer", "--data /f --listen :9 --passwd-file /p --tls-cert c --tls-key k --log-level error", cloud, func(o serveOptions) bool {
			return o.data == "/f" && o.listen[0] == ":9" && o.accessKey == "" && len(o.selfSigned) == 0 && o.logLevel == "error"
		}},
		{"PAIL variables", "", pail, func(o serveOptions) bool {
			return len(o.listen) == 2 && o.data == "/p/data" && o.logLevel == "warn"
		}},
		{"flags over PAIL variables", "--data /f", pail, func(o serveOptions) bool { return o.data == "/f" }},
		{"IPv6", "", vars{"LISTEN_ADDR": "::1"}, func(o serveOptions) bool { return o.listen[0] == "[::1]:8000" }},
	} {
		o, err := parseServe(strings.Fields(c.args), c.env.get, io.Discard)
		if err != nil || !c.ok(o) {
			t.Errorf("%s: %+v, %v", c.what, o, err)
		}
	}
}

func TestServeRefusesBadOptions(t *testing.T) {
	for _, c := range []struct {
		args string
		env  vars
		want string
	}{
		{"--nonsense", nil, "--help"},
		{"bucket", nil, "bucket"},
		{"--listen 8000", nil, `"8000" is no address`},
		{"--listen x:", nil, "is no address"},
		{"--metrics-listen y", nil, `"y" is no address`},
		{"--website-listen y", nil, `"y" is no address`},
		{"--tls-cert c", nil, "--tls-key"},
		{"--accounts a --passwd-file p", nil, "one of them"},
		{"--object-ownership Mine", nil, "BucketOwnerPreferred"},
		{"--tls-cert c --tls-key k --tls-self-signed h", nil, "leave it out"},
		{"--log-level loud", nil, "loud"},
		{"--log-format xml", nil, "xml"},
		{"", vars{"SSL": "TRUE"}, "ENDPOINT"},
		{"", vars{"SCALITY_ACCESS_KEY_ID": "a"}, "SCALITY_SECRET_ACCESS_KEY"},
		{"", vars{"LOG_LEVEL": "loud"}, "loud"},
	} {
		var stderr bytes.Buffer
		status := serve(strings.Fields(c.args), c.env.get, io.Discard, &stderr)
		if status != 1 || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("serve %s %v: %d %q, want %q", c.args, c.env, status, stderr.String(), c.want)
		}
	}
}

func TestServeHelp(t *testing.T) {
	var stdout bytes.Buffer
	if status := serve([]string{"--help"}, vars{}.get, &stdout, io.Discard); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, word := range []string{"--listen", "--tls-self-signed", "SCALITY_ACCESS_KEY_ID", "PAIL_LISTEN", "127.0.0.1:8000"} {
		if !strings.Contains(stdout.String(), word) {
			t.Errorf("the help does not speak of %s", word)
		}
	}
}

func TestServeNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loose := filepath.Join(dir, "loose")
	if err := os.WriteFile(loose, []byte("a:b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ args, want string }{
		{"--dir " + file, file},
		{"--dir " + dir + "/d --passwd-file " + dir + "/none", "none"},
		{"--dir " + dir + "/d --passwd-file " + file, file},
		{"--dir " + dir + "/d --passwd-file " + loose, "chmod"},
		{"--dir " + dir + "/d --accounts " + dir + "/accounts", "accounts"},
		{"--dir " + dir + "/d --listen " + taken.Addr().String(), "another program uses it"},
		{"--dir " + dir + "/d --listen 192.0.2.1:0", "no such address"},
		{"--dir " + dir + "/d --tls-cert " + file + " --tls-key " + file, file},
		{"--dir " + dir + "/d --tls-self-signed a..b", "a..b"},
		{"--dir " + dir + "/d --listen 127.0.0.1:0 --data " + file, file},
	} {
		var stderr bytes.Buffer
		if status := serve(strings.Fields(c.args), vars{}.get, io.Discard, &stderr); status != 1 || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("serve %s: %d %q, want %q", c.args, status, stderr.String(), c.want)
		}
	}
}

// lines hands over what is written to it, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestServeFromStartToEnd(t *testing.T) {
	dir := t.TempDir()
	o, err := parseServe([]string{"--dir", dir, "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--tls-self-signed", "s3.pail.test",
		"--metrics-listen", "127.0.0.1:0", "--website-listen", "127.0.0.1:0", "--website-domain", "web.pail.test"}, vars{}.get, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, done := make(lines, 4), make(chan error, 1)
	go func() { done <- o.run(ctx, out, o.logger(io.Discard)) }()
	ready := regexp.MustCompile(`^pail: serving S3 on (https://127\.0\.0\.1:\d+), credentials in (\S+), CA in (\S+)\n$`)
	for range 2 {
		m := ready.FindStringSubmatch(<-out)
		if m == nil {
			t.Fatal("no ready line")
		}
		ca, err := os.ReadFile(m[3])
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(m[2]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("credentials: %v %v", info, err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
		resp, err := client.Get(m[1])
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 403 || resp.TLS == nil || resp.ProtoMajor != 1 {
			t.Errorf("%d %s", resp.StatusCode, resp.Proto)
		}
	}
	site := regexp.MustCompile(`^pail: serving websites on (https://127\.0\.0\.1:\d+)\n$`).FindStringSubmatch(<-out)
	if site == nil {
		t.Fatal("no line about websites")
	}
	for host, bucket := range map[string]string{"blog.web.pail.test": "blog", "www.example.com:8080": "www.example.com"} {
		if page := visit(t, site[1], host); !strings.Contains(page, "<li>BucketName: "+bucket+"</li>") {
			t.Errorf("%s: %s", host, page)
		}
	}
	other := o
	other.noWait = true
	if err := other.run(ctx, io.Discard, o.logger(io.Discard)); err == nil || !strings.Contains(err.Error(), "in use by another pail server") {
		t.Errorf("second server: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end: %v", err)
	}
}

// visit gets the root of the website of a host, of a server whose certificate does not matter here.
func visit(t *testing.T, url, host string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestAccountsComeFromTheirFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	text := `{"accounts":[{"name":"a","keys":[{"access":"A","secret":"1"}]},{"name":"b","keys":[{"access":"B","secret":"2"}]}]}`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cloud := vars{"SCALITY_ACCESS_KEY_ID": "C", "SCALITY_SECRET_ACCESS_KEY": "3"}
	o, err := parseServe([]string{"--accounts", path}, cloud.get, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.keys(o.logger(io.Discard)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may read: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, from, err := o.keys(o.logger(io.Discard))
	if err != nil || from != path {
		t.Fatal(from, err)
	}
	a, _ := keys.Lookup("A")
	b, _ := keys.Lookup("B")
	if a.Account != "a" || b.Account != "b" || a.CanonicalID == b.CanonicalID {
		t.Errorf("%v %v", a, b)
	}
	if _, ok := keys.Lookup("C"); ok {
		t.Error("the environment's pair is known too")
	}
}

func TestPasswdChangesAreSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(path, []byte("A:1\nteam:B:2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := serveOptions{passwdFile: path}
	keys, from, err := o.keys(o.logger(io.Discard))
	if err != nil || from != path {
		t.Fatal(from, err)
	}
	for access, secret := range map[string]string{"A": "1", "B": "2"} {
		if c, ok := keys.Lookup(access); !ok || c.SecretKey != secret {
			t.Errorf("%s is not known", access)
		}
	}
	if err := os.WriteFile(path, []byte("CC:33\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := keys.Lookup("A"); ok {
		t.Error("a removed key still works")
	}
	if c, ok := keys.Lookup("CC"); !ok || c.SecretKey != "33" {
		t.Error("a new key does not work")
	}
}

// TestAddressOfADatabase: from the environment, an argument or a file, and never in an error.
func TestAddressOfADatabase(t *testing.T) {
	dir := t.TempDir()
	const address = "postgres://pail:secret@db1,db2/pail"
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, open, other := write("good", address+"\n", 0o600), write("open", address, 0o640), write("other", "pail:secret@db1", 0o600)
	for _, c := range []struct {
		args  []string
		env   vars
		shown bool
		err   string
	}{
		{nil, vars{"PAIL_METADATA": address}, false, ""},
		{[]string{"--metadata", address}, nil, true, ""},
		{[]string{"--metadata", good}, nil, false, ""},
		{[]string{"--metadata", open}, nil, false, "chmod 600"},
		{[]string{"--metadata", other}, nil, false, "does not hold an address"},
	} {
		o, err := parseServe(append(c.args, "--data", dir), c.env.get, io.Discard)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: %v", c.args, err)
			}
			continue
		}
		if err != nil || o.database != address || o.metadata != filepath.Join(dir, "config") || o.passwordShown != c.shown {
			t.Errorf("%v %v: %v, %q, %q, %v", c.args, c.env, err, o.database, o.metadata, o.passwordShown)
		}
	}
	if !hasPassword("postgres://pail@db1/pail?password=secret") {
		t.Error("a password among the parameters is not found")
	}
}
