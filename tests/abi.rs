//! The Rust types and constants against the ABI tables: sizes, alignments, the place of every
//! field, values of constants, error codes.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{align_of, offset_of, size_of};

use abi_tables::tables;
use uv::abi::*;

/// What Rust says of a type: size and alignment; name, offset and size of its fields.
struct Measured {
    name: &'static str,
    size: usize,
    align: usize,
    fields: &'static [(&'static str, usize, usize)],
}

/// The size of what the function points at.
const fn size_behind<T, F>(_field: fn(*const T) -> *const F) -> usize {
    size_of::<F>()
}

macro_rules! measure {
    ($($name:ident { $($($field:ident).+),* $(,)? })*) => {
        &[$(Measured {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: &[$((
                stringify!($($field).+),
                offset_of!($name, $($field).+),
                // SAFETY: never called; its type is all that counts.
                size_behind(|value: *const $name| unsafe { &raw const (*value).$($field).+ }),
            )),*],
        }),*]
    };
}

/// Everything that the layout tables list. The second name of `write_extra`, `reserved2`, is C's
/// only.
const MEASURED: &[Measured] = measure! {
    uv__queue { next, prev }
    uv__work { work, done, r#loop, wq }
    uv__io_s { bits, pending_queue, watcher_queue, pevents, events, fd }
    uv_buf_t { base, len }
    uv_lib_t { handle, errmsg }
    uv__req_write_extra_s { nwritten }
    uv_timespec_t { tv_sec, tv_nsec }
    uv_timespec64_t { tv_sec, tv_nsec }
    uv_timeval_t { tv_sec, tv_usec }
    uv_timeval64_t { tv_sec, tv_usec }
    uv_stat_t {
        st_dev, st_mode, st_nlink, st_uid, st_gid, st_rdev, st_ino, st_size, st_blksize,
        st_blocks, st_flags, st_gen, st_atim, st_mtim, st_ctim, st_birthtim,
    }
    uv_req_s { data, r#type, reserved, write_extra }
    uv_shutdown_s { data, r#type, reserved, write_extra, handle, cb }
    uv_handle_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
    }
    uv_stream_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        write_queue_size, alloc_cb, read_cb, connect_req, shutdown_req, io_watcher,
        write_queue, write_completed_queue, connection_cb, delayed_error, accepted_fd,
        queued_fds,
    }
    uv_write_s {
        data, r#type, reserved, write_extra, cb, send_handle, handle, queue, write_index, bufs,
        nbufs, error, bufsml,
    }
    uv_tcp_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        write_queue_size, alloc_cb, read_cb, connect_req, shutdown_req, io_watcher,
        write_queue, write_completed_queue, connection_cb, delayed_error, accepted_fd,
        queued_fds,
    }
    uv_connect_s { data, r#type, reserved, write_extra, cb, handle, queue }
    uv_udp_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        send_queue_size, send_queue_count, alloc_cb, recv_cb, io_watcher, write_queue,
        write_completed_queue,
    }
    uv_udp_send_s {
        data, r#type, reserved, write_extra, handle, cb, queue, u, u.addr, u.storage, nbufs,
        bufs, status, send_cb, bufsml,
    }
    uv_tty_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        write_queue_size, alloc_cb, read_cb, connect_req, shutdown_req, io_watcher,
        write_queue, write_completed_queue, connection_cb, delayed_error, accepted_fd,
        queued_fds, orig_termios, mode,
    }
    uv_pipe_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        write_queue_size, alloc_cb, read_cb, connect_req, shutdown_req, io_watcher,
        write_queue, write_completed_queue, connection_cb, delayed_error, accepted_fd,
        queued_fds, ipc, pipe_fname,
    }
    uv_poll_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        poll_cb, io_watcher,
    }
    uv_prepare_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        prepare_cb, queue,
    }
    uv_check_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        check_cb, queue,
    }
    uv_idle_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        idle_cb, queue,
    }
    uv_async_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        async_cb, queue, pending,
    }
    uv_timer_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        timer_cb, node, node.heap, node.queue, timeout, repeat, start_id,
    }
    uv_getaddrinfo_s {
        data, r#type, reserved, write_extra, r#loop, work_req, cb, hints, hostname, service,
        addrinfo, retcode,
    }
    uv_getnameinfo_s {
        data, r#type, reserved, write_extra, r#loop, work_req, getnameinfo_cb, storage, flags,
        host, service, retcode,
    }
    uv_stdio_container_s { flags, data, data.stream, data.fd }
    uv_process_options_s { exit_cb, file, args, env, cwd, flags, stdio_count, stdio, uid, gid }
    uv_process_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        exit_cb, pid, queue, status,
    }
    uv_work_s { data, r#type, reserved, write_extra, r#loop, work_cb, after_work_cb, work_req }
    uv_cpu_times_s { user, nice, sys, idle, irq }
    uv_cpu_info_s { model, speed, cpu_times }
    uv_interface_address_s {
        name, phys_addr, is_internal, address, address.address4, address.address6, netmask,
        netmask.netmask4, netmask.netmask6,
    }
    uv_passwd_s { username, uid, gid, shell, homedir }
    uv_group_s { groupname, gid, members }
    uv_utsname_s { sysname, release, version, machine }
    uv_statfs_s {
        f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_frsize, f_spare,
    }
    uv_dirent_s { name, r#type }
    uv_rusage_t {
        ru_utime, ru_stime, ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt,
        ru_nswap, ru_inblock, ru_oublock, ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw,
        ru_nivcsw,
    }
    uv_env_item_s { name, value }
    uv_metrics_s { loop_count, events, events_waiting, reserved }
    uv_dir_s { dirents, nentries, reserved, dir }
    uv_fs_s {
        data, r#type, reserved, write_extra, fs_type, r#loop, cb, result, ptr, path, statbuf,
        new_path, file, flags, mode, nbufs, bufs, off, uid, gid, atime, mtime, work_req,
        bufsml,
    }
    uv_fs_event_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        path, cb, watchers, wd,
    }
    uv_fs_poll_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        poll_ctx,
    }
    uv_signal_s {
        data, r#loop, r#type, close_cb, handle_queue, u, u.fd, u.reserved, next_closing, flags,
        signal_cb, signum, tree_entry, tree_entry.rbe_left, tree_entry.rbe_right,
        tree_entry.rbe_parent, tree_entry.rbe_color, caught_signals, dispatched_signals,
    }
    uv_random_s {
        data, r#type, reserved, write_extra, r#loop, status, buf, buflen, cb, work_req,
    }
    uv_thread_options_s { flags, stack_size }
    uv_any_handle {
        r#async, check, fs_event, fs_poll, handle, idle, pipe, poll, prepare, process, stream,
        tcp, timer, tty, udp, signal,
    }
    uv_any_req {
        req, connect, write, shutdown, udp_send, fs, work, getaddrinfo, getnameinfo, random,
    }
    uv_loop_s {
        data, active_handles, handle_queue, active_reqs, active_reqs.unused, active_reqs.count,
        internal_fields, stop_flag, flags, backend_fd, pending_queue, watcher_queue, watchers,
        nwatchers, nfds, wq, wq_mutex, wq_async, cloexec_lock, closing_handles,
        process_handles, prepare_handles, check_handles, idle_handles, async_handles,
        async_unused, async_io_watcher, async_wfd, timer_heap, timer_heap.min,
        timer_heap.nelts, timer_counter, time, signal_pipefd, signal_io_watcher, child_watcher,
        emfile_fd, inotify_read_watcher, inotify_watchers, inotify_fd,
    }
};

