//! Enumerations and integer constants, with the values of `uv.h`.
//!
//! Enumerations are integers here: C may hand in any value, and a value outside a Rust `enum`
//! would be undefined behaviour. The header makes C enums of them, by the name of their type.

use core::ffi::{c_int, c_uint};

/// The type of a handle.
#[allow(non_camel_case_types)]
pub type uv_handle_type = c_uint;
/// See [`uv_handle_type`].
pub const UV_UNKNOWN_HANDLE: uv_handle_type = 0;
/// See [`uv_handle_type`].
pub const UV_ASYNC: uv_handle_type = 1;
/// See [`uv_handle_type`].
pub const UV_CHECK: uv_handle_type = 2;
/// See [`uv_handle_type`].
pub const UV_FS_EVENT: uv_handle_type = 3;
/// See [`uv_handle_type`].
pub const UV_FS_POLL: uv_handle_type = 4;
/// See [`uv_handle_type`].
pub const UV_HANDLE: uv_handle_type = 5;
/// See [`uv_handle_type`].
pub const UV_IDLE: uv_handle_type = 6;
/// See [`uv_handle_type`].
pub const UV_NAMED_PIPE: uv_handle_type = 7;
/// See [`uv_handle_type`].
pub const UV_POLL: uv_handle_type = 8;
/// See [`uv_handle_type`].
pub const UV_PREPARE: uv_handle_type = 9;
/// See [`uv_handle_type`].
pub const UV_PROCESS: uv_handle_type = 10;
/// See [`uv_handle_type`].
pub const UV_STREAM: uv_handle_type = 11;
/// See [`uv_handle_type`].
pub const UV_TCP: uv_handle_type = 12;
/// See [`uv_handle_type`].
pub const UV_TIMER: uv_handle_type = 13;
/// See [`uv_handle_type`].
pub const UV_TTY: uv_handle_type = 14;
/// See [`uv_handle_type`].
pub const UV_UDP: uv_handle_type = 15;
/// See [`uv_handle_type`].
pub const UV_SIGNAL: uv_handle_type = 16;
/// See [`uv_handle_type`].
pub const UV_FILE: uv_handle_type = 17;
/// See [`uv_handle_type`].
pub const UV_HANDLE_TYPE_MAX: uv_handle_type = 18;

/// A change that a file system watcher reports.
#[allow(non_camel_case_types)]
pub type uv_fs_event = c_uint;
/// A file was created, removed or renamed.
pub const UV_RENAME: uv_fs_event = 1;
/// A file was changed.
pub const UV_CHANGE: uv_fs_event = 2;

/// The clocks of `uv_clock_gettime`.
#[allow(non_camel_case_types)]
pub type uv_clock_id = c_uint;
/// Never jumps; starts at any time.
pub const UV_CLOCK_MONOTONIC: uv_clock_id = 0;
/// Since 1970; jumps when it is set.
pub const UV_CLOCK_REALTIME: uv_clock_id = 1;

/// The type of a request.
#[allow(non_camel_case_types)]
pub type uv_req_type = c_uint;
/// See [`uv_req_type`].
pub const UV_UNKNOWN_REQ: uv_req_type = 0;
/// See [`uv_req_type`].
pub const UV_REQ: uv_req_type = 1;
/// See [`uv_req_type`].
pub const UV_CONNECT: uv_req_type = 2;
/// See [`uv_req_type`].
pub const UV_WRITE: uv_req_type = 3;
/// See [`uv_req_type`].
pub const UV_SHUTDOWN: uv_req_type = 4;
/// See [`uv_req_type`].
pub const UV_UDP_SEND: uv_req_type = 5;
/// See [`uv_req_type`].
pub const UV_FS: uv_req_type = 6;
/// See [`uv_req_type`].
pub const UV_WORK: uv_req_type = 7;
/// See [`uv_req_type`].
pub const UV_GETADDRINFO: uv_req_type = 8;
/// See [`uv_req_type`].
pub const UV_GETNAMEINFO: uv_req_type = 9;
/// See [`uv_req_type`].
pub const UV_RANDOM: uv_req_type = 10;
/// See [`uv_req_type`].
pub const UV_REQ_TYPE_MAX: uv_req_type = 11;

