//! Open files: opening and closing, reading and writing, sizes.

use core::ffi::{CStr, c_char, c_int, c_uint};

use super::dispatch::start;
use super::operation::{LocalFile, Operation};
use super::request::FsRequest;
use crate::abi::*;
use crate::buffers::Buffers;
use crate::errors::Result;
use crate::sys::nonblocking_fs::{self, Answer};
use crate::sys::stat::Target;
use crate::sys::{fd, file};
use crate::view::get;

pub(super) struct Open;

impl Operation for Open {
    const KIND: uv_fs_type = UV_FS_OPEN;

    fn changes(request: FsRequest) -> bool {
        get!(request.flags) & (libc::O_CREAT | libc::O_TRUNC) != 0
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let (flags, mode) = (get!(request.flags), get!(request.mode));
        file::open(request.path(), flags, mode).map(|file| file.into_raw() as usize)
    }

    /// Only with flags that affect no other process and cannot block. Opening for writing may wait
    /// for a process that has a lease.
    fn inline_target<'a>(request: FsRequest) -> Option<Target<'a>> {
        const HARMLESS_FLAGS: c_int =
            libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_LARGEFILE;
        match get!(request.flags) {
            flags if flags & !HARMLESS_FLAGS != libc::O_RDONLY => None,
            flags if flags & libc::O_NOFOLLOW != 0 => Some(Target::Link(request.path())),
            _ => Some(Target::Path(request.path())),
        }
    }

    /// Regular files only: opening a FIFO or a device has effects.
    fn try_inline(request: FsRequest, file: &LocalFile) -> Option<Result<usize>> {
        if file.is(libc::S_IFREG) {
            open_cached(request.path(), get!(request.flags))
        } else {
            None
        }
    }
}

impl Open {
    /// Undoes an inline opening that is cancelled before its callback.
    pub(super) fn undo(request: FsRequest) {
        if get!(request.result) >= 0 {
            fd::close_quietly(get!(request.result) as c_int);
        }
    }
}

/// Opens a regular file from the kernel's cache, without blocking: a process may have a lease, and
/// another kind of file may have taken its place. `None` leaves it to the pool.
fn open_cached(path: &CStr, flags: c_int) -> Option<Result<usize>> {
    match nonblocking_fs::open(path, flags | libc::O_NONBLOCK) {
        Answer::Known(Ok(file)) => {
            // A pipe has no position, and opening it could have blocked.
            let is_as_asked = nonblocking_fs::position(file.raw()).is_some()
                && nonblocking_fs::make_blocking(file.raw(), flags).is_ok();
            is_as_asked.then(|| Ok(file.into_raw() as usize))
        }
        Answer::Known(Err(error)) => Some(Err(error)),
        Answer::Unknown => None,
    }
}

pub(super) struct Close;

impl Operation for Close {
    const KIND: uv_fs_type = UV_FS_CLOSE;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        fd::close(get!(request.file)).map(|()| 0)
    }
}

pub(super) struct Mkstemp;

impl Operation for Mkstemp {
    const KIND: uv_fs_type = UV_FS_MKSTEMP;

    fn perform(request: FsRequest) -> Result<usize> {
        let template = get!(request.path).cast_mut();
        // SAFETY: the request's own copy of the template.
        let result = unsafe { file::mkstemp(template) };
        if result.is_err() {
            // There is no file of this name.
            // SAFETY: the request's own copy of the template, at least one byte long.
            unsafe { template.write(0) };
        }
        result.map(|fd| fd as usize)
    }
}

/// The offset of a request; `None`, for a negative one, is the file's own position.
fn offset(request: FsRequest) -> Option<i64> {
    Some(get!(request.off)).filter(|offset| *offset >= 0)
}

pub(super) struct Read;

impl Operation for Read {
    const KIND: uv_fs_type = UV_FS_READ;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        file::read(get!(request.file), request.buffers(), offset(request))
    }
}

pub(super) struct Write;

impl Operation for Write {
    const KIND: uv_fs_type = UV_FS_WRITE;