macro_rules! values {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as i64)),*] };
}

const CONSTANTS: &[(&str, i64)] = values! {
    UV_ASYNC, UV_CHANGE, UV_CHECK, UV_CLOCK_MONOTONIC, UV_CLOCK_REALTIME, UV_CONNECT,
    UV_CREATE_PIPE, UV_DIRENT_BLOCK, UV_DIRENT_CHAR, UV_DIRENT_DIR, UV_DIRENT_FIFO,
    UV_DIRENT_FILE, UV_DIRENT_LINK, UV_DIRENT_SOCKET, UV_DIRENT_UNKNOWN, UV_DISCONNECT,
    UV_E2BIG, UV_EACCES, UV_EADDRINUSE, UV_EADDRNOTAVAIL, UV_EAFNOSUPPORT, UV_EAGAIN,
    UV_EAI_ADDRFAMILY, UV_EAI_AGAIN, UV_EAI_BADFLAGS, UV_EAI_BADHINTS, UV_EAI_CANCELED,
    UV_EAI_FAIL, UV_EAI_FAMILY, UV_EAI_MEMORY, UV_EAI_NODATA, UV_EAI_NONAME, UV_EAI_OVERFLOW,
    UV_EAI_PROTOCOL, UV_EAI_SERVICE, UV_EAI_SOCKTYPE, UV_EALREADY, UV_EBADF, UV_EBUSY,
    UV_ECANCELED, UV_ECHARSET, UV_ECONNABORTED, UV_ECONNREFUSED, UV_ECONNRESET,
    UV_EDESTADDRREQ, UV_EEXIST, UV_EFAULT, UV_EFBIG, UV_EFTYPE, UV_EHOSTDOWN, UV_EHOSTUNREACH,
    UV_EILSEQ, UV_EINTR, UV_EINVAL, UV_EIO, UV_EISCONN, UV_EISDIR, UV_ELOOP, UV_EMFILE,
    UV_EMLINK, UV_EMSGSIZE, UV_ENAMETOOLONG, UV_ENETDOWN, UV_ENETUNREACH, UV_ENFILE,
    UV_ENOBUFS, UV_ENODATA, UV_ENODEV, UV_ENOENT, UV_ENOEXEC, UV_ENOMEM, UV_ENONET,
    UV_ENOPROTOOPT, UV_ENOSPC, UV_ENOSYS, UV_ENOTCONN, UV_ENOTDIR, UV_ENOTEMPTY, UV_ENOTSOCK,
    UV_ENOTSUP, UV_ENOTTY, UV_ENXIO, UV_EOF, UV_EOVERFLOW, UV_EPERM, UV_EPIPE, UV_EPROTO,
    UV_EPROTONOSUPPORT, UV_EPROTOTYPE, UV_ERANGE, UV_EREMOTEIO, UV_EROFS, UV_ERRNO_MAX,
    UV_ESHUTDOWN, UV_ESOCKTNOSUPPORT, UV_ESPIPE, UV_ESRCH, UV_ETIMEDOUT, UV_ETXTBSY,
    UV_EUNATCH, UV_EXDEV, UV_FILE, UV_FS, UV_FS_ACCESS, UV_FS_CHMOD, UV_FS_CHOWN, UV_FS_CLOSE,
    UV_FS_CLOSEDIR, UV_FS_COPYFILE, UV_FS_COPYFILE_EXCL, UV_FS_COPYFILE_FICLONE,
    UV_FS_COPYFILE_FICLONE_FORCE, UV_FS_CUSTOM, UV_FS_EVENT, UV_FS_EVENT_RECURSIVE,
    UV_FS_EVENT_STAT, UV_FS_EVENT_WATCH_ENTRY, UV_FS_FCHMOD, UV_FS_FCHOWN, UV_FS_FDATASYNC,
    UV_FS_FSTAT, UV_FS_FSYNC, UV_FS_FTRUNCATE, UV_FS_FUTIME, UV_FS_LCHOWN, UV_FS_LINK,
    UV_FS_LSTAT, UV_FS_LUTIME, UV_FS_MKDIR, UV_FS_MKDTEMP, UV_FS_MKSTEMP, UV_FS_OPEN,
    UV_FS_OPENDIR, UV_FS_O_APPEND, UV_FS_O_CREAT, UV_FS_O_DIRECT, UV_FS_O_DIRECTORY,
    UV_FS_O_DSYNC, UV_FS_O_EXCL, UV_FS_O_EXLOCK, UV_FS_O_FILEMAP, UV_FS_O_NOATIME,
    UV_FS_O_NOCTTY, UV_FS_O_NOFOLLOW, UV_FS_O_NONBLOCK, UV_FS_O_RANDOM, UV_FS_O_RDONLY,
    UV_FS_O_RDWR, UV_FS_O_SEQUENTIAL, UV_FS_O_SHORT_LIVED, UV_FS_O_SYMLINK, UV_FS_O_SYNC,
    UV_FS_O_TEMPORARY, UV_FS_O_TRUNC, UV_FS_O_WRONLY, UV_FS_POLL, UV_FS_READ, UV_FS_READDIR,
    UV_FS_READLINK, UV_FS_REALPATH, UV_FS_RENAME, UV_FS_RMDIR, UV_FS_SCANDIR, UV_FS_SENDFILE,
    UV_FS_STAT, UV_FS_STATFS, UV_FS_SYMLINK, UV_FS_SYMLINK_DIR, UV_FS_SYMLINK_JUNCTION,
    UV_FS_UNKNOWN, UV_FS_UNLINK, UV_FS_UTIME, UV_FS_WRITE, UV_GETADDRINFO, UV_GETNAMEINFO,
    UV_HANDLE, UV_HANDLE_TYPE_MAX, UV_IDLE, UV_IF_NAMESIZE, UV_IGNORE, UV_INHERIT_FD,
    UV_INHERIT_STREAM, UV_JOIN_GROUP, UV_LEAVE_GROUP, UV_LOOP_BLOCK_SIGNAL,
    UV_LOOP_USE_IO_URING_SQPOLL, UV_MAXHOSTNAMESIZE, UV_METRICS_IDLE_TIME, UV_NAMED_PIPE,
    UV_NONBLOCK_PIPE, UV_OVERLAPPED_PIPE, UV_POLL, UV_PREPARE, UV_PRIORITIZED,
    UV_PRIORITY_ABOVE_NORMAL, UV_PRIORITY_BELOW_NORMAL, UV_PRIORITY_HIGH, UV_PRIORITY_HIGHEST,
    UV_PRIORITY_LOW, UV_PRIORITY_NORMAL, UV_PROCESS, UV_PROCESS_DETACHED, UV_PROCESS_SETGID,
    UV_PROCESS_SETUID, UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME, UV_PROCESS_WINDOWS_HIDE,
    UV_PROCESS_WINDOWS_HIDE_CONSOLE, UV_PROCESS_WINDOWS_HIDE_GUI,
    UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS, UV_RANDOM, UV_READABLE, UV_READABLE_PIPE, UV_RENAME,
    UV_REQ, UV_REQ_TYPE_MAX, UV_RUN_DEFAULT, UV_RUN_NOWAIT, UV_RUN_ONCE, UV_SHUTDOWN,
    UV_SIGNAL, UV_STREAM, UV_TCP, UV_TCP_IPV6ONLY, UV_TCP_REUSEPORT, UV_THREAD_HAS_STACK_SIZE,
    UV_THREAD_NO_FLAGS, UV_TIMER, UV_TTY, UV_TTY_MODE_IO, UV_TTY_MODE_NORMAL, UV_TTY_MODE_RAW,
    UV_TTY_MODE_RAW_VT, UV_TTY_SUPPORTED, UV_TTY_UNSUPPORTED, UV_UDP, UV_UDP_IPV6ONLY,
    UV_UDP_LINUX_RECVERR, UV_UDP_MMSG_CHUNK, UV_UDP_MMSG_FREE, UV_UDP_PARTIAL, UV_UDP_RECVMMSG,
    UV_UDP_REUSEADDR, UV_UDP_REUSEPORT, UV_UDP_SEND, UV_UNKNOWN, UV_UNKNOWN_HANDLE,
    UV_UNKNOWN_REQ, UV_VERSION_HEX, UV_VERSION_IS_RELEASE, UV_VERSION_MAJOR, UV_VERSION_MINOR,
    UV_VERSION_PATCH, UV_WORK, UV_WRITABLE, UV_WRITABLE_PIPE, UV_WRITE,
    UV_THREAD_PRIORITY_HIGHEST, UV_THREAD_PRIORITY_ABOVE_NORMAL, UV_THREAD_PRIORITY_NORMAL,
    UV_THREAD_PRIORITY_BELOW_NORMAL, UV_THREAD_PRIORITY_LOWEST,
    UV_PIPE_NO_TRUNCATE,
};

