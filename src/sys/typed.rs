//! libc's functions by types that leave a caller nothing to vouch for: numbers, references and
//! terminated strings.
//!
//! A row of the table below makes a safe function, so its types must say all of what the function
//! uses of a program's memory. It reads what `&` refers to, writes a value of that type to what
//! `&mut` refers to, reads a string up to its terminator, and keeps no pointer. A function that
//! takes the length of something, a callback or a pointer of the caller's has no place here.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint};

use super::large;

/// An argument of a safe function, and the raw value that libc's function gets for it.
trait Argument<Raw> {
    fn raw(self) -> Raw;
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(
            impl Argument<$number> for $number {
                #[inline]
                fn raw(self) -> $number {
                    self
                }
            }
        )+
    };
}

numbers!(i32, u32, i64, u64, usize);
// A thread is a pointer there, which no caller vouches for either.
#[cfg(target_env = "musl")]
numbers!(libc::pthread_t);

impl Argument<*const c_char> for &CStr {
    #[inline]
    fn raw(self) -> *const c_char {
        self.as_ptr()
    }
}

impl<T> Argument<*const T> for &T {
    #[inline]
    fn raw(self) -> *const T {
        self
    }
}

impl<T> Argument<*mut T> for &mut T {
    #[inline]
    fn raw(self) -> *mut T {
        self
    }
}

/// Null for `None`.
impl<T> Argument<*mut T> for Option<&mut T> {
    #[inline]
    fn raw(self) -> *mut T {
        self.map_or(core::ptr::null_mut(), core::ptr::from_mut)
    }
}

/// The first of a number of values that the function knows.
impl<T, const COUNT: usize> Argument<*const T> for &[T; COUNT] {
    #[inline]
    fn raw(self) -> *const T {
        self.as_ptr()
    }
}

/// The first of a number of values that the function knows.
impl<T, const COUNT: usize> Argument<*mut T> for &mut [T; COUNT] {
    #[inline]
    fn raw(self) -> *mut T {
        self.as_mut_ptr()
    }
}