/// How to make one of a child's standard descriptors.
#[allow(non_camel_case_types)]
pub type uv_stdio_flags = c_uint;
/// Nothing, or `/dev/null` for descriptors 0 to 2.
pub const UV_IGNORE: uv_stdio_flags = 0;
/// A new pipe to `data.stream`, an initialised `uv_pipe_t`.
pub const UV_CREATE_PIPE: uv_stdio_flags = 1;
/// The caller's `data.fd`.
pub const UV_INHERIT_FD: uv_stdio_flags = 2;
/// The descriptor of `data.stream`.
pub const UV_INHERIT_STREAM: uv_stdio_flags = 4;
/// With `UV_CREATE_PIPE`: the child can read.
pub const UV_READABLE_PIPE: uv_stdio_flags = 16;
/// With `UV_CREATE_PIPE`: the child can write.
pub const UV_WRITABLE_PIPE: uv_stdio_flags = 32;
/// With `UV_CREATE_PIPE`: the child's end need not block. A hint, without effect on Unix.
pub const UV_NONBLOCK_PIPE: uv_stdio_flags = 64;
/// Older name of [`UV_NONBLOCK_PIPE`].
pub const UV_OVERLAPPED_PIPE: uv_stdio_flags = 64;

/// The type of a directory entry.
#[allow(non_camel_case_types)]
pub type uv_dirent_type_t = c_uint;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_UNKNOWN: uv_dirent_type_t = 0;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_FILE: uv_dirent_type_t = 1;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_DIR: uv_dirent_type_t = 2;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_LINK: uv_dirent_type_t = 3;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_FIFO: uv_dirent_type_t = 4;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_SOCKET: uv_dirent_type_t = 5;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_CHAR: uv_dirent_type_t = 6;
/// See [`uv_dirent_type_t`].
pub const UV_DIRENT_BLOCK: uv_dirent_type_t = 7;

/// An event that `uv_poll_start` watches for.
#[allow(non_camel_case_types)]
pub type uv_poll_event = c_uint;
/// There is something to read.
pub const UV_READABLE: uv_poll_event = 1;
/// Writing does not block.
pub const UV_WRITABLE: uv_poll_event = 2;
/// The other side has closed.
pub const UV_DISCONNECT: uv_poll_event = 4;
/// There is urgent data to read.
pub const UV_PRIORITIZED: uv_poll_event = 8;

/// A file system operation.
#[allow(non_camel_case_types)]
pub type uv_fs_type = c_int;
/// See [`uv_fs_type`].
pub const UV_FS_UNKNOWN: uv_fs_type = -1;
/// See [`uv_fs_type`].
pub const UV_FS_CUSTOM: uv_fs_type = 0;
/// See [`uv_fs_type`].
pub const UV_FS_OPEN: uv_fs_type = 1;
/// See [`uv_fs_type`].
pub const UV_FS_CLOSE: uv_fs_type = 2;
/// See [`uv_fs_type`].
pub const UV_FS_READ: uv_fs_type = 3;
/// See [`uv_fs_type`].
pub const UV_FS_WRITE: uv_fs_type = 4;
/// See [`uv_fs_type`].
pub const UV_FS_SENDFILE: uv_fs_type = 5;
/// See [`uv_fs_type`].
pub const UV_FS_STAT: uv_fs_type = 6;
/// See [`uv_fs_type`].
pub const UV_FS_LSTAT: uv_fs_type = 7;
/// See [`uv_fs_type`].
pub const UV_FS_FSTAT: uv_fs_type = 8;
/// See [`uv_fs_type`].
pub const UV_FS_FTRUNCATE: uv_fs_type = 9;
/// See [`uv_fs_type`].
pub const UV_FS_UTIME: uv_fs_type = 10;
/// See [`uv_fs_type`].
pub const UV_FS_FUTIME: uv_fs_type = 11;
/// See [`uv_fs_type`].
pub const UV_FS_ACCESS: uv_fs_type = 12;
/// See [`uv_fs_type`].
pub const UV_FS_CHMOD: uv_fs_type = 13;
/// See [`uv_fs_type`].
pub const UV_FS_FCHMOD: uv_fs_type = 14;
/// See [`uv_fs_type`].
pub const UV_FS_FSYNC: uv_fs_type = 15;
/// See [`uv_fs_type`].
pub const UV_FS_FDATASYNC: uv_fs_type = 16;
/// See [`uv_fs_type`].
pub const UV_FS_UNLINK: uv_fs_type = 17;
/// See [`uv_fs_type`].
pub const UV_FS_RMDIR: uv_fs_type = 18;
/// See [`uv_fs_type`].
pub const UV_FS_MKDIR: uv_fs_type = 19;
/// See [`uv_fs_type`].
pub const UV_FS_MKDTEMP: uv_fs_type = 20;
/// See [`uv_fs_type`].
pub const UV_FS_RENAME: uv_fs_type = 21;
/// See [`uv_fs_type`].
pub const UV_FS_SCANDIR: uv_fs_type = 22;
/// See [`uv_fs_type`].
pub const UV_FS_LINK: uv_fs_type = 23;
/// See [`uv_fs_type`].
pub const UV_FS_SYMLINK: uv_fs_type = 24;
/// See [`uv_fs_type`].
pub const UV_FS_READLINK: uv_fs_type = 25;
/// See [`uv_fs_type`].
pub const UV_FS_CHOWN: uv_fs_type = 26;
/// See [`uv_fs_type`].
pub const UV_FS_FCHOWN: uv_fs_type = 27;
/// See [`uv_fs_type`].
pub const UV_FS_REALPATH: uv_fs_type = 28;
/// See [`uv_fs_type`].
pub const UV_FS_COPYFILE: uv_fs_type = 29;
/// See [`uv_fs_type`].
pub const UV_FS_LCHOWN: uv_fs_type = 30;
/// See [`uv_fs_type`].
pub const UV_FS_OPENDIR: uv_fs_type = 31;
/// See [`uv_fs_type`].
pub const UV_FS_READDIR: uv_fs_type = 32;
/// See [`uv_fs_type`].
pub const UV_FS_CLOSEDIR: uv_fs_type = 33;
/// See [`uv_fs_type`].
pub const UV_FS_STATFS: uv_fs_type = 34;
/// See [`uv_fs_type`].
pub const UV_FS_MKSTEMP: uv_fs_type = 35;
/// See [`uv_fs_type`].
pub const UV_FS_LUTIME: uv_fs_type = 36;