macro_rules! typedefs {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), size_of::<$name>(), align_of::<$name>())),*]
    };
}

const TYPEDEFS: &[(&str, usize, usize)] = typedefs! {
    uv__io_t, uv_buf_t, uv_file, uv_os_sock_t, uv_os_fd_t, uv_pid_t, uv_once_t, uv_thread_t,
    uv_mutex_t, uv_rwlock_t, uv_sem_t, uv_cond_t, uv_key_t, uv_barrier_t, uv_gid_t, uv_uid_t,
    uv__dirent_t, uv_lib_t, uv_errno_t, uv_handle_type, uv_req_type, uv_loop_t, uv_handle_t,
    uv_dir_t, uv_stream_t, uv_tcp_t, uv_udp_t, uv_pipe_t, uv_tty_t, uv_poll_t, uv_timer_t,
    uv_prepare_t, uv_check_t, uv_idle_t, uv_async_t, uv_process_t, uv_fs_event_t, uv_fs_poll_t,
    uv_signal_t, uv_req_t, uv_getaddrinfo_t, uv_getnameinfo_t, uv_shutdown_t, uv_write_t,
    uv_connect_t, uv_udp_send_t, uv_fs_t, uv_work_t, uv_random_t, uv_env_item_t, uv_cpu_info_t,
    uv_interface_address_t, uv_dirent_t, uv_passwd_t, uv_group_t, uv_utsname_t, uv_statfs_t,
    uv_metrics_t, uv_loop_option, uv_run_mode, uv_malloc_func, uv_realloc_func, uv_calloc_func,
    uv_free_func, uv_alloc_cb, uv_read_cb, uv_write_cb, uv_connect_cb, uv_shutdown_cb,
    uv_connection_cb, uv_close_cb, uv_poll_cb, uv_timer_cb, uv_async_cb, uv_prepare_cb,
    uv_check_cb, uv_idle_cb, uv_exit_cb, uv_walk_cb, uv_fs_cb, uv_work_cb, uv_after_work_cb,
    uv_getaddrinfo_cb, uv_getnameinfo_cb, uv_random_cb, uv_clock_id, uv_timespec_t,
    uv_timespec64_t, uv_timeval_t, uv_timeval64_t, uv_stat_t, uv_fs_event_cb, uv_fs_poll_cb,
    uv_signal_cb, uv_membership, uv_udp_send_cb, uv_udp_recv_cb, uv_tty_mode_t,
    uv_tty_vtermstate_t, uv_stdio_flags, uv_stdio_container_t, uv_process_options_t,
    uv_dirent_type_t, uv_rusage_t, uv_fs_type, uv_thread_cb, uv_thread_create_flags,
    uv_thread_options_t,
};

