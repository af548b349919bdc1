//! Which errors each system call can plausibly return, and which of its arguments is a count. What
//! would be a lie about the world, such as that an existing file is not there, is not among them.

use syscalls::{Errno, Sysno};

use super::case::{Action, error_named};

/// A row: names of calls, errors in place of the call, errors after it, and short counts.
struct Row {
    calls: &'static str,
    errors: &'static str,
    errors_after: &'static str,
    short: &'static [u64],
}

const fn row(calls: &'static str, errors: &'static str) -> Row {
    Row {
        calls,
        errors,
        errors_after: "",
        short: &[],
    }
}

const fn transfer(calls: &'static str, errors: &'static str, short: &'static [u64]) -> Row {
    Row {
        calls,
        errors,
        errors_after: "",
        short,
    }
}

const TABLE: &[Row] = &[
    transfer(
        "read pread64",
        "EINTR EAGAIN EIO ENOMEM ECONNRESET",
        &[1, 100],
    ),
    transfer("getdents64 getrandom", "EINTR EIO ENOMEM ENOSYS", &[100]),
    transfer(
        "readv preadv preadv2",
        "EINTR EAGAIN EIO ENOMEM ENOSYS EOPNOTSUPP",
        &[1],
    ),
    row("recvmsg", "EINTR EAGAIN EIO ENOMEM ECONNRESET ENOBUFS"),
    transfer("recvmmsg", "EINTR EAGAIN ENOMEM ENOSYS EPERM", &[1]),
    row("recvfrom", "EINTR EAGAIN ENOMEM ECONNRESET"),
    row("sendto", "EINTR EAGAIN EPIPE ENOMEM ENOBUFS"),
    transfer(
        "write pwrite64",
        "EINTR EAGAIN EIO EPIPE ENOSPC ENOMEM ENOBUFS",
        &[1, 100],
    ),
    transfer(
        "writev pwritev pwritev2",
        "EINTR EAGAIN EIO EPIPE ENOSPC ENOMEM ENOSYS",
        &[1],
    ),
    row(
        "sendmsg",
        "EINTR EAGAIN EIO EPIPE ENOMEM ENOBUFS ETOOMANYREFS EPERM",
    ),
    transfer("sendmmsg", "EINTR EAGAIN ENOMEM ENOBUFS ENOSYS EPERM", &[1]),
    transfer(
        "sendfile copy_file_range splice",
        "EINTR EAGAIN EIO ENOSPC ENOMEM ENOSYS EINVAL EXDEV EOPNOTSUPP EPERM",
        &[1, 100],
    ),
    row(
        "socket socketpair pipe2 eventfd2 epoll_create1 inotify_init1 memfd_create dup dup2 dup3 \
         pidfd_open timerfd_create signalfd4",
        "EMFILE ENFILE ENOMEM EPERM ENOSYS EINTR",
    ),
    row(
        "accept accept4",
        "EINTR EAGAIN ECONNABORTED EMFILE ENFILE ENOMEM ENOBUFS EPERM EPROTO ENOSYS",
    ),
    Row {
        calls: "connect",
        errors: "EINTR EAGAIN ECONNREFUSED EADDRNOTAVAIL ENETUNREACH EACCES ENOENT ENOBUFS EPERM",
        errors_after: "EINPROGRESS EINTR",
        short: &[],
    },
    row("bind", "EADDRINUSE EACCES ENOMEM EADDRNOTAVAIL"),
    row("listen", "EADDRINUSE ENOMEM"),
    row("shutdown", "ENOTCONN ENOBUFS"),
    row("epoll_ctl", "ENOMEM ENOSPC EPERM"),
    transfer("epoll_wait epoll_pwait", "EINTR", &[1]),
    row("epoll_pwait2", "EINTR ENOSYS"),
    row("poll ppoll", "EINTR ENOMEM EAGAIN"),
    Row {
        calls: "close",
        errors: "",
        errors_after: "EINTR EIO ENOSPC",
        short: &[],
    },
    row(
        "openat open",
        "EINTR EIO EACCES ENOMEM EMFILE ENFILE ENOSPC",
    ),
    row("openat2", "EINTR EAGAIN EACCES ENOMEM EMFILE ENOSYS EPERM"),
    row("inotify_add_watch", "ENOSPC ENOMEM EACCES"),
    row("inotify_rm_watch", "EINVAL"),
    row(
        "stat fstat lstat newfstatat statfs fstatfs access faccessat faccessat2 readlink \
         readlinkat name_to_handle_at",
        "EINTR EIO EACCES ENOMEM ENOSYS EPERM",
    ),
    row(
        "mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat \
         chmod fchmod fchmodat chown fchown lchown fchownat utimensat ftruncate fallocate fsync \
         fdatasync",
        "EINTR EIO ENOSPC EACCES ENOMEM ENOSYS EPERM EROFS",
    ),
    // A sandbox that refuses it with EPERM always does.
    row("statx", "EINTR EIO EACCES ENOMEM ENOSYS"),
    row("getcwd chdir", "EACCES ENOENT ENOMEM"),
    row("lseek", "EINVAL EOVERFLOW"),
    row("fadvise64", "EINVAL ENOSYS"),
    row("clone clone3 fork vfork", "EAGAIN ENOMEM EPERM ENOSYS"),
    row("execve", "ENOENT EACCES ENOMEM E2BIG ETXTBSY EAGAIN"),
    row("wait4 waitid", "EINTR ECHILD"),
    row("kill tgkill", "EPERM ESRCH"),
    row("mmap mprotect", "ENOMEM EAGAIN"),
    row("madvise", "ENOMEM EINVAL"),
    row("fcntl", "EINTR EMFILE EPERM"),
    row("ioctl", "EINTR ENOTTY EIO EPERM"),
    row("setsockopt getsockopt", "ENOPROTOOPT ENOMEM ENOBUFS EPERM"),
    row("getsockname getpeername", "ENOBUFS ENOTCONN EINVAL"),
    row("sched_getaffinity sched_setaffinity", "EPERM ENOSYS EINVAL"),
    row(
        "sched_getscheduler sched_getparam sched_setscheduler",
        "EPERM ENOSYS",
    ),
    row("getrusage sysinfo prlimit64 uname", "EPERM ENOSYS"),
    row("getpriority setpriority", "EPERM EACCES"),
    row("membarrier close_range", "ENOSYS EPERM ENOMEM"),
    row("io_uring_setup", "ENOSYS EPERM ENOMEM"),
    row("io_uring_enter", "EAGAIN EINTR ENOMEM"),
    row("setsid setpgid prctl", "EPERM EINVAL"),
];

