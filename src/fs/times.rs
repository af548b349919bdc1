//! Times of files: the last access and the last change.

use core::ffi::{c_char, c_int};

use super::dispatch::start;
use super::operation::Operation;
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::sys::{clock, file, path};
use crate::view::get;

pub(super) struct Utime;

impl Operation for Utime {
    const KIND: uv_fs_type = UV_FS_UTIME;

    fn perform(request: FsRequest) -> Result<usize> {
        path::utimensat(request.path(), &times(request)?, 0).map(|()| 0)
    }
}

pub(super) struct Lutime;

impl Operation for Lutime {
    const KIND: uv_fs_type = UV_FS_LUTIME;

    fn perform(request: FsRequest) -> Result<usize> {
        path::utimensat(request.path(), &times(request)?, libc::AT_SYMLINK_NOFOLLOW).map(|()| 0)
    }
}

pub(super) struct Futime;

impl Operation for Futime {
    const KIND: uv_fs_type = UV_FS_FUTIME;

    fn perform(request: FsRequest) -> Result<usize> {
        file::futimens(get!(request.file), &times(request)?).map(|()| 0)
    }
}

fn times(request: FsRequest) -> Result<[libc::timespec; 2]> {
    Ok([
        timespec(get!(request.atime))?,
        timespec(get!(request.mtime))?,
    ])
}

/// Seconds as the system's type. Infinity means now (`UV_FS_UTIME_NOW`), NaN means no change
/// (`UV_FS_UTIME_OMIT`).
fn timespec(time: f64) -> Result<libc::timespec> {
    let (tv_sec, tv_nsec) = if time.is_infinite() {
        (0, libc::UTIME_NOW)
    } else if time.is_nan() {
        (0, libc::UTIME_OMIT)
    } else if time.abs() >= clock::Seconds::MAX as f64 {
        return Err(Errno::EINVAL);
    } else {
        let seconds = time as clock::Seconds;
        let nanoseconds = ((time - seconds as f64) * 1e9) as libc::c_long;
        // Nanoseconds count forwards, before 1970 as well.
        match nanoseconds < 0 {
            true => (seconds - 1, nanoseconds + 1_000_000_000),
            false => (seconds, nanoseconds),
        }
    };
    Ok(libc::timespec { tv_sec, tv_nsec })
}

// C entry points

/// Sets when a file was used (`atime`) and changed (`mtime`) last, in seconds since 1970.
/// `UV_FS_UTIME_NOW` stands for the current time, `UV_FS_UTIME_OMIT` for no change.
///
/// Returns 0, or an error such as `UV_ENOENT` or `UV_EPERM`. With a callback only errors that
/// prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_utime>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_utime(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    atime: f64,
    mtime: f64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Utime>(r#loop, req, cb, |request| {
            request.set_times(atime, mtime);
            request.keep_path(path)
        })
    }
}

/// Sets when an open file was used (`atime`) and changed (`mtime`) last, in seconds since 1970.
/// `UV_FS_UTIME_NOW` stands for the current time, `UV_FS_UTIME_OMIT` for no change.
///
/// Returns 0, or an error such as `UV_EBADF`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_futime>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_futime(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    atime: f64,
    mtime: f64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Futime>(r#loop, req, cb, |request| {
            request.set_file(file);
            request.set_times(atime, mtime);
            Ok(())
        })
    }
}

/// Sets when a file was used (`atime`) and changed (`mtime`) last, in seconds since 1970; for a
/// symbolic link the times of the link itself. `UV_FS_UTIME_NOW` stands for the current time,
/// `UV_FS_UTIME_OMIT` for no change.
///
/// Returns 0, or an error such as `UV_ENOENT`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_lutime>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_lutime(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    atime: f64,
    mtime: f64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Lutime>(r#loop, req, cb, |request| {
            request.set_times(atime, mtime);
            request.keep_path(path)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_split_downwards() {
        for (time, seconds, nanoseconds) in [
            (0.0, 0, 0),
            (1.5, 1, 500_000_000),
            (-1.75, -2, 250_000_000),
            (-14245440.25, -14245441, 750_000_000),
            (1291404900.25, 1291404900, 250_000_000),
            (-1e-9, -1, 999_999_999),
            (-1e-12, 0, 0),
            (-5e-324, 0, 0),
            (f64::INFINITY, 0, libc::UTIME_NOW),
            (f64::NEG_INFINITY, 0, libc::UTIME_NOW),
            (f64::NAN, 0, libc::UTIME_OMIT),
        ] {
            let spec = timespec(time).unwrap();
            assert_eq!(
                (spec.tv_sec, spec.tv_nsec),
                (seconds, nanoseconds),
                "{time}"
            );
        }
    }

    #[test]
    fn times_out_of_range_are_refused() {
        for time in [1e300, -1e300, 9.3e18] {
            assert_eq!(timespec(time).map(drop), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn no_precision_is_lost() {
        for time in [1_700_000_000.123_456_7, 0.1, 86400.000001, 4102444800.999] {
            let spec = timespec(time).unwrap();
            let back = spec.tv_sec as f64 + spec.tv_nsec as f64 / 1e9;
            assert!((back - time).abs() <= 1e-9, "{time} became {back}");
        }
    }
}