fn equal_names<'a>(
    what: &str,
    table: impl Iterator<Item = &'a str>,
    rust: impl Iterator<Item = &'a str>,
) {
    let (table, rust): (BTreeSet<_>, BTreeSet<_>) = (table.collect(), rust.collect());
    let missing: Vec<_> = table.difference(&rust).collect();
    let unknown: Vec<_> = rust.difference(&table).collect();
    assert!(
        missing.is_empty(),
        "{what} of the table that this test misses: {missing:?}"
    );
    assert!(
        unknown.is_empty(),
        "{what} of this test that are in no table: {unknown:?}"
    );
}

#[test]
fn types_have_their_size_and_alignment() {
    let Some(layout) = tables::layout() else {
        return;
    };
    equal_names(
        "types",
        layout.types.keys().map(String::as_str),
        MEASURED.iter().map(|m| m.name),
    );
    for measured in MEASURED {
        let row = &layout.types[measured.name];
        assert_eq!(
            (measured.size, measured.align),
            (row.first, row.second),
            "size and alignment of {}",
            measured.name
        );
    }
}

#[test]
fn fields_have_their_place_and_size() {
    let Some(mut layout) = tables::layout() else {
        return;
    };
    layout
        .fields
        .retain(|name, _| !name.ends_with(".reserved2"));
    let mut fields = BTreeMap::new();
    for measured in MEASURED {
        for (field, offset, size) in measured.fields {
            // `stringify!` leaves spaces around dots, and the mark of raw names.
            let field = field.replace(' ', "").replace("r#", "");
            fields.insert(format!("{}.{field}", measured.name), (*offset, *size));
        }
    }
    equal_names(
        "fields",
        layout.fields.keys().map(String::as_str),
        fields.keys().map(String::as_str),
    );
    for (name, row) in &layout.fields {
        assert_eq!(
            fields[name],
            (row.first, row.second),
            "offset and size of {name}"
        );
    }
}