    fn perform(request: FsRequest) -> Result<usize> {
        let (file, start) = (get!(request.file), offset(request));
        let mut rest = Rest {
            buffers: request.buffers(),
            done: 0,
        };
        let mut total = 0;
        loop {
            let at = start.map(|start| start.saturating_add_unsigned(total as u64));
            match rest.write_some(file, at) {
                Ok(written) => {
                    total += written;
                    let advanced = rest.advance(written);
                    if rest.buffers.count() == 0 || !advanced {
                        return Ok(total);
                    }
                }
                // The count is reported; the error comes again with the next write.
                Err(_) if total > 0 => return Ok(total),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Buffers that are still to be written.
struct Rest {
    buffers: Buffers,
    /// How much of the first one is written.
    done: usize,
}

impl Rest {
    fn write_some(&self, file: c_int, at: Option<i64>) -> Result<usize> {
        if self.done == 0 {
            return file::write(file, self.buffers, at);
        }
        // The caller's list is not changed: what is left of a buffer is written by itself.
        let first = self.buffers.get(0);
        let left = uv_buf_t {
            base: first.base.wrapping_add(self.done),
            len: first.len - self.done,
        };
        // SAFETY: a part of the first buffer.
        file::write(file, unsafe { Buffers::one(&left) }, at)
    }

    /// Skips what was written, and empty buffers; returns whether that changed anything.
    fn advance(&mut self, written: usize) -> bool {
        let before = (self.buffers.count(), self.done);
        self.done += written;
        while self.buffers.count() > 0 {
            let length = self.buffers.get(0).len;
            if self.done < length {
                break;
            }
            self.done -= length;
            self.buffers = self.buffers.skip(1);
        }
        (self.buffers.count(), self.done) != before
    }
}

pub(super) struct Fsync;

impl Operation for Fsync {
    const KIND: uv_fs_type = UV_FS_FSYNC;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        file::fsync(get!(request.file)).map(|()| 0)
    }
}

pub(super) struct Fdatasync;

impl Operation for Fdatasync {
    const KIND: uv_fs_type = UV_FS_FDATASYNC;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        file::fdatasync(get!(request.file)).map(|()| 0)
    }
}

pub(super) struct Ftruncate;

impl Operation for Ftruncate {
    const KIND: uv_fs_type = UV_FS_FTRUNCATE;

    fn perform(request: FsRequest) -> Result<usize> {
        file::ftruncate(get!(request.file), get!(request.off)).map(|()| 0)
    }
}

// C entry points

/// Closes a file, as close(2) does. The descriptor is closed even if an error is returned because
/// data could not be written.
///
/// Returns 0, or an error such as `UV_EBADF`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_close>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_close(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Close>(r#loop, req, cb, |request| {
            request.set_file(file);
            Ok(())
        })
    }
}

/// Opens a file, as open(2) does; `flags` are `UV_FS_O_…`, `mode` the permissions of a file that is
/// made. The descriptor, in `req->result`, is not inherited by programs that are started.
///
/// Like all of these operations, it is done before the call returns if `cb` is `NULL`; then `loop`
/// may be `NULL`, and any thread may call. Otherwise it is done asynchronously, by the thread pool
/// or in the loop's thread if it cannot block. In both cases call `uv_fs_req_cleanup` on the
/// request in the end. An operation that the pool has not begun can be cancelled with `uv_cancel`;
/// its result is `UV_ECANCELED` then.
///
/// Returns the descriptor, or an error such as `UV_ENOENT`. With a callback returns 0, or an error
/// that prevents the start: `UV_EINVAL` (a `NULL` pointer) or `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_open>
///
/// # Safety
/// With a callback `loop` must be initialised, and `req` stay in place until the callback. Strings
/// must be terminated; they and arrays are needed only during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_open(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    flags: c_int,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Open>(r#loop, req, cb, |request| {
            request.set_flags(flags);
            request.set_mode(mode);
            request.keep_path(path)
        })
    }
}

/// Reads into `nbufs` buffers, as preadv(2) does, or as readv(2) with an `offset` of -1, which uses
/// and moves the file's own position. At most 1024 buffers and 0x7ffff000 bytes are filled by one
/// call.
///
/// Returns how many bytes were read, 0 at the end of the file, or an error such as `UV_EISDIR`.
/// `UV_EINTR` means that a signal came before any data. With a callback only errors that prevent
/// the start are returned, such as `UV_EINVAL` without buffers.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_read>
///
/// # Safety
/// The requirements of `uv_fs_open` apply. The memory of the buffers must stay in place until the
/// callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_read(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    offset: i64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Read>(r#loop, req, cb, |request| {
            request.set_file(file);
            request.set_offset(offset);
            request.keep_buffers(Buffers::new(bufs, nbufs))
        })
    }
}

