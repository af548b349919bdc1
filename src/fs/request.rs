//! The request of a file system operation: its fields, and what it owns.
//!
//! A request owns at most two blocks of memory besides a copy of its buffers. One is what `ptr`
//! points to, for the operations that allocate their result. The other is the *block*: a copy of
//! its path or paths, or (`uv_fs_readdir`) the names of the entries that were read. Both are
//! released by `uv_fs_req_cleanup`; the copy of the buffers as soon as the operation is done.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::mem::ManuallyDrop;

use super::listing::Listing;
use crate::abi::*;
use crate::alloc;
use crate::buffers::{Buffers, KeptBuffers};
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::observe::call_back;
use crate::request::Request;
use crate::text::c_str;
use crate::view::{addr, get, pointee, set, upcast, view};
use crate::work::pooled::{HasJob, has_job};

view!(
    /// A file system request.
    FsRequest => uv_fs_t
);
has_job!(FsRequest => uv_fs_t);

/// How many buffers fit into a request without an allocation.
const INLINE_BUFFERS: usize = 4;

impl FsRequest {
    upcast!(request: Request);
    pointee!(
        /// The loop of an asynchronous request.
        event_loop: Loop = r#loop
    );

    /// Makes the caller's memory, whatever is in it, a request without arguments. `data` stays.
    #[inline(never)]
    pub(super) fn init(self, event_loop: *mut uv_loop_t, kind: uv_fs_type, callback: uv_fs_cb) {
        self.request().init(UV_FS);
        set!(self.fs_type = kind);
        set!(self.r#loop = event_loop);
        set!(self.cb = callback);
        set!(self.result = 0);
        set!(self.ptr = core::ptr::null_mut());
        set!(self.path = core::ptr::null());
        set!(self.new_path = core::ptr::null());
        set!(self.bufs = core::ptr::null_mut());
        set!(self.nbufs = 0);
        // `uv_cancel` finds no job until one is submitted.
        self.init_job();
        set!(self.reserved = [core::ptr::null_mut(); 5]);
    }

    pub(super) fn is_synchronous(self) -> bool {
        get!(self.cb).is_none()
    }

    /// Has the request keep its loop alive; only for requests with a callback.
    #[inline(never)]
    pub(super) fn activate(self) -> Loop {
        self.request().start(self.event_loop(), UV_FS);
        self.event_loop()
    }

    /// Ends a synchronous request; what its call returns.
    #[inline(never)]
    pub(super) fn finish_synchronous(self, outcome: Result<usize>) -> c_int {
        self.set_result(outcome);
        self.release_buffers();
        get!(self.result).min(c_int::MAX as isize) as c_int
    }

    /// Ends an asynchronous request, and calls its callback last.
    #[inline(never)]
    pub(super) fn finish(self) {
        self.release_buffers();
        self.request().finish(self.event_loop());
        self.invoke();
    }

    fn invoke(self) {
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request it was given for, which nothing here
            // touches afterwards.
            unsafe { call_back!(Fs: callback(self.raw())) }
        }
    }

    pub(super) fn kind(self) -> uv_fs_type {
        get!(self.fs_type)
    }

    pub(super) fn set_result(self, outcome: Result<usize>) {
        set!(
            self.result = match outcome {
                Ok(value) => value as isize,
                Err(error) => error.code() as isize,
            }
        );
    }

    pub(super) fn set_file(self, file: uv_file) {
        set!(self.file = file);
    }

    pub(super) fn set_flags(self, flags: c_int) {
        set!(self.flags = flags);
    }

    pub(super) fn set_mode(self, mode: c_int) {
        set!(self.mode = mode as libc::mode_t);
    }

    pub(super) fn set_offset(self, offset: i64) {
        set!(self.off = offset);
    }

    pub(super) fn set_owner(self, user: uv_uid_t, group: uv_gid_t) {
        set!(self.uid = user);
        set!(self.gid = group);
    }

    pub(super) fn set_times(self, access: f64, modification: f64) {
        set!(self.atime = access);
        set!(self.mtime = modification);
    }