/// Calls that cannot fail for a reason outside of the process, or that libc relies on.
const LEFT_OUT: &str = "exit exit_group rt_sigreturn restart_syscall set_robust_list \
     set_tid_address rseq gettid getpid getppid getuid geteuid getgid getegid sched_yield nanosleep \
     clock_nanosleep clock_gettime sigaltstack futex rt_sigprocmask rt_sigaction brk arch_prctl munmap";

fn lists(names: &str, call: Sysno) -> bool {
    names.split_whitespace().any(|name| name == call.name())
}

fn errors(names: &'static str) -> impl Iterator<Item = Errno> {
    names
        .split_whitespace()
        .map(|name| error_named(name).unwrap_or_else(|| panic!("{name} is no error")))
}

/// What to try with a call, once or from some time on.
pub fn actions(call: Sysno) -> Vec<Action> {
    if lists(LEFT_OUT, call) {
        return Vec::new();
    }
    let other = row("", "EINTR ENOMEM EPERM");
    let found = TABLE.iter().find(|row| lists(row.calls, call));
    let row = found.unwrap_or(&other);
    let fail = errors(row.errors).map(Action::Fail);
    let after = errors(row.errors_after).map(Action::DoneBut);
    let short = row.short.iter().copied().map(Action::Short);
    fail.chain(after).chain(short).collect()
}

/// Errors for want of something, which the library waits to be over, however long that takes.
pub fn is_lack(action: Action) -> bool {
    const LACKS: [Errno; 6] = [
        Errno::ENOMEM,
        Errno::ENOSPC,
        Errno::ENOBUFS,
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ECONNABORTED,
    ];
    matches!(action, Action::Fail(error) if LACKS.contains(&error))
}

/// Whether a call may be answered so, and otherwise the next time: a kernel that does not know a call
/// never does.
pub fn can_end(action: Action) -> bool {
    action != Action::Fail(Errno::ENOSYS)
}

/// Whether a call may be answered so for ever: one that is to be repeated may not.
pub fn can_last(action: Action) -> bool {
    match action {
        Action::Fail(error) | Action::DoneBut(error) => {
            ![Errno::EINTR, Errno::EAGAIN, Errno::EINPROGRESS].contains(&error)
        }
        Action::Short(_) => true,
    }
}

/// Which argument is the count of bytes, buffers or messages, from 0.
pub fn count_argument(call: Sysno) -> usize {
    match call {
        Sysno::getrandom => 1,
        Sysno::sendfile => 3,
        Sysno::copy_file_range | Sysno::splice => 4,
        _ => 2,
    }
}

/// Calls that are newer than the oldest kernels in use, or that sandboxes refuse; without those that
/// libuv and libc cannot do without.
pub const NEWER: &str = "statx openat2 epoll_pwait2 io_uring_setup io_uring_enter io_uring_register \
     close_range copy_file_range pidfd_open pidfd_send_signal getrandom preadv preadv2 pwritev \
     pwritev2 cachestat recvmmsg sendmmsg clone3 membarrier sched_getaffinity memfd_create \
     faccessat2 name_to_handle_at dup3 inotify_init1 sendfile utimensat waitid sysinfo renameat2";

pub fn newer() -> impl Iterator<Item = Sysno> {
    NEWER
        .split_whitespace()
        .filter_map(|name| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_known() {
        let calls = TABLE.iter().flat_map(|row| row.calls.split_whitespace());
        for name in calls
            .chain(LEFT_OUT.split_whitespace())
            .chain(NEWER.split_whitespace())
        {
            assert!(name.parse::<Sysno>().is_ok(), "{name}");
        }
        for row in TABLE {
            assert_eq!(
                errors(row.errors).count(),
                row.errors.split_whitespace().count()
            );
        }
    }

    #[test]
    fn a_close_that_fails_is_done() {
        let actions = actions(Sysno::close);
        assert!(!actions.is_empty());
        assert!(
            actions
                .iter()
                .all(|action| matches!(action, Action::DoneBut(_)))
        );
    }
}
