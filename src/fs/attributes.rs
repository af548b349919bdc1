//! Permissions and owners of files.

use core::ffi::{c_char, c_int};

use super::dispatch::start;
use super::operation::{LocalFile, Operation};
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::sys::stat::Target;
use crate::sys::{file, nonblocking_fs, path};
use crate::view::get;

pub(super) struct Access;

impl Operation for Access {
    const KIND: uv_fs_type = UV_FS_ACCESS;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        path::access(request.path(), get!(request.flags)).map(|()| 0)
    }

    /// Other modes are an error for every path.
    fn inline_target<'a>(request: FsRequest) -> Option<Target<'a>> {
        const MODES: c_int = libc::R_OK | libc::W_OK | libc::X_OK;
        let is_known = get!(request.flags) & !MODES == 0;
        is_known.then(|| Target::Path(request.path()))
    }

    /// Only where the effective user is the real one: the path was resolved for the former, and
    /// access(2) asks about the latter.
    fn try_inline(request: FsRequest, file: &LocalFile) -> Option<Result<usize>> {
        if !nonblocking_fs::is_real_user() {
            return None;
        }
        match nonblocking_fs::access(file.fd, get!(request.flags)) {
            Ok(()) => Some(Ok(0)),
            Err(error @ Errno::EACCES) => Some(Err(error)),
            Err(_) => None,
        }
    }
}

pub(super) struct Chmod;

impl Operation for Chmod {
    const KIND: uv_fs_type = UV_FS_CHMOD;

    fn perform(request: FsRequest) -> Result<usize> {
        path::chmod(request.path(), get!(request.mode)).map(|()| 0)
    }
}

pub(super) struct Fchmod;

impl Operation for Fchmod {
    const KIND: uv_fs_type = UV_FS_FCHMOD;

    fn perform(request: FsRequest) -> Result<usize> {
        file::fchmod(get!(request.file), get!(request.mode)).map(|()| 0)
    }
}

pub(super) struct Chown;

impl Operation for Chown {
    const KIND: uv_fs_type = UV_FS_CHOWN;

    fn perform(request: FsRequest) -> Result<usize> {
        path::chown(request.path(), get!(request.uid), get!(request.gid)).map(|()| 0)
    }
}

pub(super) struct Fchown;

impl Operation for Fchown {
    const KIND: uv_fs_type = UV_FS_FCHOWN;

    fn perform(request: FsRequest) -> Result<usize> {
        file::fchown(get!(request.file), get!(request.uid), get!(request.gid)).map(|()| 0)
    }
}

pub(super) struct Lchown;

impl Operation for Lchown {
    const KIND: uv_fs_type = UV_FS_LCHOWN;

    fn perform(request: FsRequest) -> Result<usize> {
        path::lchown(request.path(), get!(request.uid), get!(request.gid)).map(|()| 0)
    }
}

// C entry points

/// Tests whether the process may use a file, with its real user and group, as access(2) does.
/// `mode` is `F_OK` (exists) or a combination of `R_OK`, `W_OK` and `X_OK`.
///
/// Returns 0, or an error such as `UV_EACCES` or `UV_ENOENT`. With a callback only errors that
/// prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_access>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_access(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Access>(r#loop, req, cb, |request| {
            request.set_flags(mode);
            request.keep_path(path)
        })
    }
}

/// Sets the permissions of a file, as chmod(2) does.
///
/// Returns 0, or an error such as `UV_EPERM`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_chmod>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_chmod(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Chmod>(r#loop, req, cb, |request| {
            request.set_mode(mode);
            request.keep_path(path)
        })
    }
}

/// Sets the permissions of an open file, as fchmod(2) does.
///
/// Returns 0, or an error such as `UV_EPERM`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_fchmod>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fchmod(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Fchmod>(r#loop, req, cb, |request| {
            request.set_file(file);
            request.set_mode(mode);
            Ok(())
        })
    }
}

/// Sets the user and the group that a file belongs to, as chown(2) does; an id of -1 leaves it as
/// it is.
///
/// Returns 0, or an error such as `UV_EPERM`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_chown>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_chown(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Chown>(r#loop, req, cb, |request| {
            request.set_owner(uid, gid);
            request.keep_path(path)
        })
    }
}

/// Sets the user and the group that an open file belongs to, as fchown(2) does; an id of -1 leaves
/// it as it is.
///
/// Returns 0, or an error such as `UV_EPERM`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_fchown>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fchown(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Fchown>(r#loop, req, cb, |request| {
            request.set_file(file);
            request.set_owner(uid, gid);
            Ok(())
        })
    }
}

/// Sets the user and the group that a file belongs to, as lchown(2) does: for a symbolic link those
/// of the link itself. An id of -1 leaves it as it is.
///
/// Returns 0, or an error such as `UV_EPERM`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_lchown>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_lchown(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Lchown>(r#loop, req, cb, |request| {
            request.set_owner(uid, gid);
            request.keep_path(path)
        })
    }
}
