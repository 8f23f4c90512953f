// Package bench measures mounts as programs see them: file work on a real kernel mount of pail, beside s3fs and rclone
// from Debian's packages where they are installed, and beside a local directory, all on the same server in one run.
//
// `make bench` runs it. Between mount and server stands a proxy that counts requests, and that adds a delay to each in
// the second half of the rows, as a network does. What is written is read back through plain S3 after the unmount, and
// what is read is compared, so that nothing is fast by being wrong. Figures depend on the machine: only ratios within
// one run say something. PAIL_BENCH_TABLE names a file for the table, which is printed too.
//
// BenchmarkServer measures servers alone in the same spirit: pail, and versitygw and MinIO where they are in PATH, driven by
// the mount's own client; PAIL_BENCH_SERVERS names a file for its table.
package bench