/// Flags of `uv_fs_event_start`.
#[allow(non_camel_case_types)]
pub type uv_fs_event_flags = c_uint;
/// Without effect.
pub const UV_FS_EVENT_WATCH_ENTRY: uv_fs_event_flags = 1;
/// Without effect.
pub const UV_FS_EVENT_STAT: uv_fs_event_flags = 2;
/// Watch everything below the directory as well.
pub const UV_FS_EVENT_RECURSIVE: uv_fs_event_flags = 4;

/// Joining or leaving a multicast group.
#[allow(non_camel_case_types)]
pub type uv_membership = c_uint;
/// See [`uv_membership`].
pub const UV_LEAVE_GROUP: uv_membership = 0;
/// See [`uv_membership`].
pub const UV_JOIN_GROUP: uv_membership = 1;

/// Options of `uv_loop_configure`.
#[allow(non_camel_case_types)]
pub type uv_loop_option = c_uint;
/// Block a signal while polling; the argument must be `SIGPROF`.
pub const UV_LOOP_BLOCK_SIGNAL: uv_loop_option = 0;
/// Measure the time for `uv_metrics_idle_time`; no argument.
pub const UV_METRICS_IDLE_TIME: uv_loop_option = 1;
/// Let a kernel thread poll for file operations; no argument.
pub const UV_LOOP_USE_IO_URING_SQPOLL: uv_loop_option = 2;

/// Flags of `uv_pipe_bind2` and `uv_pipe_connect2`. The enumeration has no name in C.
#[allow(non_camel_case_types)]
pub type uv_pipe_flags = c_uint;
/// Fail with `UV_EINVAL` instead of shortening a name that is too long.
pub const UV_PIPE_NO_TRUNCATE: uv_pipe_flags = 1;

/// Flags of `uv_spawn`.
#[allow(non_camel_case_types)]
pub type uv_process_flags = c_uint;
/// Set the child's user id.
pub const UV_PROCESS_SETUID: uv_process_flags = 1;
/// Set the child's group id.
pub const UV_PROCESS_SETGID: uv_process_flags = 2;
/// Without effect here.
pub const UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS: uv_process_flags = 4;
/// Make the child the leader of a new session.
pub const UV_PROCESS_DETACHED: uv_process_flags = 8;
/// Without effect here.
pub const UV_PROCESS_WINDOWS_HIDE: uv_process_flags = 16;
/// Without effect here.
pub const UV_PROCESS_WINDOWS_HIDE_CONSOLE: uv_process_flags = 32;
/// Without effect here.
pub const UV_PROCESS_WINDOWS_HIDE_GUI: uv_process_flags = 64;
/// Without effect here.
pub const UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME: uv_process_flags = 128;

/// Modes of `uv_run`.
#[allow(non_camel_case_types)]
pub type uv_run_mode = c_uint;
/// Run until nothing is active any more.
pub const UV_RUN_DEFAULT: uv_run_mode = 0;
/// Poll once, and wait if nothing is ready.
pub const UV_RUN_ONCE: uv_run_mode = 1;
/// Poll once, and do not wait.
pub const UV_RUN_NOWAIT: uv_run_mode = 2;

