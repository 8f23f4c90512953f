# Sourced by the scripts that play a machine of their own: private /etc, /sbin, /mnt and network, gone with the script.
# Needs PAIL, the binary under test, and LAB, an empty directory; $lab there is a private tmpfs.
set -eu

# What other tests have mounted would stay mounted here when they unmount it.
awk '$3 == "fuse.pail" || $3 == "fuse.s3fs" { print $2 }' /proc/self/mounts | while read -r dir; do umount -l "$dir"; done

lab=$LAB
mount -t tmpfs tmpfs "$lab"
layer() { # layer DIR: changes below DIR are seen in this namespace only
	name=$(echo "$1" | tr / _)
	mkdir -p "$lab/upper$name" "$lab/work$name"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$lab/upper$name,workdir=$lab/work$name" "$1"
}
layer /etc
layer /usr/sbin
mount -t tmpfs tmpfs /mnt
mount -t tmpfs tmpfs /run
ip link set lo up
mkdir "$lab/bin" "$lab/home"
ln -s "$PAIL" "$lab/bin/pail"
ln -s "$PAIL" /usr/sbin/mount.pail
ln -s "$PAIL" /usr/sbin/mount.fuse.pail
PATH=$lab/bin:$PATH
HOME=$lab/home
export PATH HOME

fail() { echo "FAIL: $*" >&2; exit 1; }

# wait_line FILE TEXT PID: until FILE holds TEXT; fails when the process ends first.
wait_line() {
	tries=0
	until grep -q "$2" "$1"; do
		kill -0 "$3" 2>/dev/null || { cat "$1" >&2; fail "the server ended"; }
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "no '$2' in $1 after 60 s"
		sleep 0.1
	done
}

# serve_https HOST PORT: the server of the seed, with its credentials.
serve_https() {
	echo "127.0.0.1 $1" >>/etc/hosts
	echo 'accessKey1:verySecretKey1' >/etc/passwd-s3fs
	chmod 600 /etc/passwd-s3fs
	pail serve --listen "127.0.0.1:$2" --dir "$lab/store" --passwd-file /etc/passwd-s3fs --tls-self-signed "$1" >"$lab/serve.log" 2>&1 &
	server=$!
	wait_line "$lab/serve.log" 'serving S3 on' "$server"
	ca=$lab/store/metadata/tls/ca.crt
	cat >"$HOME/.s3cfg" <<EOF
[default]
access_key = accessKey1
secret_key = verySecretKey1
host_base = $1:$2
host_bucket = $1:$2
use_https = True
ca_certs_file = $ca
EOF
}
