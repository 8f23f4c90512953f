#!/bin/bash
# postgres-image.sh DIR: makes DIR/image.tar, the files of an image that behaves as the one named postgres as far as deploy/ uses
# it, of the PostgreSQL that is installed. Its entry point is /entrypoint, for user 999.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
lib=${bin%/bin}/lib
root=$1/root
mkdir -p "$root"/{tmp,etc,bin,run/postgresql,var/lib/postgresql/data}
ldd /bin/sh "$bin"/{postgres,initdb} "$lib"/{plpgsql,dict_snowball}.so | grep -o '/[^ :]*\.so[^ :]*' | sort -u |
	xargs cp -L --parents -t "$root"
cp -rL --parents -t "$root" "$lib" "/usr/share/postgresql/$(basename "${bin%/bin}")" /usr/share/zoneinfo
cp --parents -t "$root" "$bin"/{postgres,initdb}
cp -L /bin/sh "$root/bin/sh"
echo 'postgres:x:999:999::/tmp:/bin/sh' > "$root/etc/passwd"
cat > "$root/entrypoint" <<ENTRY
#!/bin/sh
set -eu
data=/var/lib/postgresql/data
if [ ! -e \$data/ready ]; then
	printf %s "\$POSTGRES_PASSWORD" > /tmp/password
	$bin/initdb -D \$data -U "\$POSTGRES_USER" -A scram-sha-256 --pwfile /tmp/password -E UTF8 --locale C
	echo "create database \$POSTGRES_DB" | $bin/postgres --single -D \$data postgres
	echo 'host all all all scram-sha-256' >> \$data/pg_hba.conf
	echo "listen_addresses = '*'" >> \$data/postgresql.conf
	: > \$data/ready
fi
exec $bin/postgres -D \$data
ENTRY
chmod 755 "$root/entrypoint"
ln -s ../run "$root/var/run"
chown 999:999 "$root"/{tmp,run/postgresql,var/lib/postgresql/data}
tar -C "$root" -cf "$1/image.tar" .
rm -rf "$root"
