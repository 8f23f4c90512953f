package opt

import "time"

func mountOptions() []option {
	const g = groupMount
	// s3fs checks by itself what the kernel checks here; 0 leaves everything to the server.
	permissions := toggle(g, "default_permissions", "let the kernel check owner and mode", func(m *Mount) *bool { return &m.DefaultPermissions })
	permissions.def = "1"
	return []option{
		toggle(g, "allow_other", "let other users in (needs user_allow_other in /etc/fuse.conf unless root mounts)",
			func(m *Mount) *bool { return &m.AllowOther }),
		permissions,
		toggle(g, "noacl", "no POSIX ACLs: those that there are stay, and new files inherit them, but they are neither shown nor enforced, so that "+
			"a file's group has what the mask of its ACL allows; ls -l of a large directory takes half the time where it asks for the ACL "+
			"of each file, as in Debian 12", func(m *Mount) *bool { return &m.NoACLs }),
		{name: "acl", group: g, bare: ptr("1"), help: "the opposite; it is the default", set: func(p *parser, v string) error {
			on, err := parseBool(v)
			p.m.NoACLs = !on
			return err
		}},
		toggle(g, "nonempty", "mount on a directory that is not empty; its files are hidden meanwhile", func(m *Mount) *bool { return &m.NonEmpty }),
		owner(g, "uid", "USER", "owner of everything, name or number", lookupUser, func(m *Mount) **uint32 { return &m.UID }),
		owner(g, "gid", "GROUP", "group of everything, name or number", lookupGroup, func(m *Mount) **uint32 { return &m.GID }),
		mask(g, "umask", "permission bits that no file or directory has", func(m *Mount) **uint32 { return &m.Umask }),
		mask(g, "mp_umask", "permission bits that the mountpoint does not have", func(m *Mount) **uint32 { return &m.MountpointUmask }),
		word(g, "fsname", "NAME", "", "source in the table of mounts", func(m *Mount) *string { return &m.FSName }),
		{name: "subdir", group: g, arg: "DIR", help: "directory of the bucket to mount, below PREFIX (with modules=subdir)",
			set: func(p *parser, v string) error { p.subdir = v; return nil }},
		{name: "modules", group: g, arg: "subdir", help: "FUSE's stacked modules; subdir is the only one here", set: setModules},
		toggle(g, "compat_dir", "look for old directory markers NAME_$folder$ too; costs one more request for each new name",
			func(m *Mount) *bool { return &m.CompatDir }),
		toggle(g, "nospecials", "there are no symbolic links, FIFOs and devices, and none can be made: then find need not look small files up "+
			"where listings have no metadata", func(m *Mount) *bool { return &m.NoSpecials }),
	}
}

func cacheOptions() []option {
	const g = groupCache
	kernel := func(name, help string, field func(*Mount) *time.Duration) option {
		return seconds(g, name, "", help, 0, field)
	}
	negative := func(name string, alias string, on bool, help string) option {
		o := toggle(g, name, help, func(m *Mount) *bool { return &m.NegativeCache })
		o.aliases = []string{alias}
		set := o.set
		o.set = func(p *parser, v string) error {
			err := set(p, v)
			p.m.NegativeCache = p.m.NegativeCache == on
			return err
		}
		return o
	}
	enable := negative("enable_negative_cache", "enable_noobj_cache", true, "remember that a name is not there, for 2 seconds or stat_cache_expire if that is less")
	enable.def = "1"
	return []option{
		// s3fs has 900 s: changes by others stay unseen for a quarter of an hour. open() asks the server anyway, so a short
		// time costs requests for stat and ls only.
		seconds(g, "stat_cache_expire", "10", "time until attributes are asked for again, so that changes by others are seen; "+
			"open() always asks (s3fs: 900)", 0, func(m *Mount) *time.Duration { return &m.AttrTTL }),
		number(g, "max_stat_cache_size", "200000", "names to remember", 0, 1<<30, func(m *Mount) *int { return &m.CacheEntries }),
		enable,
		negative("disable_negative_cache", "disable_noobj_cache", false, "do not"),
		kernel("attr_timeout", "time the kernel keeps attributes; else one second",
			func(m *Mount) *time.Duration { return &m.KernelAttrTTL }),
		kernel("entry_timeout", "time the kernel keeps names; else one second",
			func(m *Mount) *time.Duration { return &m.KernelEntryTTL }),
		kernel("negative_timeout", "time the kernel keeps that a name is not there; else half a second",
			func(m *Mount) *time.Duration { return &m.KernelNegativeTTL }),
	}
}

