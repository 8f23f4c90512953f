#!/bin/sh
# Installs, from Debian's packages, the programs that `make run`, `make test` and `make ha` use and that are missing; says
# which.
# usage: deps.sh run|test|ha
set -eu

# want FILE PACKAGE: PACKAGE is needed where FILE does not exist.
missing=""
want() { [ -e "$1" ] || missing="$missing $2"; }

want /usr/bin/fusermount3 fuse3
want /usr/bin/s3cmd s3cmd
want /usr/bin/setsid util-linux
if [ "${1:-run}" = test ]; then
	want /usr/bin/cc gcc # the race detector
	want /usr/include/stdlib.h libc6-dev
	want /usr/bin/s3fs s3fs
	want /usr/bin/aws awscli
	want /usr/bin/rclone rclone
	want /usr/lib/python3/dist-packages/boto3 python3-boto3
	want /usr/bin/restic restic
	want /usr/bin/duplicity duplicity
	want /usr/lib/python3/dist-packages/boto python3-boto
	want /usr/bin/gpg gnupg
	want /usr/bin/rsync rsync
	want /usr/bin/git git
	want /usr/bin/sqlite3 sqlite3
	want /usr/bin/fio fio
	want /usr/bin/stress-ng stress-ng
	want /usr/bin/getfattr attr
	want /usr/sbin/ip iproute2
	want /usr/bin/openssl openssl
	want /etc/mime.types media-types
	want "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)" postgresql
fi
if [ "${1:-run}" = ha ]; then
	want /usr/bin/cc gcc
	want /usr/include/stdlib.h libc6-dev
	want /usr/bin/rsync rsync
	want /usr/bin/git git
	want /usr/bin/curl curl
	want /usr/sbin/ip iproute2
	want /usr/sbin/iptables iptables
	want /usr/sbin/modprobe kmod
	want /usr/sbin/dockerd docker.io
	want /usr/bin/docker-compose docker-compose
	want /usr/bin/linux.uml user-mode-linux
	want /usr/bin/ganesha.nfsd nfs-ganesha
	want /usr/share/doc/nfs-ganesha-vfs nfs-ganesha-vfs
	want /usr/sbin/glusterfsd glusterfs-server
	want /usr/sbin/glusterfs glusterfs-client
	for program in ceph-mon ceph-mgr ceph-osd radosgw; do want "/usr/bin/$program" "$program"; done
	want /usr/bin/ceph ceph-common
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "deps: missing:$missing. Install them (as root: apt-get install$missing); tests that need them are skipped" >&2
	exit 0
fi
echo "deps: installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086 # a list of packages
apt-get install -y -qq --no-install-recommends $missing >/dev/null
