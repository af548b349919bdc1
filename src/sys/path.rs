//! Files by name: links, directories, permissions, owners, times.

use core::ffi::{CStr, c_char, c_int};

use super::{cvt, large, retry, retry_size, typed};
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::zeroed::zeroed;

pub(crate) fn access(path: &CStr, mode: c_int) -> Result {
    retry(|| typed::access(path, mode)).map(drop)
}

pub(crate) fn chmod(path: &CStr, mode: libc::mode_t) -> Result {
    retry(|| typed::chmod(path, mode)).map(drop)
}

pub(crate) fn chown(path: &CStr, user: libc::uid_t, group: libc::gid_t) -> Result {
    retry(|| typed::chown(path, user, group)).map(drop)
}

pub(crate) fn lchown(path: &CStr, user: libc::uid_t, group: libc::gid_t) -> Result {
    retry(|| typed::lchown(path, user, group)).map(drop)
}

/// Sets the times of last access and of last modification, of a symbolic link itself with
/// `AT_SYMLINK_NOFOLLOW`.
pub(crate) fn utimensat(path: &CStr, times: &[libc::timespec; 2], flags: c_int) -> Result {
    retry(|| typed::utimensat(libc::AT_FDCWD, path, times, flags)).map(drop)
}

pub(crate) fn mkdir(path: &CStr, mode: libc::mode_t) -> Result {
    retry(|| typed::mkdir(path, mode)).map(drop)
}

/// Makes a new directory; its name replaces the `XXXXXX` that `template` ends with.
///
/// # Safety
/// `template` must be a terminated string in writable memory.
pub(crate) unsafe fn mkdtemp(template: *mut c_char) -> Result {
    // SAFETY: the caller vouches for the template.
    if unsafe { libc::mkdtemp(template) }.is_null() {
        return Err(Errno::last());
    }
    Ok(())
}

pub(crate) fn rmdir(path: &CStr) -> Result {
    retry(|| typed::rmdir(path)).map(drop)
}

pub(crate) fn unlink(path: &CStr) -> Result {
    retry(|| typed::unlink(path)).map(drop)
}

pub(crate) fn rename(path: &CStr, new_path: &CStr) -> Result {
    retry(|| typed::rename(path, new_path)).map(drop)
}

pub(crate) fn link(path: &CStr, new_path: &CStr) -> Result {
    retry(|| typed::link(path, new_path)).map(drop)
}

pub(crate) fn symlink(target: &CStr, path: &CStr) -> Result {
    retry(|| typed::symlink(target, path)).map(drop)
}

/// The text of a symbolic link, as a terminated string of any length.
pub(crate) fn readlink(path: &CStr) -> Result<alloc::Vec<u8>> {
    let mut text: alloc::Vec<u8> = alloc::vec();
    let mut room = 256;
    loop {
        text.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
        let memory = text.as_mut_ptr();
        // SAFETY: the path is terminated, and `memory` has the room that is passed.
        let count = retry_size(|| unsafe { libc::readlink(path.as_ptr(), memory.cast(), room) })?;
        // A full buffer may have only the beginning, and has no room for the terminator.
        if count < room {
            // SAFETY: there is room for one byte more than the kernel wrote.
            unsafe {
                memory.add(count).write(0);
                text.set_len(count + 1);
            }
            return Ok(text);
        }
        room *= 2;
    }
}

/// The absolute path without links, as a terminated string in memory of `crate::alloc`.
pub(crate) fn realpath(path: &CStr) -> Result<*mut c_char> {
    // SAFETY: the path is terminated; libc takes the memory for the result.
    let found = unsafe { libc::realpath(path.as_ptr(), core::ptr::null_mut()) };
    if found.is_null() {
        return Err(Errno::last());
    }
    // SAFETY: a terminated string.
    let copy = alloc::duplicate(unsafe { CStr::from_ptr(found) });
    // SAFETY: came from libc's malloc, and is not used afterwards.
    unsafe { libc::free(found.cast()) };
    copy
}

/// The status of the file system that a path is in.
pub(crate) fn statfs(path: &CStr) -> Result<large::statfs> {
    let mut found: large::statfs = zeroed();
    retry(|| typed::statfs(path, &mut found))?;
    Ok(found)
}

/// The type of the file system that an open file is in, which has 32 bits.
pub(crate) fn file_system_type(fd: c_int) -> Result<u64> {
    let mut found: large::statfs = zeroed();
    cvt(typed::fstatfs(fd, &mut found))?;
    Ok((found.f_type as u32).into())
}