/// Writes `nbufs` buffers, as pwritev(2) does, or as writev(2) with an `offset` of -1, which uses
/// and moves the file's own position. It goes on until all is written or an error occurs.
///
/// Returns how many bytes were written, or an error if nothing was. An error after some bytes makes
/// the number smaller than the total. With a callback only errors that prevent the start are
/// returned, such as `UV_EINVAL` without buffers or for more than 0x7ffff000 bytes.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_write>
///
/// # Safety
/// The requirements of `uv_fs_open` apply. The memory of the buffers must stay in place until the
/// callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_write(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    offset: i64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Write>(r#loop, req, cb, |request| {
            request.set_file(file);
            request.set_offset(offset);
            let buffers = Buffers::new(bufs, nbufs);
            buffers.check()?;
            request.keep_buffers(buffers)
        })
    }
}

/// Makes and opens a new file, as mkstemp(3) does. `tpl` ends with `XXXXXX`, which is replaced to
/// make the name unique. The name is the string `req->path` until `uv_fs_req_cleanup`, the
/// descriptor is `req->result`.
///
/// Returns the descriptor, or an error: `UV_EINVAL` for another template, `UV_ENOENT`. With a
/// callback only errors that prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_mkstemp>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_mkstemp(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    tpl: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Mkstemp>(r#loop, req, cb, |request| request.keep_template(tpl)) }
}

/// Waits until a file's data and attributes are on the disk, as fsync(2) does.
///
/// Returns 0, or an error such as `UV_EBADF`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_fsync>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fsync(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Fsync>(r#loop, req, cb, |request| {
            request.set_file(file);
            Ok(())
        })
    }
}

/// Waits until a file's data is on the disk, as fdatasync(2) does.
///
/// Returns 0, or an error such as `UV_EBADF`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_fdatasync>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fdatasync(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Fdatasync>(r#loop, req, cb, |request| {
            request.set_file(file);
            Ok(())
        })
    }
}

/// Cuts a file, or makes it longer with zeros, to `offset` bytes, as ftruncate(2) does.
///
/// Returns 0, or an error such as `UV_EINVAL`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_ftruncate>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_ftruncate(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    offset: i64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Ftruncate>(r#loop, req, cb, |request| {
            request.set_file(file);
            request.set_offset(offset);
            Ok(())
        })
    }
}

/// The system's handle for a descriptor of the C library, which is the descriptor itself on this
/// system.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_get_osfhandle>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_osfhandle(fd: c_int) -> uv_os_fd_t {
    fd
}

/// The C library's descriptor for a handle of the system, which is the handle itself on this
/// system.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_open_osfhandle>
#[unsafe(no_mangle)]
pub extern "C" fn uv_open_osfhandle(os_fd: uv_os_fd_t) -> c_int {
    os_fd
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(lengths: &[usize]) -> (std::vec::Vec<uv_buf_t>, Rest) {
        let base = core::ptr::null_mut();
        let bufs: std::vec::Vec<_> = lengths.iter().map(|&len| uv_buf_t { base, len }).collect();
        // SAFETY: the list lives; only lengths are read.
        let buffers = unsafe { Buffers::new(bufs.as_ptr(), bufs.len() as c_uint) };
        let rest = Rest { buffers, done: 0 };
        (bufs, rest)
    }

    #[test]
    fn written_buffers_are_skipped() {
        let (_bufs, mut rest) = rest(&[0, 3, 0, 4, 0, 0]);
        assert!(rest.advance(2));
        assert_eq!((rest.buffers.count(), rest.done), (5, 2));
        assert!(rest.advance(1));
        assert_eq!((rest.buffers.count(), rest.done), (3, 0));
        assert!(!rest.advance(0));
        assert!(rest.advance(4));
        assert_eq!((rest.buffers.count(), rest.done), (0, 0));
    }

    #[test]
    fn empty_buffers_alone_are_done_at_once() {
        let (_bufs, mut rest) = rest(&[0, 0]);
        assert!(rest.advance(0));
        assert_eq!(rest.buffers.count(), 0);
    }
}
