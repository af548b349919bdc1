//! Queries that the kernel answers from memory, or not at all.
//!
//! No function here waits for a disk, a server or another process, unless its comment says so. If
//! it would have to, the answer is [`Answer::Unknown`]: the caller asks in another way, where
//! blocking does no harm.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::fd::{self, OwnedFd};
use super::replaced::are_libcs_own;
use super::stat::from_statx;
use super::{cvt, large, typed};
use crate::abi::uv_stat_t;
use crate::errors::{Errno, Result};
use crate::zeroed::zeroed;

pub(crate) enum Answer<T> {
    Known(Result<T>),
    Unknown,
}

/// The kernel's `struct open_how`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Flag of `openat2`: fail unless all names are in the kernel's cache.
const RESOLVE_CACHED: u64 = 0x20;

/// Opens a path all of whose names are in the kernel's cache.
pub(crate) fn open(path: &CStr, flags: c_int) -> Answer<OwnedFd> {
    // libc's `open64` adds O_LARGEFILE itself. With O_PATH the call refuses it.
    let large = match flags & libc::O_PATH {
        0 => libc::O_LARGEFILE,
        _ => 0,
    };
    let how = OpenHow {
        flags: (flags | large | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve: RESOLVE_CACHED,
    };
    // libc has no function for this; `fs/inline.rs` says what that means for programs that replace
    // libc's functions.
    // SAFETY: the path is terminated, and the kernel reads as much of `how` as its size says.
    let result = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw const how,
            size_of::<OpenHow>(),
        )
    };
    match cvt(result as c_int) {
        // A program that opens a file gets the lowest free number. A descriptor for a query only is
        // the library's own.
        Ok(fd) if flags & libc::O_PATH != 0 => match fd::own(fd) {
            Ok(fd) => Answer::Known(Ok(fd)),
            Err(_) => Answer::Unknown,
        },
        Ok(fd) => Answer::Known(Ok(OwnedFd::new(fd))),
        Err(
            error @ (Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EACCES
            | Errno::ELOOP
            | Errno::ENAMETOOLONG),
        ) => Answer::Known(Err(error)),
        // EAGAIN, and errors that another call may not return.
        Err(_) => Answer::Unknown,
    }
}

/// The first number of a mount that is never used again. A smaller number may be given to a later
/// mount.
pub(crate) const FIRST_UNIQUE_MOUNT: u64 = 1 << 31;

/// The number of the mount that an open file is in. `None` if this kind of file system has no
/// handles of files, such as 9p. No file system is queried.
pub(crate) fn mount(fd: c_int) -> Option<u64> {
    /// Kernels before 6.12 do not know the flag.
    static HAS_NO_UNIQUE: AtomicBool = AtomicBool::new(false);
    /// `AT_HANDLE_MNT_ID_UNIQUE`.
    const UNIQUE: c_int = 1;
    // AT_FDCWD is negative.
    if fd < 0 {
        return None;
    }
    if !HAS_NO_UNIQUE.load(Relaxed) {
        let mut number = 0u64;
        match name_to_handle(fd, (&raw mut number).cast(), UNIQUE) {
            Ok(()) => return Some(number),
            Err(Errno::EINVAL) => HAS_NO_UNIQUE.store(true, Relaxed),
            Err(_) => return None,
        }
    }
    let mut number: c_int = 0;
    name_to_handle(fd, (&raw mut number).cast(), 0).ok()?;
    u64::try_from(number).ok()
}

/// Queries the number of the mount: asks for the handle of a file, with no room for it.
fn name_to_handle(fd: c_int, number: *mut c_int, flags: c_int) -> Result {
    // `struct file_handle` with its room and its kind.
    let mut handle = [0u32; 2];
    // By the number of the system call, as openat2: libuv calls no such function of libc's.
    // SAFETY: the path is terminated, `handle` says that it has no room, and the caller has as much
    // for the number as the flags ask for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            fd,
            c"".as_ptr(),
            handle.as_mut_ptr(),
            number,
            flags | libc::AT_EMPTY_PATH,
        )
    };
    match cvt(result as c_int) {
        Ok(_) | Err(Errno::EOVERFLOW) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The status of an open file as far as this machine knows it. For a local file system it is exact.
/// Other file systems may still be queried.
pub(crate) fn status(fd: c_int) -> Result<uv_stat_t> {
    let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    let mut found: libc::statx = zeroed();
    cvt(typed::statx(fd, c"", flags, mask, &mut found))?;
    Ok(from_statx(&found))
}

/// The type of the file system of an open file. May block.
pub(crate) fn file_system(fd: c_int) -> Result<i64> {
    let mut found: large::statfs = zeroed();
    cvt(typed::fstatfs(fd, &mut found))?;
    Ok((found.f_type as u32).into())
}

/// Opens a path for [`status`] and [`file_system`]. May block.
pub(crate) fn locate(path: &CStr, follow: bool) -> Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
    cvt(typed::open(path, flags, 0)).and_then(fd::own)
}

