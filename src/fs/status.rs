//! The status of files and file systems: the stat family.

use core::ffi::{c_char, c_int};

use super::dispatch::start;
use super::operation::{LocalFile, Operation};
use super::request::FsRequest;
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::panic::keep_frame;
use crate::sys::path;
use crate::sys::stat::{self, Target};
use crate::view::{addr, get, set};

pub(super) struct Stat;

impl Operation for Stat {
    const KIND: uv_fs_type = UV_FS_STAT;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        read_status(request, Target::Path(request.path()))
    }

    fn inline_target<'a>(request: FsRequest) -> Option<Target<'a>> {
        Some(Target::Path(request.path()))
    }

    fn try_inline(request: FsRequest, file: &LocalFile) -> Option<Result<usize>> {
        Some(set_status(request, &file.stat))
    }
}

pub(super) struct Lstat;

impl Operation for Lstat {
    const KIND: uv_fs_type = UV_FS_LSTAT;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        read_status(request, Target::Link(request.path()))
    }

    fn inline_target<'a>(request: FsRequest) -> Option<Target<'a>> {
        Some(Target::Link(request.path()))
    }

    fn try_inline(request: FsRequest, file: &LocalFile) -> Option<Result<usize>> {
        Some(set_status(request, &file.stat))
    }
}

pub(super) struct Fstat;

impl Operation for Fstat {
    const KIND: uv_fs_type = UV_FS_FSTAT;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        read_status(request, Target::Descriptor(get!(request.file)))
    }

    fn inline_target<'a>(request: FsRequest) -> Option<Target<'a>> {
        Some(Target::Descriptor(get!(request.file)))
    }

    fn try_inline(request: FsRequest, file: &LocalFile) -> Option<Result<usize>> {
        Some(set_status(request, &file.stat))
    }
}

fn read_status(request: FsRequest, target: Target<'_>) -> Result<usize> {
    set_status(request, &stat::status(target)?)
}

fn set_status(request: FsRequest, status: &uv_stat_t) -> Result<usize> {
    set!(request.statbuf = *status);
    set!(request.ptr = addr!(request.statbuf).cast());
    Ok(0)
}

pub(super) struct Statfs;

impl Operation for Statfs {
    const KIND: uv_fs_type = UV_FS_STATFS;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let found = path::statfs(request.path())?;
        let memory = alloc::malloc(size_of::<uv_statfs_t>()).cast::<uv_statfs_t>();
        if memory.is_null() {
            return Err(Errno::ENOMEM);
        }
        let result = uv_statfs_t {
            f_type: found.f_type as u64,
            f_bsize: found.f_bsize as u64,
            f_blocks: found.f_blocks,
            f_bfree: found.f_bfree,
            f_bavail: found.f_bavail,
            f_files: found.f_files,
            f_ffree: found.f_ffree,
            f_frsize: found.f_frsize as u64,
            f_spare: [0; 3],
        };
        // SAFETY: new memory of this type.
        unsafe { memory.write(result) };
        set!(request.ptr = memory.cast());
        Ok(0)
    }
}

/// Queries the status of a path, or starts to if there is a callback. Returns what `uv_fs_stat`
/// does.
///
/// # Safety
/// The requirements of [`start`] apply; `path` must be null or a terminated string.
pub(crate) unsafe fn start_stat(
    event_loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    callback: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe { start::<Stat>(event_loop, req, callback, |request| request.keep_path(path)) }
}

// C entry points

/// Reads the status of a file, following symbolic links, as stat(2) does. The result is in
/// `req->statbuf`, which `req->ptr` points to. `st_birthtim` is 0 where the file system does not
/// keep it.
///
/// Returns 0, or an error such as `UV_ENOENT`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_stat>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_stat(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    let result = unsafe { start_stat(r#loop, req, path, cb) };
    keep_frame();
    result
}

/// Reads the status of an open file into `req->statbuf`, as fstat(2) does.
///
/// Returns 0, or an error such as `UV_EBADF`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_fstat>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fstat(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Fstat>(r#loop, req, cb, |request| {
            request.set_file(file);
            Ok(())
        })
    }
}

/// Reads the status of a file into `req->statbuf`, as lstat(2) does: for a symbolic link that of
/// the link itself.
///
/// Returns 0, or an error such as `UV_ENOENT`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_lstat>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_lstat(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Lstat>(r#loop, req, cb, |request| request.keep_path(path)) }
}

/// Reads the status of the file system that a path is in, as statfs(2) does. The result is the
/// `uv_statfs_t` that `req->ptr` points to, which `uv_fs_req_cleanup` releases.
///
/// Returns 0, or an error such as `UV_ENOENT`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_statfs>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_statfs(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Statfs>(r#loop, req, cb, |request| request.keep_path(path)) }
}