    /// Sets how many bytes to copy. The request has no member for that, so it uses one that only
    /// operations with buffers need.
    pub(super) fn set_length(self, length: usize) {
        let base = core::ptr::null_mut();
        set!(self.bufsml = [uv_buf_t { base, len: length }; INLINE_BUFFERS]);
    }

    pub(super) fn length(self) -> usize {
        get!(self.bufsml[0].len)
    }

    /// Keeps a path for the operation.
    ///
    /// # Safety
    /// `path` must be null or a terminated string that stays in place during the call.
    pub(super) unsafe fn keep_path(self, path: *const c_char) -> Result {
        // SAFETY: the caller vouches for the string.
        let text = unsafe { c_str(path) }.ok_or(Errno::EINVAL)?;
        if self.is_synchronous() {
            set!(self.path = path);
        } else {
            set!(self.path = self.own(alloc::duplicate(text)?));
        }
        Ok(())
    }

    /// Keeps both paths; one block has room for their copies.
    ///
    /// # Safety
    /// The requirements of [`FsRequest::keep_path`] apply, for both.
    pub(super) unsafe fn keep_paths(self, path: *const c_char, new_path: *const c_char) -> Result {
        // SAFETY: the caller vouches for the strings.
        let (Some(text), Some(new_text)) = (unsafe { (c_str(path), c_str(new_path)) }) else {
            return Err(Errno::EINVAL);
        };
        if self.is_synchronous() {
            set!(self.path = path);
            set!(self.new_path = new_path);
            return Ok(());
        }
        let (first, second) = (text.to_bytes_with_nul(), new_text.to_bytes_with_nul());
        let mut both = alloc::vec();
        both.try_reserve_exact(first.len() + second.len())
            .map_err(|_| Errno::ENOMEM)?;
        both.extend_from_slice(first);
        both.extend_from_slice(second);
        let block: *mut c_char = self.own(into_block(both).cast());
        set!(self.path = block);
        set!(self.new_path = block.wrapping_add(first.len()));
        Ok(())
    }

    /// Keeps a copy of a path that the operation changes.
    ///
    /// # Safety
    /// The requirements of [`FsRequest::keep_path`] apply.
    pub(super) unsafe fn keep_template(self, path: *const c_char) -> Result {
        // SAFETY: the caller vouches for the string.
        let text = unsafe { c_str(path) }.ok_or(Errno::EINVAL)?;
        set!(self.path = self.own(alloc::duplicate(text)?));
        Ok(())
    }

    /// Keeps a list of buffers; what they point to stays the caller's.
    pub(super) fn keep_buffers(self, buffers: Buffers) -> Result {
        buffers.check_count()?;
        if !self.is_synchronous() {
            return self.kept().keep(buffers);
        }
        set!(self.bufs = buffers.as_iovecs().cast_mut().cast());
        set!(self.nbufs = buffers.count() as c_uint);
        Ok(())
    }

    /// The buffers that were kept, for as long as the operation runs.
    pub(super) fn buffers(self) -> Buffers {
        self.kept().buffers()
    }

    fn kept(self) -> KeptBuffers {
        let (list, count) = (addr!(self.bufs), addr!(self.nbufs));
        // SAFETY: members of a live request. Its list is null, or set by `keep_buffers`; one that
        // is not a copy is not released.
        unsafe { KeptBuffers::new(list, count, addr!(self.bufsml)) }
    }

    /// Releases the request's copy of the list of buffers.
    pub(super) fn release_buffers(self) {
        if !self.is_synchronous() {
            self.kept().release();
        }
        set!(self.bufs = core::ptr::null_mut());
        set!(self.nbufs = 0);
    }

    /// Makes `block` the request's own.
    pub(super) fn own<T>(self, block: *mut T) -> *mut T {
        let null = core::ptr::null_mut();
        set!(self.reserved = [block.cast::<c_void>(), null, null, null, null]);
        block
    }

    /// The path that was kept, for as long as the operation runs.
    pub(super) fn path<'a>(self) -> &'a CStr {
        // SAFETY: operations with a path begin with keeping one: a copy of the request's own, or
        // a string that stays in place during the call.
        unsafe { CStr::from_ptr(get!(self.path)) }
    }

