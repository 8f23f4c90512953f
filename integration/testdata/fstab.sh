# An fstab with a line of type fuse.pail and one of type fuse.s3fs, mounted by mount -a as at boot.
. "$(dirname "$0")/namespace.sh"
serve_https s3.scality.test 8000
s3cmd mb s3://one
s3cmd mb s3://two
ln -s "$PAIL" /usr/sbin/mount.fuse.s3fs
mkdir /mnt/one /mnt/two

cat >"$lab/fstab" <<EOF
# <bucket>  <mountpoint>  <type>  <options>
one      /mnt/one  fuse.pail  _netdev,nofail,allow_other,noatime,x-systemd.requires=network-online.target,passwd_file=/etc/passwd-s3fs,url=https://s3.scality.test:8000/,use_path_request_style,ca_bundle=$ca  0 0
two      /mnt/two  fuse.s3fs  defaults,_netdev,allow_other,passwd_file=/etc/passwd-s3fs,url=https://s3.scality.test:8000/,use_path_request_style,ca_bundle=$ca,comment=cloudconfig  0 0
EOF
mount -T "$lab/fstab" -a
for m in one two; do
	mountpoint -q /mnt/$m || fail "/mnt/$m is not mounted"
	echo "file on $m" >/mnt/$m/file
	mkdir /mnt/$m/dir
	cp /mnt/$m/file /mnt/$m/dir/copy
	[ "$(s3cmd get s3://$m/dir/copy - 2>/dev/null)" = "file on $m" ] || fail "s3cmd does not see the file of $m"
done
findmnt -n -o FSTYPE /mnt/one | grep -qx fuse.pail || fail "type is $(findmnt -n -o FSTYPE /mnt/one)"
# A second mount -a finds both mounted and changes nothing.
mount -T "$lab/fstab" -a
[ "$(findmnt -n /mnt/one | wc -l)" -eq 1 ] || fail "mounted twice"

umount /mnt/one
umount /mnt/two
mount -T "$lab/fstab" /mnt/one
[ "$(cat /mnt/one/dir/copy)" = "file on one" ] || fail "the file is gone after a remount"
umount /mnt/one

# The name s3fs, as Debian's mount.fuse3 calls it from PATH for the same fstab line.
ln -s "$PAIL" "$lab/bin/s3fs"
s3fs two /mnt/two -o rw,dev,suid,allow_other,passwd_file=/etc/passwd-s3fs,url=https://s3.scality.test:8000/,use_path_request_style,ca_bundle="$ca"
[ "$(cat /mnt/two/dir/copy)" = "file on two" ] || fail "the file is gone under the name s3fs"
umount /mnt/two
kill -TERM "$server"
wait "$server" || fail "the server ended with $?"
echo "fstab: passed"
