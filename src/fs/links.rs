//! Names of files: links, renaming, and resolved paths.

use core::ffi::{c_char, c_int};

use super::dispatch::start;
use super::operation::{LocalFile, Operation};
use super::request::{FsRequest, into_block};
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::nonblocking_fs::{self, Answer};
use crate::sys::path;
use crate::sys::stat::Target;
use crate::view::{get, set};

pub(super) struct Unlink;

impl Operation for Unlink {
    const KIND: uv_fs_type = UV_FS_UNLINK;

    fn perform(request: FsRequest) -> Result<usize> {
        path::unlink(request.path()).map(|()| 0)
    }
}

pub(super) struct Rename;

impl Operation for Rename {
    const KIND: uv_fs_type = UV_FS_RENAME;

    fn perform(request: FsRequest) -> Result<usize> {
        path::rename(request.path(), request.new_path()).map(|()| 0)
    }
}

pub(super) struct Link;

impl Operation for Link {
    const KIND: uv_fs_type = UV_FS_LINK;

    fn perform(request: FsRequest) -> Result<usize> {
        path::link(request.path(), request.new_path()).map(|()| 0)
    }
}

pub(super) struct Symlink;

impl Operation for Symlink {
    const KIND: uv_fs_type = UV_FS_SYMLINK;

    fn perform(request: FsRequest) -> Result<usize> {
        path::symlink(request.path(), request.new_path()).map(|()| 0)
    }
}

pub(super) struct Readlink;

impl Operation for Readlink {
    const KIND: uv_fs_type = UV_FS_READLINK;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let text = path::readlink(request.path())?;
        set!(request.ptr = into_block(text).cast());
        Ok(0)
    }

    fn inline_target<'a>(request: FsRequest) -> Option<Target<'a>> {
        Some(Target::Link(request.path()))
    }

    fn try_inline(request: FsRequest, file: &LocalFile) -> Option<Result<usize>> {
        if !file.is(libc::S_IFLNK) {
            return Some(Err(Errno::EINVAL));
        }
        // The text of a link may not be in memory either. It is if the link can be resolved from
        // the cache.
        if matches!(
            nonblocking_fs::open(request.path(), libc::O_PATH),
            Answer::Unknown
        ) {
            return None;
        }
        let text = cached_text(file)?;
        set!(request.ptr = into_block(text).cast());
        Some(Ok(0))
    }

    fn undo(request: FsRequest) {
        // SAFETY: null, or allocated by `cached_text`; the caller forgets it.
        unsafe { alloc::free(get!(request.ptr)) };
    }
}

/// The text of an open link with its terminator; `None` if it is not as long as the link's status
/// says.
fn cached_text(file: &LocalFile) -> Option<alloc::Vec<u8>> {
    let length = usize::try_from(file.stat.st_size).ok()?;
    let mut text: alloc::Vec<u8> = alloc::vec();
    // One byte more, for the terminator; it also shows a text that is too long.
    let room = length.checked_add(1)?;
    text.try_reserve_exact(room).ok()?;
    text.resize(room, 0);
    let count = nonblocking_fs::readlink(file.fd, &mut text).ok()?;
    if count != length {
        return None;
    }
    text[length] = 0;
    Some(text)
}

pub(super) struct Realpath;

impl Operation for Realpath {
    const KIND: uv_fs_type = UV_FS_REALPATH;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        set!(request.ptr = path::realpath(request.path())?.cast());
        Ok(0)
    }
}

// C entry points

/// Removes a file, or a symbolic link itself, as unlink(2) does.
///
/// Returns 0, or an error such as `UV_ENOENT`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_unlink>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_unlink(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Unlink>(r#loop, req, cb, |request| request.keep_path(path)) }
}

/// Gives a file another name, as rename(2) does; a file of that name is replaced.
///
/// Returns 0, or an error such as `UV_ENOENT` or `UV_EXDEV`. With a callback only errors that
/// prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_rename>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_rename(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Rename>(r#loop, req, cb, |request| {
            request.keep_paths(path, new_path)
        })
    }
}

/// Gives the file `path` the additional name `new_path`, as link(2) does.
///
/// Returns 0, or an error such as `UV_EEXIST`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_link>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_link(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Link>(r#loop, req, cb, |request| {
            request.keep_paths(path, new_path)
        })
    }
}

/// Makes `new_path` a symbolic link that says `path`, as symlink(2) does. The flags
/// `UV_FS_SYMLINK_DIR` and `UV_FS_SYMLINK_JUNCTION` have an effect on Windows only.
///
/// Returns 0, or an error such as `UV_EEXIST`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_symlink>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_symlink(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    flags: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Symlink>(r#loop, req, cb, |request| {
            request.set_flags(flags);
            request.keep_paths(path, new_path)
        })
    }
}

/// Reads what a symbolic link says, as readlink(2) does, into the string `req->ptr`, which
/// `uv_fs_req_cleanup` releases.
///
/// Returns 0, or an error: `UV_EINVAL` when `path` is no symbolic link, `UV_ENOENT`. With a
/// callback only errors that prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_readlink>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_readlink(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Readlink>(r#loop, req, cb, |request| request.keep_path(path)) }
}

/// Finds the absolute path of an existing file, without symbolic links, `.` and `..`, as
/// realpath(3) does. It is the string `req->ptr`, which `uv_fs_req_cleanup` releases.
///
/// Returns 0, or an error such as `UV_ENOENT` or `UV_ELOOP`. With a callback only errors that
/// prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_realpath>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_realpath(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Realpath>(r#loop, req, cb, |request| request.keep_path(path)) }
}