func dataOptions() []option {
	const g, most = groupData, 1 << 62
	xattrs := toggle(g, "use_xattr", "extended attributes (s3fs: off)", func(m *Mount) *bool { return &m.Xattrs })
	xattrs.def = "1"
	through := toggle(g, "passthrough", "in a read-only mount of root, the kernel reads files that are wholly in use_cache itself (Linux 6.9)",
		func(m *Mount) *bool { return &m.PassThrough })
	through.def = "1"
	reads := toggle(g, "read_leases", "where nobody else works on the files of a directory, pail's own server tells the mount before anybody "+
		"does, so that it need not ask again for what it knows; who changes something there waits once for that, for seconds if this "+
		"machine does not answer", func(m *Mount) *bool { return &m.ReadLeases })
	reads.def = "1"
	return []option{
		{name: "memory_limit", group: g, arg: "SIZE", help: "memory for data being read and written; default: a share of the machine's",
			set: setMemoryLimit},
		word(g, "tmpdir", "DIR", "/tmp", "place for data being written; with writeback best on the filesystem of journal_dir, where large "+
			"files are not copied", func(m *Mount) *string { return &m.TempDir }),
		toggle(g, "writeback", "close() and fsync() return when the data is in a journal on the local disk; it is sent in the background, "+
			"after a crash by the next mount", func(m *Mount) *bool { return &m.Writeback }),
		word(g, "journal_dir", "DIR", "", "the journal of writeback; default: one for each bucket and prefix in /var/lib/pail, of other users than "+
			"root in $XDG_STATE_HOME/pail", func(m *Mount) *string { return &m.JournalDir }),
		megabytes(g, "journal_size", "0", "data that the journal may hold, then writers wait; 0: what the disk has", 0, most,
			func(m *Mount) *int64 { return &m.JournalSize }),
		word(g, "use_cache", "DIR", "", "keep what is read there, also for later mounts; a directory for each bucket; a file of up to 1 GiB that is "+
			"read at random is fetched whole when that pays; default: no cache on disk",
			func(m *Mount) *string { return &m.CacheDir }),
		megabytes(g, "cache_size", "0", "data that the cache on disk may hold, for each bucket; 0: what the disk has", 0, most,
			func(m *Mount) *int64 { return &m.CacheSize }),
		through,
		megabytes(g, "ensure_diskfree", "0", "space to leave free there", 0, most, func(m *Mount) *int64 { return &m.KeepFreeBytes }),
		number(g, "free_space_ratio", "10", "space to leave free there, in percent", 0, 100, func(m *Mount) *int { return &m.KeepFreePercent }),
		number(g, "retries", "5", "times to repeat a request that failed for the moment; 5 outlast about 20 seconds", 0, 1000, func(m *Mount) *int { return &m.Retries }),
		// s3fs has 300 s, for each try; a server that is not there should be reported before people give up waiting.
		seconds(g, "connect_timeout", "30", "time for a connection (s3fs: 300)", time.Second,
			func(m *Mount) *time.Duration { return &m.ConnectTimeout }),
		seconds(g, "readwrite_timeout", "120", "time without a byte moving", time.Second,
			func(m *Mount) *time.Duration { return &m.ReadWriteTimeout }),
		number(g, "max_thread_count", "10", "requests at once", 1, 10000, func(m *Mount) *int { return &m.MaxRequests }),
		number(g, "multireq_max", "64", "HEAD requests at once, for attributes that listings do not bring (s3fs: 20)", 1, 10000,
			func(m *Mount) *int { return &m.MaxHeads }),
		megabytes(g, "multipart_size", "10", "part size of uploads", 5*mib, 5*gib, func(m *Mount) *int64 { return &m.MultipartSize }),
		megabytes(g, "multipart_threshold", "25", "size from which uploads have parts", 5*mib, 5*gib,
			func(m *Mount) *int64 { return &m.MultipartThreshold }),
		megabytes(g, "multipart_copy_size", "512", "part size of copies on the server", 5*mib, 5*gib,
			func(m *Mount) *int64 { return &m.CopyPartSize }),
		megabytes(g, "singlepart_copy_limit", "512", "size up to which one request copies", 1*mib, 5*gib,
			func(m *Mount) *int64 { return &m.SingleCopyLimit }),
		toggle(g, "excl_on_close", "a file made with O_EXCL, as by tar, cp and git, is one request in place of two; of two machines that make "+
			"the same one, the later is told by close() and not by open()", func(m *Mount) *bool { return &m.LazyExcl }),
		toggle(g, "sync_unlink", "each removal of a file waits for the server; else only the first of many in a directory do, unless it was "+
			"just listed, and one that fails later is told by fsync and rmdir of the directory", func(m *Mount) *bool { return &m.SyncUnlink }),
		reads,
		toggle(g, "nomultipart", "never upload in parts", func(m *Mount) *bool { return &m.NoMultipart }),
		toggle(g, "nomixupload", "upload unchanged ranges again in place of copying them", func(m *Mount) *bool { return &m.NoMixUpload }),
		toggle(g, "nocopyapi", "the server cannot copy: download and upload again for chmod and mv", func(m *Mount) *bool { return &m.NoCopy }),
		{name: "bucket_size", group: g, arg: "SIZE", help: "size that df shows: bytes, or with KB...EB, KiB...EiB", set: setBucketSize},
		xattrs,
	}
}

func logOptions() []option {
	const g = groupLog
	return []option{
		word(g, "logfile", "FILE", "", "log there; SIGHUP opens it again; default: syslog, with -f standard error",
			func(m *Mount) *string { return &m.LogFile }),
		choice(g, "dbglevel", "warn", "least level to log; SIGUSR2 raises it (s3fs: crit)",
			[]string{"silent", "crit", "critical", "err", "error", "warn", "wan", "warning", "info", "inf", "information", "dbg", "debug"},
			setLogLevel),
		{name: "no_time_stamp_msg", group: g, bare: ptr("1"), help: "no time in messages", set: setNoTime},
	}
}
