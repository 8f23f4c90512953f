package opt

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// compatOptions are accepted because existing command lines have them.
func compatOptions() []option {
	rows := slices.Concat(checkedOptions(), freeOptions())
	slices.SortFunc(rows, func(a, b option) int { return strings.Compare(a.name, b.name) })
	return rows
}

// checkedOptions do not do all that they do in s3fs; what is given is still checked.
func checkedOptions() []option {
	const g = groupCompat
	mark := func(status Status, reason string, o option) option {
		o.group, o.status, o.help, o.def = g, status, reason, ""
		return o
	}
	integer := func(name string) option {
		return number(g, name, "", "", 0, 1<<30, func(*Mount) *int { return new(int) })
	}
	toggled := func(name string) option { return toggle(g, name, "", func(*Mount) *bool { return new(bool) }) }
	rows := []option{
		mark(Obsolete, "give stat_cache_expire, which counts from the answer", seconds(g, "stat_cache_interval_expire", "", "", 0,
			func(m *Mount) *time.Duration { return &m.AttrTTL })),
		mark(Obsolete, "give storage_class=reduced_redundancy", option{name: "use_rrs", bare: ptr("1"), set: setRRS}),
		mark(Obsolete, "give dbglevel=dbg, which logs a line for each request",
			option{name: "curldbg", arg: "normal|body", bare: ptr("normal"), set: setHTTPLog}),
		mark(Obsolete, "it is taken for nocopyapi, so that chmod downloads and uploads too", option{name: "norenameapi", bare: ptr("1"), set: setNoRename}),
		mark(NoEffect, "a file is sent when it is closed or synced", option{name: "max_dirty_data", arg: "MB", set: setMaxDirty}),
		mark(NoEffect, "no headers are added", word(g, "ahbe_conf", "FILE", "", "", func(*Mount) *string { return new(string) })),
		mark(NoEffect, "the User-Agent is sent", toggled("noua")),
		mark(NoEffect, "the safe ones of Go's TLS are offered", word(g, "cipher_suites", "LIST", "", "", func(*Mount) *string { return new(string) })),
		mark(NoEffect, "root is let in by allow_other alone", toggled("allow_root")),
		mark(NoEffect, "the next mount clears a dead one away", toggled("auto_unmount")),
		mark(NoEffect, "secrets are never logged", toggled("insecure_logging")),
		mark(NoEffect, "pages have 1000 entries", integer("list_object_max_keys")),
		mark(Always, "the type is fuse.pail", word(g, "subtype", "NAME", "", "", func(*Mount) *string { return new(string) })),
	}
	for _, name := range []string{"max_read", "max_write", "max_background"} {
		rows = append(rows, mark(NoEffect, tuned, integer(name)))
	}
	for _, name := range []string{"parallel_count", "parallel_upload"} {
		rows = append(rows, mark(Obsolete, "give max_thread_count",
			number(g, name, "", "", 1, 10000, func(m *Mount) *int { return &m.MaxRequests })))
	}
	return rows
}

const tuned = "pail tunes FUSE itself"

// freeOptions may have any value.
func freeOptions() []option {
	var rows []option
	for _, set := range []struct {
		status        Status
		names, reason string
	}{
		{NoEffect, "check_cache_dir_exist del_cache set_check_cache_sigusr1", "the directory of use_cache is made, checked as it is read, and kept"},
		{NoEffect, "hard_remove", "an open file that is removed stays readable, and leaves no .fuse_hidden file"},
		{NoEffect, "streamupload", "a file is sent when it is closed or synced"},
		{Obsolete, "credlib credlib_opts", "credentials come from the AWS chain, which has credential_process"},
		{Obsolete, "fd_page_size", "it has no meaning any more, in s3fs neither"},
		{Obsolete, "fake_diskfree", "it is for s3fs's own tests"},
		{Obsolete, "putheader_mp_threshold", "multipart_threshold rules"},
		{Obsolete, "notsup_compat_dir", "it is the default"},
		{Obsolete, "complement_stat", "missing attributes are always filled in"},
		{Always, "sigv4", "version 4 is the default"},
		{Always, "listobjectsv2", "version 2 is the default"},
		{Always, "use_wtf8", "names that are not UTF-8 are always stored so"},
		{Always, "update_parent_dir_stat", "directories always get new times"},
		{Always, "nodnscache nosscache noxmlns f2", "pail has nothing of that kind"},
		{Always, "big_writes large_read async_read sync_read atomic_o_trunc intr intr_signal use_ino readdir_ino splice_read " +
			"splice_write splice_move no_splice_read no_splice_write no_splice_move clone_fd max_idle_threads max_threads " +
			"congestion_threshold remember noforget no_remote_lock no_remote_flock no_remote_posix_lock kernel_cache " +
			"auto_cache noauto_cache ac_attr_timeout direct_io max_readahead rellinks norellinks writeback_cache", tuned},
	} {
		for name := range strings.FieldsSeq(set.names) {
			rows = append(rows, accepted(set.status, groupCompat, name, set.reason))
		}
	}
	return rows
}

// fstabOptions are the words of mount(8). Those of the kernel are passed on.
func fstabOptions() []option {
	rows := []option{
		{name: "ro", group: groupFstab, bare: ptr("1"), help: "read only", set: setReadOnly(true)},
		{name: "rw", group: groupFstab, bare: ptr("1"), help: "read and write", set: setReadOnly(false)},
	}
	for name := range strings.FieldsSeq("suid nosuid dev nodev exec noexec sync async dirsync atime noatime diratime " +
		"nodiratime relatime norelatime strictatime nostrictatime lazytime nolazytime nosymfollow") {
		rows = append(rows, option{name: name, group: groupFstab, bare: ptr("1"), help: "for the kernel",
			set: func(p *parser, v string) error {
				on, err := parseBool(v)
				if on {
					p.m.KernelOptions = append(p.m.KernelOptions, name)
				}
				return err
			}})
	}
	for name := range strings.FieldsSeq("defaults auto noauto user nouser users owner noowner group nogroup _netdev nofail " +
		"comment silent loud iversion noiversion mand nomand _rnetdev uhelper helper") {
		rows = append(rows, accepted(Always, groupFstab, name, "nothing to a filesystem"))
	}
	return rows
}

func refusedOptions() []option {
	const g = groupRefused
	return []option{
		accepted(Refused, g, "accessKeyId", "secrets in arguments are visible to everyone on the machine: put them into a passwd_file"),
		accepted(Refused, g, "secretAccessKey", "secrets in arguments are visible to everyone on the machine: put them into a passwd_file"),
		accepted(Refused, g, "ibm_iam_auth", "pail does not speak IBM's IAM: make HMAC credentials and put them into a passwd_file"),
		accepted(Refused, g, "ibm_iam_endpoint", "pail does not speak IBM's IAM: make HMAC credentials and put them into a passwd_file"),
		accepted(Refused, g, "remount", "unmount, and mount again with the new options"),
	}
}

// foreign reports whether a word belongs to programs that read fstab for themselves.
func foreign(name string) bool {
	return strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-")
}

// warning returns the line that a row's status asks for, or "".
func (o *option) warning(value string) string {
	switch {
	case value == "0":
	case o.status == NoEffect:
		return fmt.Sprintf("option %s has no effect here: %s", o.name, o.help)
	case o.status == Obsolete:
		return fmt.Sprintf("option %s is obsolete: %s", o.name, o.help)
	}
	return ""
}
