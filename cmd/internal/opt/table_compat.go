package opt

import (
	"fmt"
	"slices"
	"strings"
)

// compatOptions are accepted because existing command lines have them.
func compatOptions() []option {
	const g = groupCompat
	rows := []option{
		accepted(NoEffect, g, "use_cache", "pail keeps no data cache on disk"),
		accepted(NoEffect, g, "check_cache_dir_exist", "pail keeps no data cache on disk"),
		accepted(NoEffect, g, "del_cache", "pail keeps no data cache on disk"),
		accepted(NoEffect, g, "set_check_cache_sigusr1", "pail keeps no data cache on disk"),
		accepted(NoEffect, g, "hard_remove", "an open file that is removed stays readable, and leaves no .fuse_hidden file"),
		{name: "use_rrs", group: g, bare: ptr("1"), status: Obsolete, help: "give storage_class=reduced_redundancy", set: setRRS},
		accepted(Obsolete, g, "credlib", "credentials come from the AWS chain, which has credential_process"),
		accepted(Obsolete, g, "credlib_opts", "credentials come from the AWS chain, which has credential_process"),
		accepted(Obsolete, g, "fd_page_size", "it has no meaning any more, in s3fs neither"),
		accepted(Obsolete, g, "fake_diskfree", "it is for s3fs's own tests"),
		accepted(Obsolete, g, "putheader_mp_threshold", "multipart_threshold rules"),
		accepted(Obsolete, g, "notsup_compat_dir", "all forms of directories are read"),
		accepted(Obsolete, g, "complement_stat", "missing attributes are always filled in"),
	}
	for _, name := range []string{"multireq_max", "parallel_count", "parallel_upload"} {
		o := number(g, name, "", "give max_thread_count", 1, 10000, func(m *Mount) *int { return &m.MaxRequests })
		o.status = Obsolete
		rows = append(rows, o)
	}
	for names, reason := range map[string]string{
		"sigv4":                           "version 4 is the default",
		"listobjectsv2":                   "version 2 is the default",
		"streamupload":                    "files are sent while they are written where that is possible",
		"compat_dir":                      "all forms of directories are read",
		"use_wtf8":                        "names that are not UTF-8 are always stored so",
		"update_parent_dir_stat":          "directories always get new times",
		"nodnscache nosscache noxmlns f2": "pail has nothing of that kind",
		"big_writes large_read async_read sync_read atomic_o_trunc intr intr_signal use_ino readdir_ino " +
			"splice_read splice_write splice_move no_splice_read no_splice_write no_splice_move clone_fd max_idle_threads " +
			"max_threads congestion_threshold remember noforget no_remote_lock no_remote_flock no_remote_posix_lock " +
			"kernel_cache auto_cache noauto_cache ac_attr_timeout direct_io max_readahead rellinks norellinks " +
			"writeback_cache": "pail tunes FUSE itself",
	} {
		for name := range strings.FieldsSeq(names) {
			rows = append(rows, accepted(Always, g, name, reason))
		}
	}
	slices.SortFunc(rows, func(a, b option) int { return strings.Compare(a.name, b.name) })
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