/// Flags of `uv_tcp_bind`.
#[allow(non_camel_case_types)]
pub type uv_tcp_flags = c_uint;
/// No IPv4 through an IPv6 socket.
pub const UV_TCP_IPV6ONLY: uv_tcp_flags = 1;
/// Several sockets may bind the port; the kernel distributes connections among them.
pub const UV_TCP_REUSEPORT: uv_tcp_flags = 2;

/// Flags of `uv_thread_create_ex`.
#[allow(non_camel_case_types)]
pub type uv_thread_create_flags = c_uint;
/// Defaults.
pub const UV_THREAD_NO_FLAGS: uv_thread_create_flags = 0;
/// `stack_size` is set.
pub const UV_THREAD_HAS_STACK_SIZE: uv_thread_create_flags = 1;

/// Priorities of `uv_thread_setpriority`. The enumeration has no name in C.
#[allow(non_camel_case_types)]
pub type uv_thread_priority = c_int;
/// See [`uv_thread_priority`].
pub const UV_THREAD_PRIORITY_HIGHEST: uv_thread_priority = 2;
/// See [`uv_thread_priority`].
pub const UV_THREAD_PRIORITY_ABOVE_NORMAL: uv_thread_priority = 1;
/// See [`uv_thread_priority`].
pub const UV_THREAD_PRIORITY_NORMAL: uv_thread_priority = 0;
/// See [`uv_thread_priority`].
pub const UV_THREAD_PRIORITY_BELOW_NORMAL: uv_thread_priority = -1;
/// See [`uv_thread_priority`].
pub const UV_THREAD_PRIORITY_LOWEST: uv_thread_priority = -2;

/// Modes of a terminal.
#[allow(non_camel_case_types)]
pub type uv_tty_mode_t = c_uint;
/// The mode that the terminal had before.
pub const UV_TTY_MODE_NORMAL: uv_tty_mode_t = 0;
/// Characters as they are typed, output processed.
pub const UV_TTY_MODE_RAW: uv_tty_mode_t = 1;
/// Nothing processed at all.
pub const UV_TTY_MODE_IO: uv_tty_mode_t = 2;
/// Like `UV_TTY_MODE_RAW` on this system.
pub const UV_TTY_MODE_RAW_VT: uv_tty_mode_t = 3;

/// Whether the console understands VT sequences.
#[allow(non_camel_case_types)]
pub type uv_tty_vtermstate_t = c_uint;
/// See [`uv_tty_vtermstate_t`].
pub const UV_TTY_SUPPORTED: uv_tty_vtermstate_t = 0;
/// See [`uv_tty_vtermstate_t`].
pub const UV_TTY_UNSUPPORTED: uv_tty_vtermstate_t = 1;

/// Flags of the UDP functions.
#[allow(non_camel_case_types)]
pub type uv_udp_flags = c_uint;
/// Bind: no IPv4 through an IPv6 socket.
pub const UV_UDP_IPV6ONLY: uv_udp_flags = 1;
/// Received: the buffer was too small, the rest is lost.
pub const UV_UDP_PARTIAL: uv_udp_flags = 2;
/// Bind: set `SO_REUSEADDR`.
pub const UV_UDP_REUSEADDR: uv_udp_flags = 4;
/// Received: part of a larger buffer, not to be freed.
pub const UV_UDP_MMSG_CHUNK: uv_udp_flags = 8;
/// Received: the larger buffer is to be freed now.
pub const UV_UDP_MMSG_FREE: uv_udp_flags = 16;
/// Bind: have ICMP errors reported.
pub const UV_UDP_LINUX_RECVERR: uv_udp_flags = 32;
/// Bind: several sockets may bind the port; the kernel distributes datagrams among them.
pub const UV_UDP_REUSEPORT: uv_udp_flags = 64;
/// Init: receive several datagrams at once, into buffers of 64 KiB each.
pub const UV_UDP_RECVMMSG: uv_udp_flags = 256;

