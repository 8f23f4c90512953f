#!/bin/bash
# ceph.sh DIR ACCESS_KEY SECRET_KEY: a Ceph of one monitor, manager, OSD and RGW on loopback, with its files in DIR; S3 is on
# port 9280. The daemons stay.
set -eu
D=$1
mkdir -p "$D"/{mon.a,mgr.x,osd.0,run,log,rgw}
FSID=$(cat /proc/sys/kernel/random/uuid)
cat > "$D/ceph.conf" <<C
[global]
fsid = $FSID
mon_host = [v2:127.0.0.1:9200,v1:127.0.0.1:9201]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_port_min = 9210
ms_bind_port_max = 9240
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $D/run
log_file = $D/log/\$name.log
pid_file = $D/run/\$name.pid
admin_socket = $D/run/\$name.asok
keyring = $D/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
[mon]
mon_data = $D/mon.\$id
[mgr]
mgr_data = $D/mgr.\$id
mgr_initial_modules = iostat
[osd]
osd_data = $D/osd.\$id
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = 21474836480
bluestore_block_wal_create = false
bluestore_block_db_create = false
osd_memory_target = 1073741824
osd_op_queue = wpq
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:9280
rgw_data = $D/rgw
keyring = $D/rgw/keyring
ms_mon_client_mode = crc
C
export CEPH_CONF=$D/ceph.conf
ceph() { timeout 60 /usr/bin/ceph "$@"; }
ceph-authtool --create-keyring "$D/keyring" --gen-key -n mon. --cap mon 'allow *'
ceph-authtool "$D/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
monmaptool --create --fsid "$FSID" --addv a '[v2:127.0.0.1:9200,v1:127.0.0.1:9201]' "$D/monmap"
ceph-mon --mkfs -i a --monmap "$D/monmap" --keyring "$D/keyring"
ceph-mon -i a
ceph-mgr -i x
OSD=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$OSD"
ceph-osd -i 0 --mkfs --osd-uuid "$OSD" --no-mon-config
ceph-osd -i 0
for _ in $(seq 60); do ceph osd stat | grep -q '1 up' && break; sleep 1; done
ceph auth get-or-create client.rgw mon 'allow *' osd 'allow *' mgr 'allow *' -o "$D/rgw/keyring"
radosgw -n client.rgw
for _ in $(seq 90); do curl -s -m 2 -o /dev/null http://127.0.0.1:9280/ && break; sleep 1; done
radosgw-admin -n client.rgw user create --uid lab --display-name lab --access-key "$2" --secret-key "$3" --max-buckets 0 >/dev/null
radosgw --version
