# The S3FS section of CloudServer's Integrations chapter, with pail in the place of s3fs and of the server.
. "$(dirname "$0")/namespace.sh"
serve_https s3.scality.test 8000
export CURL_CA_BUNDLE="$ca" # the seed's -o line has no word for a CA

mkdir /mnt/tests3fs
s3cmd mb s3://tests3fs
pail tests3fs /mnt/tests3fs -o passwd_file=/etc/passwd-s3fs -o url="https://s3.scality.test:8000/" -o use_path_request_style
mountpoint -q /mnt/tests3fs || fail "pail said that it mounted, and did not"

touch /mnt/tests3fs/file1 /mnt/tests3fs/file2
mkdir /mnt/tests3fs/dir1
touch /mnt/tests3fs/dir1/file3
s3cmd ls -r s3://tests3fs >"$lab/ls"
cat "$lab/ls"
# Date and time are the day's; size and name are the seed's.
awk '{print $3, $4}' "$lab/ls" >"$lab/got"
cat >"$lab/want" <<'EOF'
0 s3://tests3fs/dir1/
0 s3://tests3fs/dir1/file3
0 s3://tests3fs/file1
0 s3://tests3fs/file2
EOF
diff -u "$lab/want" "$lab/got" || fail "s3cmd lists something else than the seed"

# "Once the bucket is mounted, files added to the mount point or objects added to the bucket will appear in both
# locations."
echo "from s3cmd" >"$lab/new"
s3cmd put "$lab/new" s3://tests3fs/dir1/added
s3cmd put "$lab/new" s3://tests3fs/newdir/deep/added
# Whoever asks by name may have to wait until the mount no longer believes that there is none; ls sees it at once.
tries=0
until [ "$(cat /mnt/tests3fs/dir1/added 2>/dev/null)" = "from s3cmd" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 600 ] || fail "an added object cannot be read after a minute"
	sleep 0.1
done
[ "$(ls /mnt/tests3fs/dir1)" = "added
file3" ] || fail "ls does not show the added object: $(ls /mnt/tests3fs/dir1)"
[ "$(find /mnt/tests3fs -type f | wc -l)" -eq 5 ] || fail "find sees $(find /mnt/tests3fs)"
s3cmd del s3://tests3fs/dir1/added
echo "from the mount" >/mnt/tests3fs/newdir/file
[ "$(s3cmd get s3://tests3fs/newdir/file - 2>/dev/null)" = "from the mount" ] || fail "s3cmd reads another file"

pail umount /mnt/tests3fs
if mountpoint -q /mnt/tests3fs; then fail "still mounted"; fi
kill -TERM "$server"
wait "$server" || fail "the server ended with $?"
echo "chapter: passed"
