// Package opt is the one table of options of "pail mount", and everything that is made of it: the parser of -o, the long
// flags, the environment variables, the help text and the list for the man page. So they cannot disagree.
//
// An option is written in any of these ways, and means the same; of two that differ the later in this list wins, and
// among arguments the last:
//
//	PAIL_STAT_CACHE_EXPIRE=30         environment
//	-o stat_cache_expire=30           as in fstab; words are separated by commas, a backslash keeps the next character
//	--stat-cache-expire=30            or with underscores
//
// All options of s3fs are there. One either works, or is accepted because pail does so anyway, or is accepted with a
// warning that says what is lost, or is refused with the reason (Status). A word that nobody knows is an error naming
// the nearest one. The words of fstab that mean nothing to a filesystem (auto, _netdev, x-systemd.*, comment=...) are
// dropped; those of the kernel (nodev, noatime...) are kept for it in Mount.KernelOptions.
//
// Arguments come in two forms. Command is s3fs's own and pail's: "BUCKET[:/PREFIX] MOUNTPOINT" with flags anywhere. Helper is
// what mount(8) calls /sbin/mount.TYPE with: there -f means "only pretend" and -s "do not fail on unknown options".
//
// The result, Mount, holds every value resolved: bytes, durations, numeric owners. Where pail's default is not
// s3fs's, the row in the table says why.
package opt
