//! Questions that the kernel answers from memory, or not at all.
//!
//! Nothing here waits for a disk, a server or another process, but where that is said: what would
//! have to is [`Answer::Unknown`], and is to be asked in another way, where waiting does no harm.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::replaced::are_libcs_own;
use super::stat::from_statx;
use super::{cvt, cvt_size, fd, large};
use crate::abi::uv_stat_t;
use crate::errors::{Errno, Result};

pub(crate) enum Answer<T> {
    Known(Result<T>),
    Unknown,
}

/// A descriptor that is closed at the end of its scope.
pub(crate) struct Found(c_int);

impl Found {
    pub(crate) fn fd(&self) -> c_int {
        self.0
    }

    /// Leaves closing to the caller.
    pub(crate) fn keep(self) -> c_int {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        fd::close_quietly(self.0);
    }
}

/// What the kernel's `open_how` is.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Only names that are in the kernel's cache.
const RESOLVE_CACHED: u64 = 0x20;

/// Opens a path all of whose names are in the kernel's cache.
pub(crate) fn open(path: &CStr, flags: c_int) -> Answer<Found> {
    let how = OpenHow {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve: RESOLVE_CACHED,
    };
    // No function of libc's does this: see `fs/inline.rs` for programs that replace those.
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
        // Whoever opens a file gets the lowest number there is; to ask about one is our own affair.
        Ok(fd) if flags & libc::O_PATH != 0 => match fd::own(fd) {
            Ok(fd) => Answer::Known(Ok(Found(fd))),
            Err(_) => Answer::Unknown,
        },
        Ok(fd) => Answer::Known(Ok(Found(fd))),
        Err(
            error @ (Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EACCES
            | Errno::ELOOP
            | Errno::ENAMETOOLONG),
        ) => Answer::Known(Err(error)),
        // EAGAIN, and what another way of asking may not run into.
        Err(_) => Answer::Unknown,
    }
}

/// Mounts' numbers from here on are never used again; below, a later mount may get the number of
/// one that is gone.
pub(crate) const FIRST_UNIQUE_MOUNT: u64 = 1 << 31;

/// The number of the mount that an open file is in. No file system is asked, only whether this
/// kind of file system has handles of files: those without, such as 9p, have no number here.
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

/// Asks for a handle without room for one, which writes the number of the mount all the same.
fn name_to_handle(fd: c_int, number: *mut c_int, flags: c_int) -> Result {
    // `struct file_handle` with its room and its kind.
    let mut handle = [0u32; 2];
    // By number, as openat2: libuv calls no such function of libc's.
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

/// The status of an open file as far as this machine knows it: for one of a local file system it
/// is its status. Other file systems may be asked all the same.
pub(crate) fn status(fd: c_int) -> Result<uv_stat_t> {
    let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // SAFETY: all-zero is valid.
    let mut found: libc::statx = unsafe { core::mem::zeroed() };
    // SAFETY: the path is terminated, and `found` is what is written.
    cvt(unsafe { libc::statx(fd, c"".as_ptr(), flags, mask, &mut found) })?;
    Ok(from_statx(&found))
}

/// What kind of file system an open file is in. This one may wait.
pub(crate) fn file_system(fd: c_int) -> Result<i64> {
    // SAFETY: all-zero is valid.
    let mut found: large::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: `found` is what is written.
    cvt(unsafe { large::fstatfs(fd, &mut found) })?;
    Ok(found.f_type as i64 & 0xffff_ffff)
}

/// Opens a path for [`status`] and [`file_system`]. This one may wait.
pub(crate) fn locate(path: &CStr, follow: bool) -> Result<Found> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
    // SAFETY: the path is terminated.
    cvt(unsafe { large::open(path.as_ptr(), flags) })
        .and_then(fd::own)
        .map(Found)
}

/// The position of an open file that has one.
pub(crate) fn position(fd: c_int) -> Option<i64> {
    // SAFETY: takes and gives numbers.
    let at = unsafe { large::lseek(fd, 0, libc::SEEK_CUR) };
    (at >= 0).then_some(at)
}

/// Whether this thread reaches files as its real user would, for whom access(2) asks.
pub(crate) fn is_real_user() -> bool {
    let (mut user, mut group) = ([0; 3], [0; 3]);
    let ([real, effective, saved], [real_group, effective_group, saved_group]) =
        (&mut user, &mut group);
    // SAFETY: the numbers are what is written.
    let is_known = unsafe {
        libc::getresuid(real, effective, saved) == 0
            && libc::getresgid(real_group, effective_group, saved_group) == 0
    };
    is_known && user[0] == user[1] && group[0] == group[1] && has_usual_rights(user[0])
}

/// Whether this thread's capabilities are those that access(2) goes by: all that it may have for
/// root, and none for others.
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

/// What access(2) says of an open file, by the real user.
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

/// What an open symbolic link points to: how many bytes of `into` it took.
pub(crate) fn readlink(fd: c_int, into: &mut [u8]) -> Result<usize> {
    // SAFETY: the path is terminated, and `into` is as long as is said.
    cvt_size(unsafe { libc::readlinkat(fd, c"".as_ptr(), into.as_mut_ptr().cast(), into.len()) })
}

/// Has reading and writing wait where it has to, like a file that was opened the usual way.
pub(crate) fn make_blocking(fd: c_int, flags: c_int) -> Result {
    // SAFETY: F_SETFL takes an int.
    cvt(unsafe { large::fcntl(fd, libc::F_SETFL, flags & !libc::O_NONBLOCK) }).map(drop)
}

/// What files are usually reached by, by both names where libc has two. Some shims replace only one.
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

/// Whether the functions that files are usually reached by are libc's own, and not those of a
/// library that takes their place (fakeroot, a sanitizer, …).
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
    fn answers_are_those_of_the_usual_calls() {
        // Whatever was looked up just now is in the cache.
        let usual = super::super::stat::status(super::super::stat::Target::Path(c"/")).unwrap();
        let Answer::Known(Ok(root)) = open(c"/", libc::O_PATH) else {
            return;
        };
        let cached = status(root.fd()).unwrap();
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
        let fd = root.fd();
        drop(root);
        assert!(status(fd).is_err());
    }
}
