#!/bin/sh
# Shows pail at work on this machine: starts the embedded server on 127.0.0.1:8000 over a folder of its own, makes a
# bucket, mounts it, writes a few files and shows the same objects through the S3 API.
# usage: demo.sh [--stay]    --stay: until Ctrl-C, then unmounts and stops
set -eu

cd "$(dirname "$0")/.."
pail=$PWD/bin/pail
dir=$PWD/run
mnt=$dir/mnt
port=${PAIL_DEMO_PORT:-8000}
server=""

stop() {
	status=$?
	trap - EXIT INT TERM HUP
	if mountpoint -q "$mnt" 2>/dev/null; then
		"$pail" umount "$mnt" || status=1
	fi
	if [ -n "$server" ] && kill -TERM "$server" 2>/dev/null; then
		wait "$server" || status=1
	fi
	[ "$status" -eq 0 ] || [ ! -s "$dir/serve.log" ] || { echo "--- $dir/serve.log"; tail -n 5 "$dir/serve.log"; } >&2
	exit "$status"
}
trap stop EXIT
trap 'exit 0' INT TERM HUP

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

mkdir -p "$mnt"
say "1. the server: $dir holds its data, its keys and its certificate"
# setsid: Ctrl-C is for this script, which unmounts first and stops the server then.
setsid "$pail" serve --listen "127.0.0.1:$port" --dir "$dir/store" --tls-self-signed 127.0.0.1,localhost >"$dir/serve.log" 2>&1 &
server=$!
tries=0
until grep -q 'serving S3 on' "$dir/serve.log"; do
	kill -0 "$server" 2>/dev/null || { server=""; cat "$dir/serve.log" >&2; exit 1; }
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] || { echo "the server does not answer after 30 s" >&2; exit 1; }
	sleep 0.1
done
cat "$dir/serve.log"
keys=$dir/store/metadata/credentials
ca=$dir/store/metadata/tls/ca.crt

cat >"$dir/s3cfg" <<EOF
[default]
access_key = $(cut -d: -f1 "$keys")
secret_key = $(cut -d: -f2 "$keys")
host_base = 127.0.0.1:$port
host_bucket = 127.0.0.1:$port
use_https = True
ca_certs_file = $ca
EOF
chmod 600 "$dir/s3cfg"
s3() { show s3cmd -c "$dir/s3cfg" "$@"; }

say "2. a bucket"
s3cmd -c "$dir/s3cfg" ls s3://demo >/dev/null 2>&1 || s3 mb s3://demo

say "3. the mount"
show "$pail" mount demo "$mnt" -o passwd_file="$keys" -o url="https://127.0.0.1:$port/" -o use_path_request_style -o ca_bundle="$ca"

say "4. normal files"
show sh -c "echo 'hello from pail' > '$mnt/hello.txt'"
show mkdir -p "$mnt/dir1"
show cp "$PWD/README.md" "$mnt/dir1/README.md"
show ls -lR "$mnt"

say "5. are normal objects"
s3 ls -r s3://demo
got=$(s3cmd -c "$dir/s3cfg" get s3://demo/hello.txt - 2>/dev/null)
[ "$got" = "hello from pail" ] || { echo "the object hello.txt holds '$got'" >&2; exit 1; }

say "It works."
cat <<EOF
The bucket "demo" is mounted at $mnt. To go on:
  ls -l $mnt                                  work with its files
  s3cmd -c $dir/s3cfg ls -r s3://demo         see them as objects
  the line for /etc/fstab (after "make install"):
  demo  $mnt  fuse.pail  _netdev,passwd_file=$keys,url=https://127.0.0.1:$port/,use_path_request_style,ca_bundle=$ca  0 0
EOF
[ "${1:-}" = --stay ] || exit 0
printf '\nCtrl-C unmounts and stops the server.\n'
while kill -0 "$server" 2>/dev/null; do sleep 1; done
echo "the server ended by itself" >&2
exit 1