/// Makes a safe function of each row: `libc fn fsync(fd: c_int) -> c_int;`.
macro_rules! typed {
    ($(
        $(#[$attribute:meta])*
        $library:ident fn $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;
    )+) => {
        $(
            $(#[$attribute])*
            #[inline]
            pub(crate) fn $name($($argument: $kind),*) $(-> $result)? {
                // SAFETY: the row has the function's types, which say all that it uses.
                unsafe { $library::$name($($argument.raw()),*) }
            }
        )+
    };
}

/// Waits up to `timeout` milliseconds (−1: for ever) until a descriptor is ready, by poll(2).
#[inline]
pub(crate) fn poll(entries: &mut [libc::pollfd], timeout: c_int) -> c_int {
    let count = entries.len() as libc::nfds_t;
    // SAFETY: that many are there.
    unsafe { libc::poll(entries.as_mut_ptr(), count, timeout) }
}

// Descriptors.
typed! {
    libc fn cfmakeraw(settings: &mut libc::termios);
    libc fn close(fd: c_int) -> c_int;
    #[cfg(not(feature = "portable-poller"))]
    libc fn epoll_create1(flags: c_int) -> c_int;
    #[cfg(not(feature = "portable-poller"))]
    libc fn epoll_ctl(
        poller: c_int, operation: c_int, fd: c_int, event: &mut libc::epoll_event
    ) -> c_int;
    libc fn eventfd(count: c_uint, flags: c_int) -> c_int;
    libc fn inotify_add_watch(fd: c_int, path: &CStr, mask: u32) -> c_int;
    libc fn inotify_init1(flags: c_int) -> c_int;
    libc fn inotify_rm_watch(fd: c_int, wd: c_int) -> c_int;
    libc fn isatty(fd: c_int) -> c_int;
    libc fn listen(fd: c_int, backlog: c_int) -> c_int;
    libc fn pipe2(ends: &mut [c_int; 2], flags: c_int) -> c_int;
    libc fn shutdown(fd: c_int, how: c_int) -> c_int;
    libc fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    libc fn socketpair(
        domain: c_int, kind: c_int, protocol: c_int, ends: &mut [c_int; 2]
    ) -> c_int;
    libc fn tcgetattr(fd: c_int, settings: &mut libc::termios) -> c_int;
    libc fn tcsetattr(fd: c_int, actions: c_int, settings: &libc::termios) -> c_int;
}

// Files.
typed! {
    libc fn access(path: &CStr, mode: c_int) -> c_int;
    libc fn chmod(path: &CStr, mode: libc::mode_t) -> c_int;
    libc fn chown(path: &CStr, user: libc::uid_t, group: libc::gid_t) -> c_int;
    libc fn copy_file_range(
        from: c_int, from_offset: Option<&mut i64>, to: c_int, to_offset: Option<&mut i64>,
        count: usize, flags: c_uint
    ) -> isize;
    libc fn fchmod(fd: c_int, mode: libc::mode_t) -> c_int;
    libc fn fchown(fd: c_int, user: libc::uid_t, group: libc::gid_t) -> c_int;
    libc fn fdatasync(fd: c_int) -> c_int;
    libc fn fdopendir(fd: c_int) -> *mut libc::DIR;
    large fn fstat(fd: c_int, found: &mut large::stat) -> c_int;
    large fn fstatfs(fd: c_int, found: &mut large::statfs) -> c_int;
    libc fn fsync(fd: c_int) -> c_int;
    large fn ftruncate(fd: c_int, length: i64) -> c_int;
    libc fn futimens(fd: c_int, times: &[libc::timespec; 2]) -> c_int;
    libc fn lchown(path: &CStr, user: libc::uid_t, group: libc::gid_t) -> c_int;
    libc fn link(path: &CStr, new_path: &CStr) -> c_int;
    large fn lseek(fd: c_int, offset: i64, origin: c_int) -> i64;
    large fn lstat(path: &CStr, found: &mut large::stat) -> c_int;
    libc fn mkdir(path: &CStr, mode: libc::mode_t) -> c_int;
    large fn open(path: &CStr, flags: c_int, mode: libc::mode_t) -> c_int;
    large fn openat(parent: c_int, path: &CStr, flags: c_int, mode: libc::mode_t) -> c_int;
    libc fn opendir(path: &CStr) -> *mut libc::DIR;
    libc fn rename(path: &CStr, new_path: &CStr) -> c_int;
    libc fn rmdir(path: &CStr) -> c_int;
    large fn sendfile(to: c_int, from: c_int, offset: Option<&mut i64>, count: usize) -> isize;
    large fn stat(path: &CStr, found: &mut large::stat) -> c_int;
    large fn statfs(path: &CStr, found: &mut large::statfs) -> c_int;
    large fn statx(
        parent: c_int, path: &CStr, flags: c_int, mask: c_uint, found: &mut libc::statx
    ) -> c_int;
    libc fn symlink(target: &CStr, path: &CStr) -> c_int;
    libc fn unlink(path: &CStr) -> c_int;
    libc fn utimensat(
        parent: c_int, path: &CStr, times: &[libc::timespec; 2], flags: c_int
    ) -> c_int;
}

/// The type that says whose priority is meant.
#[cfg(target_env = "gnu")]
use libc::__priority_which_t as Whose;
/// The type of a resource that has a limit.
#[cfg(target_env = "gnu")]
pub(crate) use libc::__rlimit_resource_t as Resource;

/// The type of a resource that has a limit.
#[cfg(target_env = "musl")]
pub(crate) type Resource = c_int;
/// The type that says whose priority is meant.
#[cfg(target_env = "musl")]
type Whose = c_int;

// The process, its threads and the machine.
typed! {
    libc fn _exit(status: c_int) -> !;
    libc fn clock_gettime(clock: libc::clockid_t, time: &mut libc::timespec) -> c_int;
    libc fn geteuid() -> libc::uid_t;
    libc fn getpid() -> libc::pid_t;
    libc fn getppid() -> libc::pid_t;
    libc fn getpriority(kind: Whose, id: libc::id_t) -> c_int;
    libc fn getresgid(
        real: &mut libc::gid_t, effective: &mut libc::gid_t, saved: &mut libc::gid_t
    ) -> c_int;
    libc fn getresuid(
        real: &mut libc::uid_t, effective: &mut libc::uid_t, saved: &mut libc::uid_t
    ) -> c_int;
    large fn getrlimit(resource: Resource, limit: &mut large::rlimit) -> c_int;
    libc fn getrusage(who: c_int, usage: &mut libc::rusage) -> c_int;
    libc fn if_nametoindex(name: &CStr) -> c_uint;
    libc fn kill(pid: libc::pid_t, signum: c_int) -> c_int;
    libc fn nanosleep(time: &libc::timespec, left: &mut libc::timespec) -> c_int;
    libc fn pthread_equal(one: libc::pthread_t, other: libc::pthread_t) -> c_int;
    libc fn pthread_self() -> libc::pthread_t;
    libc fn sched_get_priority_max(policy: c_int) -> c_int;
    libc fn sched_get_priority_min(policy: c_int) -> c_int;
    libc fn sched_getcpu() -> c_int;
    libc fn setpriority(kind: Whose, id: libc::id_t, nice: c_int) -> c_int;
    libc fn setsid() -> libc::pid_t;
    libc fn sysconf(name: c_int) -> c_long;
    libc fn sysinfo(info: &mut libc::sysinfo) -> c_int;
    libc fn uname(names: &mut libc::utsname) -> c_int;
    libc fn waitpid(pid: libc::pid_t, status: Option<&mut c_int>, options: c_int) -> libc::pid_t;
}
