# The Duplicity section of CloudServer's Integrations chapter, with pail in the place of the server.
. "$(dirname "$0")/namespace.sh"

# "Boto requires a configuration file located in /etc/boto.cfg", as the seed has it.
cat >/etc/boto.cfg <<'EOF'
[Credentials]
aws_access_key_id = accessKey1
aws_secret_access_key = verySecretKey1

[Boto]
# If using SSL, set to True
is_secure = False
# If using SSL, unmute and provide absolute path to local CA certificate
# ca_certificates_file = /absolute/path/to/ca.crt
EOF
echo 'accessKey1:verySecretKey1' >"$lab/passwd"
chmod 600 "$lab/passwd"
serve() { # serve FLAG...: on port 8000
	pail serve --listen 127.0.0.1:8000 --dir "$lab/store" --passwd-file "$lab/passwd" "$@" >"$lab/serve.log" 2>&1 &
	server=$!
	wait_line "$lab/serve.log" 'serving S3 on' "$server"
}
stop() {
	kill -TERM "$server"
	wait "$server" || fail "the server ended with $?"
}
mkdir -m 700 "$HOME/.gnupg" "$HOME/duplicity-0.7.11"
cd "$HOME"
echo "some file" >duplicity-0.7.11/README
cp /bin/ls duplicity-0.7.11/setup.py
errors() { # errors COMMAND...: runs it and holds its statistics to be without errors
	"$@" >"$lab/out" 2>&1 || { cat "$lab/out"; fail "$* ended with $?"; }
	cat "$lab/out"
	grep -qx 'Errors 0' "$lab/out" || fail "no 'Errors 0' after $*"
}
restore() { # restore URL FLAG...
	rm -rf "$lab/back"
	duplicity "$@" "$lab/back" || fail "restore $* ended with $?"
	diff -r "$HOME/duplicity-0.7.11" "$lab/back" || fail "restore $* gives something else"
}

serve
export PASSPHRASE=mypassphrase
errors duplicity duplicity-0.7.11 "s3://127.0.0.1:8000/testbucket/"
grep -qx 'NewFiles 3' "$lab/out" || fail "not all files are new"
restore "s3://127.0.0.1:8000/testbucket/"
errors duplicity --no-encryption duplicity-0.7.11 "s3://127.0.0.1:8000/plain/"
restore --no-encryption "s3://127.0.0.1:8000/plain/"
duplicity incremental --no-encryption --dry-run duplicity-0.7.11 "s3://127.0.0.1:8000/plain/" >"$lab/out"
grep -qx 'NewFiles 0' "$lab/out" || fail "a second backup finds something new"
stop

serve --tls-self-signed localhost,127.0.0.1
# Boto asks for a CA only when told to validate: Debian's Python has changed since the chapter was written.
sed -i -e 's/^is_secure = .*/is_secure = True\nhttps_validate_certificates = True/' -e "s|^# ca_certificates_file.*|ca_certificates_file = $lab/store/metadata/tls/ca.crt|" /etc/boto.cfg
errors duplicity duplicity-0.7.11 "s3://localhost:8000/secure/"
restore "s3://localhost:8000/secure/"
stop
pail serve --fsck --dir "$lab/store"
gpgconf --kill gpg-agent
echo "chapter: passed"