/// The position of an open file, in bytes; `None` if it has none.
pub(crate) fn position(fd: c_int) -> Option<i64> {
    let at = typed::lseek(fd, 0, libc::SEEK_CUR);
    (at >= 0).then_some(at)
}

/// Whether this thread has the rights of its real user, the one that access(2) asks about.
pub(crate) fn is_real_user() -> bool {
    let (mut user, mut group) = ([0; 3], [0; 3]);
    let ([real, effective, saved], [real_group, effective_group, saved_group]) =
        (&mut user, &mut group);
    let is_known = typed::getresuid(real, effective, saved) == 0
        && typed::getresgid(real_group, effective_group, saved_group) == 0;
    is_known && user[0] == user[1] && group[0] == group[1] && has_usual_rights(user[0])
}

/// Whether this thread's capabilities are those that access(2) assumes: for root all that it may
/// have, for others none.
fn has_usual_rights(user: libc::uid_t) -> bool {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let mut header = [VERSION, 0];
    // Twice: effective, permitted, inheritable.
    let mut rights = [0u32; 6];
    // SAFETY: the kernel writes as much as this version has.
    let result =
        unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), rights.as_mut_ptr()) };
    let [low, low_permitted, _, high, high_permitted, _] = rights;
    result == 0
        && match user {
            0 => low == low_permitted && high == high_permitted,
            _ => low == 0 && high == 0,
        }
}

/// Checks access to an open file by the real user, as access(2) does.
pub(crate) fn access(fd: c_int, mode: c_int) -> Result {
    // SAFETY: the path is terminated.
    cvt(unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            fd,
            c"".as_ptr(),
            mode,
            libc::AT_EMPTY_PATH,
        )
    } as c_int)
    .map(drop)
}

/// Makes reading and writing block, as for a file that was opened the usual way.
pub(crate) fn make_blocking(fd: c_int, flags: c_int) -> Result {
    fd::set_status_flags(fd, flags & !libc::O_NONBLOCK)
}

/// The functions by which programs usually use files, by both names where libc has two. Some shims
/// replace only one.
const REPLACEABLE: [&CStr; 17] = [
    c"open",
    c"open64",
    c"stat",
    c"stat64",
    c"lstat",
    c"lstat64",
    c"fstat",
    c"fstat64",
    c"statx",
    c"read",
    c"readv",
    c"pread",
    c"pread64",
    c"preadv",
    c"preadv64",
    c"readlink",
    c"access",
];

/// Whether the functions of [`REPLACEABLE`] are libc's own, and not those of a library that
/// replaces them (fakeroot, a sanitizer, …).
pub(crate) fn is_libc_itself() -> bool {
    // Older libcs lack some of the names.
    let functions = REPLACEABLE.map(|name| {
        // SAFETY: the name is terminated.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.cast_const()
    });
    are_libcs_own(&functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_equal_those_of_the_usual_calls() {
        // A path that was just resolved is in the cache.
        let usual = super::super::stat::status(super::super::stat::Target::Path(c"/")).unwrap();
        let Answer::Known(Ok(root)) = open(c"/", libc::O_PATH) else {
            return;
        };
        let cached = status(root.raw()).unwrap();
        assert_eq!(cached.st_ino, usual.st_ino);
        assert_eq!(cached.st_dev, usual.st_dev);
        assert!(matches!(
            open(c"/dev/null/nothing", libc::O_PATH),
            Answer::Known(Err(Errno::ENOTDIR)) | Answer::Unknown
        ));
    }

    #[test]
    fn descriptors_are_closed_at_the_end() {
        let Answer::Known(Ok(root)) = open(c"/", libc::O_PATH) else {
            return;
        };
        let fd = root.raw();
        drop(root);
        assert!(status(fd).is_err());
    }
}