/// Fail if the target exists.
pub const UV_FS_COPYFILE_EXCL: c_int = 1;
/// Clone the blocks if the file system can.
pub const UV_FS_COPYFILE_FICLONE: c_int = 2;
/// Clone the blocks or fail.
pub const UV_FS_COPYFILE_FICLONE_FORCE: c_int = 4;
/// `UV_FS_O_APPEND`.
pub const UV_FS_O_APPEND: c_int = libc::O_APPEND;
/// `UV_FS_O_CREAT`.
pub const UV_FS_O_CREAT: c_int = libc::O_CREAT;
/// `UV_FS_O_DIRECT`.
pub const UV_FS_O_DIRECT: c_int = libc::O_DIRECT;
/// `UV_FS_O_DIRECTORY`.
pub const UV_FS_O_DIRECTORY: c_int = libc::O_DIRECTORY;
/// `UV_FS_O_DSYNC`.
pub const UV_FS_O_DSYNC: c_int = libc::O_DSYNC;
/// `UV_FS_O_EXCL`.
pub const UV_FS_O_EXCL: c_int = libc::O_EXCL;
/// `UV_FS_O_EXLOCK`.
pub const UV_FS_O_EXLOCK: c_int = 0;
/// `UV_FS_O_FILEMAP`.
pub const UV_FS_O_FILEMAP: c_int = 0;
/// `UV_FS_O_NOATIME`.
pub const UV_FS_O_NOATIME: c_int = libc::O_NOATIME;
/// `UV_FS_O_NOCTTY`.
pub const UV_FS_O_NOCTTY: c_int = libc::O_NOCTTY;
/// `UV_FS_O_NOFOLLOW`.
pub const UV_FS_O_NOFOLLOW: c_int = libc::O_NOFOLLOW;
/// `UV_FS_O_NONBLOCK`.
pub const UV_FS_O_NONBLOCK: c_int = libc::O_NONBLOCK;
/// `UV_FS_O_RANDOM`.
pub const UV_FS_O_RANDOM: c_int = 0;
/// `UV_FS_O_RDONLY`.
pub const UV_FS_O_RDONLY: c_int = libc::O_RDONLY;
/// `UV_FS_O_RDWR`.
pub const UV_FS_O_RDWR: c_int = libc::O_RDWR;
/// `UV_FS_O_SEQUENTIAL`.
pub const UV_FS_O_SEQUENTIAL: c_int = 0;
/// `UV_FS_O_SHORT_LIVED`.
pub const UV_FS_O_SHORT_LIVED: c_int = 0;
/// `UV_FS_O_SYMLINK`.
pub const UV_FS_O_SYMLINK: c_int = 0;
/// `UV_FS_O_SYNC`.
pub const UV_FS_O_SYNC: c_int = libc::O_SYNC;
/// `UV_FS_O_TEMPORARY`.
pub const UV_FS_O_TEMPORARY: c_int = 0;
/// `UV_FS_O_TRUNC`.
pub const UV_FS_O_TRUNC: c_int = libc::O_TRUNC;
/// `UV_FS_O_WRONLY`.
pub const UV_FS_O_WRONLY: c_int = libc::O_WRONLY;
/// `UV_FS_SYMLINK_DIR`.
pub const UV_FS_SYMLINK_DIR: c_int = 1;
/// `UV_FS_SYMLINK_JUNCTION`.
pub const UV_FS_SYMLINK_JUNCTION: c_int = 2;
/// Size of the name of an interface, with its terminator, in bytes.
pub const UV_IF_NAMESIZE: c_int = 17;
/// Size of the name of the host, with its terminator, in bytes.
pub const UV_MAXHOSTNAMESIZE: c_int = 65;
/// `UV_PRIORITY_ABOVE_NORMAL`.
pub const UV_PRIORITY_ABOVE_NORMAL: c_int = -7;
/// `UV_PRIORITY_BELOW_NORMAL`.
pub const UV_PRIORITY_BELOW_NORMAL: c_int = 10;
/// `UV_PRIORITY_HIGH`.
pub const UV_PRIORITY_HIGH: c_int = -14;
/// `UV_PRIORITY_HIGHEST`.
pub const UV_PRIORITY_HIGHEST: c_int = -20;
/// `UV_PRIORITY_LOW`.
pub const UV_PRIORITY_LOW: c_int = 19;
/// `UV_PRIORITY_NORMAL`.
pub const UV_PRIORITY_NORMAL: c_int = 0;
/// `UV_VERSION_HEX`.
pub const UV_VERSION_HEX: c_int =
    (UV_VERSION_MAJOR << 16) | (UV_VERSION_MINOR << 8) | UV_VERSION_PATCH;
/// `UV_VERSION_IS_RELEASE`.
pub const UV_VERSION_IS_RELEASE: c_int = 1;
/// `UV_VERSION_MAJOR`.
pub const UV_VERSION_MAJOR: c_int = 1;
/// `UV_VERSION_MINOR`.
pub const UV_VERSION_MINOR: c_int = 53;
/// `UV_VERSION_PATCH`.
pub const UV_VERSION_PATCH: c_int = 0;