    /// The second path that was kept, for as long as the operation runs.
    pub(super) fn new_path<'a>(self) -> &'a CStr {
        // SAFETY: operations with two paths begin with keeping both.
        unsafe { CStr::from_ptr(get!(self.new_path)) }
    }

    pub(crate) fn clean_up(self) {
        let ptr = get!(self.ptr);
        // SAFETY: what the request owns, by its type; it is forgotten below.
        unsafe {
            match self.kind() {
                UV_FS_SCANDIR => Listing::free(ptr),
                UV_FS_READLINK | UV_FS_REALPATH | UV_FS_STATFS => alloc::free(ptr),
                // The request itself, or a directory that is the caller's until it is closed.
                _ => {}
            }
            alloc::free(get!(self.reserved[0]));
        }
        self.own(core::ptr::null_mut::<c_void>());
        set!(self.ptr = core::ptr::null_mut());
        set!(self.path = core::ptr::null());
        set!(self.new_path = core::ptr::null());
    }
}

/// The memory of an array, to be released with `alloc::free`; null for an empty one.
pub(super) fn into_block<T>(array: alloc::Vec<T>) -> *mut T {
    if array.is_empty() {
        return core::ptr::null_mut();
    }
    ManuallyDrop::new(array).as_mut_ptr()
}

// C entry points

/// Releases the memory that a request took. Call it once the request is done, with or without
/// success; `req->path` and `req->ptr` and what they pointed to are gone afterwards, `req->result`
/// stays. Calling it again, or with `NULL`, has no effect.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_req_cleanup>
///
/// # Safety
/// `req` must be `NULL` or a request that was given to one of the `uv_fs_…` functions and is not
/// being worked on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_req_cleanup(req: *mut uv_fs_t) {
    if !req.is_null() {
        // SAFETY: common pointer contract.
        unsafe { FsRequest::from_ptr(req) }.clean_up();
    }
}

/// The operation of a request, `req->fs_type`.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_get_type>
///
/// # Safety
/// `req` must be a request that was given to one of the `uv_fs_…` functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_type(req: *const uv_fs_t) -> uv_fs_type {
    // SAFETY: common pointer contract.
    unsafe { FsRequest::from_ptr(req) }.kind()
}

/// The outcome of a request, `req->result`: a count, a descriptor or 0, or a `UV_E…` code.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_get_result>
///
/// # Safety
/// The requirements of `uv_fs_get_type` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_result(req: *const uv_fs_t) -> isize {
    // SAFETY: common pointer contract.
    let request = unsafe { FsRequest::from_ptr(req) };
    get!(request.result)
}

/// The system's own number for the error in `req->result`: `errno`, a positive number.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_get_system_error>
///
/// # Safety
/// The requirements of `uv_fs_get_type` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_system_error(req: *const uv_fs_t) -> c_int {
    // SAFETY: common pointer contract.
    let request = unsafe { FsRequest::from_ptr(req) };
    (get!(request.result) as c_int).wrapping_neg()
}

/// The result that a request points to, `req->ptr`: a path, a status, a directory or `NULL`, by its
/// type.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_get_ptr>
///
/// # Safety
/// The requirements of `uv_fs_get_type` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_ptr(req: *const uv_fs_t) -> *mut c_void {
    // SAFETY: common pointer contract.
    let request = unsafe { FsRequest::from_ptr(req) };
    get!(request.ptr)
}

/// The path of a request, `req->path`.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_get_path>
///
/// # Safety
/// The requirements of `uv_fs_get_type` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_path(req: *const uv_fs_t) -> *const c_char {
    // SAFETY: common pointer contract.
    let request = unsafe { FsRequest::from_ptr(req) };
    get!(request.path)
}

/// The status that `uv_fs_stat`, `uv_fs_lstat` or `uv_fs_fstat` read, `&req->statbuf`.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_get_statbuf>
///
/// # Safety
/// The requirements of `uv_fs_get_type` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_statbuf(req: *mut uv_fs_t) -> *mut uv_stat_t {
    // SAFETY: common pointer contract.
    let request = unsafe { FsRequest::from_ptr(req) };
    addr!(request.statbuf)
}
