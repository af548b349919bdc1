//! Names of what events carry as numbers.

/// The kinds of callbacks, in the order of `events::Callback`.
const CALLBACKS: [&str; 24] = [
    "close",
    "alloc",
    "walk",
    "timer",
    "phase",
    "async",
    "poll",
    "signal",
    "exit",
    "fs_event",
    "fs_poll",
    "connection",
    "read",
    "write",
    "connect",
    "shutdown",
    "udp_recv",
    "udp_send",
    "fs",
    "work",
    "after_work",
    "getaddrinfo",
    "getnameinfo",
    "random",
];

/// The phases of an iteration, in the order of `events::Phase`.
const PHASES: [&str; 7] = [
    "timers", "pending", "idle", "prepare", "poll", "check", "closing",
];

/// The types of handles, in the order of `uv_handle_type`.
const HANDLES: [&str; 18] = [
    "unknown", "async", "check", "fs_event", "fs_poll", "handle", "idle", "pipe", "poll",
    "prepare", "process", "stream", "tcp", "timer", "tty", "udp", "signal", "file",
];

/// The types of requests, in the order of `uv_req_type`.
const REQUESTS: [&str; 11] = [
    "unknown",
    "req",
    "connect",
    "write",
    "shutdown",
    "udp_send",
    "fs",
    "work",
    "getaddrinfo",
    "getnameinfo",
    "random",
];

/// `uv_req_type` of file operations.
const FS: u32 = 6;

/// File operations, in the order of `uv_fs_type` from `UV_FS_CUSTOM` on.
const OPERATIONS: [&str; 38] = [
    "custom",
    "open",
    "close",
    "read",
    "write",
    "sendfile",
    "stat",
    "lstat",
    "fstat",
    "ftruncate",
    "utime",
    "futime",
    "access",
    "chmod",
    "fchmod",
    "fsync",
    "fdatasync",
    "unlink",
    "rmdir",
    "mkdir",
    "mkdtemp",
    "rename",
    "scandir",
    "link",
    "symlink",
    "readlink",
    "chown",
    "fchown",
    "realpath",
    "copyfile",
    "lchown",
    "opendir",
    "readdir",
    "closedir",
    "statfs",
    "mkstemp",
    "lutime",
    "unknown",
];

fn of(names: &[&'static str], index: u32) -> &'static str {
    names.get(index as usize).copied().unwrap_or("unknown")
}

/// The name of an `events::Callback`.
pub(crate) fn callback(kind: u32) -> &'static str {
    of(&CALLBACKS, kind)
}

/// The name of an `events::Phase`.
pub(crate) fn phase(phase: u32) -> &'static str {
    of(&PHASES, phase)
}

/// The name of a `uv_handle_type`.
pub(crate) fn handle(kind: u32) -> &'static str {
    of(&HANDLES, kind)
}

/// The name of a `uv_req_type`.
pub(crate) fn request(kind: u32) -> &'static str {
    of(&REQUESTS, kind)
}

/// The name of what a job does: its request's type, and for files the operation.
pub(crate) fn job(request_kind: u32, operation: u32) -> String {
    match request_kind {
        FS => format!("fs {}", of(&OPERATIONS, operation)),
        kind => request(kind).to_string(),
    }
}
