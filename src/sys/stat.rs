//! The status of files, as `uv_stat_t`.

use core::ffi::{CStr, c_int, c_long};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{large, retry, typed};
use crate::abi::{uv_stat_t, uv_timespec_t};
use crate::errors::{Errno, Result};
use crate::zeroed::zeroed;

/// The file whose status is queried.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Path(&'a CStr),
    /// A symbolic link itself.
    Link(&'a CStr),
    Descriptor(c_int),
}

/// Set when statx does not work: in a sandbox, or on a kernel before 4.11.
static HAS_NO_STATX: AtomicBool = AtomicBool::new(false);

pub(crate) fn status(target: Target<'_>) -> Result<uv_stat_t> {
    // The special descriptor AT_FDCWD is negative.
    if matches!(target, Target::Descriptor(..0)) {
        return Err(Errno::EBADF);
    }
    if HAS_NO_STATX.load(Relaxed) {
        return status_by_stat(target);
    }
    match status_by_statx(target) {
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EINVAL | Errno::ENOTSUP) => {
            let status = status_by_stat(target)?;
            HAS_NO_STATX.store(true, Relaxed);
            Ok(status)
        }
        result => result,
    }
}

fn arguments(target: Target<'_>) -> (c_int, &CStr, c_int) {
    match target {
        Target::Path(path) => (libc::AT_FDCWD, path, 0),
        Target::Link(path) => (libc::AT_FDCWD, path, libc::AT_SYMLINK_NOFOLLOW),
        Target::Descriptor(fd) => (fd, c"", libc::AT_EMPTY_PATH),
    }
}

fn status_by_statx(target: Target<'_>) -> Result<uv_stat_t> {
    let (fd, path, flags) = arguments(target);
    let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    let mut found: libc::statx = zeroed();
    retry(|| typed::statx(fd, path, flags, mask, &mut found))?;
    Ok(from_statx(&found))
}

pub(super) fn from_statx(found: &libc::statx) -> uv_stat_t {
    uv_stat_t {
        st_dev: libc::makedev(found.stx_dev_major, found.stx_dev_minor),
        st_mode: found.stx_mode.into(),
        st_nlink: found.stx_nlink.into(),
        st_uid: found.stx_uid.into(),
        st_gid: found.stx_gid.into(),
        st_rdev: libc::makedev(found.stx_rdev_major, found.stx_rdev_minor),
        st_ino: found.stx_ino,
        st_size: found.stx_size,
        st_blksize: found.stx_blksize.into(),
        st_blocks: found.stx_blocks,
        st_flags: 0,
        st_gen: 0,
        st_atim: from_time(found.stx_atime),
        st_mtim: from_time(found.stx_mtime),
        st_ctim: from_time(found.stx_ctime),
        st_birthtim: from_time(found.stx_btime),
    }
}

/// Queries a status by the older call. It does not know when a file was made: the time of its last
/// change is given instead.
pub(crate) fn status_by_stat(target: Target<'_>) -> Result<uv_stat_t> {
    let mut found: large::stat = zeroed();
    retry(|| match target {
        Target::Path(path) => typed::stat(path, &mut found),
        Target::Link(path) => typed::lstat(path, &mut found),
        Target::Descriptor(fd) => typed::fstat(fd, &mut found),
    })?;
    let changed = timespec(found.st_ctime, found.st_ctime_nsec);
    Ok(uv_stat_t {
        st_dev: found.st_dev,
        st_mode: found.st_mode.into(),
        #[allow(clippy::unnecessary_cast, reason = "32 bits on some machines")]
        st_nlink: found.st_nlink as u64,
        st_uid: found.st_uid.into(),
        st_gid: found.st_gid.into(),
        st_rdev: found.st_rdev,
        st_ino: found.st_ino,
        st_size: found.st_size as u64,
        st_blksize: found.st_blksize as u64,
        st_blocks: found.st_blocks as u64,
        st_flags: 0,
        st_gen: 0,
        st_atim: timespec(found.st_atime, found.st_atime_nsec),
        st_mtim: timespec(found.st_mtime, found.st_mtime_nsec),
        st_ctim: changed,
        st_birthtim: changed,
    })
}

fn from_time(time: libc::statx_timestamp) -> uv_timespec_t {
    timespec(time.tv_sec as c_long, time.tv_nsec as c_long)
}

fn timespec(seconds: c_long, nanoseconds: c_long) -> uv_timespec_t {
    uv_timespec_t {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_calls_agree() {
        for target in [
            Target::Path(c"/proc/self/exe"),
            Target::Link(c"/proc/self/exe"),
            Target::Path(c"/dev/null"),
            Target::Path(c"/"),
        ] {
            let (new, old) = (
                status_by_statx(target).unwrap(),
                status_by_stat(target).unwrap(),
            );
            let of = |s: &uv_stat_t| {
                let first = [s.st_dev, s.st_mode, s.st_nlink, s.st_uid, s.st_gid];
                let second = [s.st_rdev, s.st_ino, s.st_size, s.st_blksize, s.st_blocks];
                let third = [s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ctim.tv_nsec];
                (first, second, third)
            };
            assert_eq!(of(&new), of(&old));
        }
    }

    #[test]
    fn errors_are_those_of_the_file() {
        let code = |target| status(target).map(drop).unwrap_err();
        assert_eq!(code(Target::Path(c"/nowhere/at/all")), Errno::ENOENT);
        assert_eq!(code(Target::Path(c"/dev/null/file")), Errno::ENOTDIR);
        assert_eq!(code(Target::Descriptor(-1)), Errno::EBADF);
        assert_eq!(code(Target::Descriptor(libc::AT_FDCWD)), Errno::EBADF);
    }
}