#[test]
fn typedefs_have_their_size_and_alignment() {
    let Some(layout) = tables::layout() else {
        return;
    };
    equal_names(
        "typedefs",
        layout.typedefs.keys().map(String::as_str),
        TYPEDEFS.iter().map(|t| t.0),
    );
    for (name, size, align) in TYPEDEFS {
        let row = &layout.typedefs[*name];
        assert_eq!(
            (*size, *align),
            (row.first, row.second),
            "size and alignment of {name}"
        );
    }
}

#[test]
fn constants_have_their_value() {
    let mut table = BTreeMap::new();
    for constant in tables::constants() {
        // What begins with UV__ and the initialiser of uv_once_t exist in C only.
        if constant.name.starts_with("UV__") || constant.name == "UV_ONCE_INIT" {
            continue;
        }
        if let Some(value) = constant.value {
            table.insert(constant.name, value);
        }
    }
    equal_names(
        "constants",
        table.keys().map(String::as_str),
        CONSTANTS.iter().map(|c| c.0),
    );
    for (name, value) in CONSTANTS {
        if !tables::differs_by_processor(name) {
            assert_eq!(*value, table[*name], "{name}");
        }
    }
}

#[test]
fn the_table_of_errors_has_every_code_once() {
    let constants = tables::constants();
    let codes = constants
        .iter()
        .filter(|c| c.place == "uv_errno_t" && c.name != "UV_ERRNO_MAX")
        .map(|c| (c.name.trim_start_matches("UV_"), c.value.unwrap()));
    let expected: BTreeMap<&str, i64> = codes.collect();
    let rows: BTreeMap<&str, i64> = ERRORS
        .iter()
        .map(|row| (row.name.to_str().unwrap(), i64::from(row.code)))
        .collect();
    assert_eq!(rows.len(), ERRORS.len(), "a code stands twice in ERRORS");
    assert_eq!(rows, expected);
    assert!(ERRORS.iter().all(|row| !row.message.is_empty()));
}

/// The tables are copies: where the originals lie beside the repository they must be the same.
#[test]
fn the_tables_are_up_to_date() {
    let originals = tables::root().join("../shared/abi");
    if !originals.is_dir() {
        eprintln!("skipped: the original tables are not here");
        return;
    }
    for file in tables::FILES {
        let original = std::fs::read(originals.join(file)).unwrap();
        let copy = std::fs::read(tables::root().join("tests/abi").join(file)).unwrap();
        assert!(
            original == copy,
            "tests/abi/{file} is not what ../shared/abi has"
        );
    }
}
