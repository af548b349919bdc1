//! Directories: making, removing and reading them, whole (`uv_fs_scandir`) or in parts
//! (`uv_fs_opendir`, `uv_fs_readdir`, `uv_fs_closedir`).
//!
//! A `uv_dir_t` belongs to the caller from `uv_fs_opendir` until `uv_fs_closedir` has released it.
//! A close that was cancelled leaves it open.

use core::ffi::{CStr, c_char, c_int};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::dispatch::start;
use super::listing::{Listing, append};
use super::operation::Operation;
use super::request::{FsRequest, into_block};
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::sys::dir::Directory;
use crate::sys::path;
use crate::view::{get, set, view};

pub(super) struct Mkdir;

impl Operation for Mkdir {
    const KIND: uv_fs_type = UV_FS_MKDIR;

    fn perform(request: FsRequest) -> Result<usize> {
        path::mkdir(request.path(), get!(request.mode)).map(|()| 0)
    }
}

pub(super) struct Mkdtemp;

impl Operation for Mkdtemp {
    const KIND: uv_fs_type = UV_FS_MKDTEMP;

    fn perform(request: FsRequest) -> Result<usize> {
        // SAFETY: the request's own copy of the template.
        unsafe { path::mkdtemp(get!(request.path).cast_mut()) }.map(|()| 0)
    }
}

pub(super) struct Rmdir;

impl Operation for Rmdir {
    const KIND: uv_fs_type = UV_FS_RMDIR;

    fn perform(request: FsRequest) -> Result<usize> {
        path::rmdir(request.path()).map(|()| 0)
    }
}

pub(super) struct Scandir;

impl Operation for Scandir {
    const KIND: uv_fs_type = UV_FS_SCANDIR;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let listing = Listing::read(request.path())?;
        let count = listing.count();
        if count > 0 {
            set!(request.ptr = alloc::Box::into_raw(alloc::boxed(listing)?).cast());
        }
        Ok(count)
    }
}

impl FsRequest {
    /// The next entry that `uv_fs_scandir` found. At the end all entries are released.
    fn next_entry(self) -> Result<uv_dirent_t> {
        let result = get!(self.result);
        if result < 0 {
            return Err(Errno::from_code(result as c_int));
        }
        let listing = get!(self.ptr).cast::<Listing>();
        if listing.is_null() {
            return Err(Errno::EOF);
        }
        if self.kind() != UV_FS_SCANDIR {
            return Err(Errno::EINVAL);
        }
        // The operation has no buffers, so `nbufs` counts the entries that the caller has taken.
        let index = get!(self.nbufs);
        // SAFETY: `ptr` is what `scandir` left there.
        let next = unsafe { (*listing).entry(index as usize) };
        let Some(entry) = next else {
            // SAFETY: `ptr` is what `scandir` left there, and it is cleared right after.
            unsafe { Listing::free(listing.cast()) };
            set!(self.ptr = core::ptr::null_mut());
            return Err(Errno::EOF);
        };
        set!(self.nbufs = index + 1);
        Ok(entry)
    }
}

view!(
    /// A directory that is being read.
    Dir => uv_dir_t
);

impl Dir {
    fn stream(self) -> Result<NonNull<libc::DIR>> {
        NonNull::new(get!(self.dir)).ok_or(Errno::EINVAL)
    }

    /// Fills the caller's array. Returns how many entries were read, and their names, terminated,
    /// one after the other.
    fn read(self) -> Result<(usize, alloc::Vec<u8>)> {
        let (room, entries) = (get!(self.nentries), get!(self.dirents));
        // SAFETY: came from `opendir`, and stays open.
        let mut directory = ManuallyDrop::new(unsafe { Directory::from_raw(self.stream()?) });
        let mut names = alloc::vec();
        let mut count = 0;
        while count < room {
            let Some(entry) = directory.next()? else {
                break;
            };
            append(&mut names, &entry)?;
            // SAFETY: the caller promised an array of that many.
            unsafe { (*entries.add(count)).r#type = entry.kind };
            count += 1;
        }
        Ok((count, names))
    }

    /// Points the first `count` entries of the caller's array to their names.
    ///
    /// # Safety
    /// `names` must be that many terminated strings, one after the other.
    unsafe fn set_names(self, count: usize, names: *const c_char) {
        let entries = get!(self.dirents);
        let mut name = names;
        for index in 0..count {
            // SAFETY: the caller of the operation promised an array of that many, and this
            // function's caller that many names.
            unsafe {
                (*entries.add(index)).name = name;
                name = name.add(CStr::from_ptr(name).count_bytes() + 1);
            }
        }
    }
}

impl FsRequest {
    /// Keeps the directory that the operation is about.
    ///
    /// # Safety
    /// `dir` must be null or an open directory.
    unsafe fn keep_dir(self, dir: *mut uv_dir_t) -> Result {
        if dir.is_null() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the caller vouches for the pointer.
        unsafe { Dir::from_ptr(dir) }.stream()?;
        set!(self.ptr = dir.cast());
        Ok(())
    }

    fn dir(self) -> Dir {
        // SAFETY: kept by `keep_dir`; that it stays open is the caller's promise.
        unsafe { Dir::from_ptr(get!(self.ptr).cast()) }
    }
}

pub(super) struct Opendir;

impl Operation for Opendir {
    const KIND: uv_fs_type = UV_FS_OPENDIR;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let directory = Directory::open(request.path())?;
        let memory = alloc::calloc(1, size_of::<uv_dir_t>()).cast::<uv_dir_t>();
        if memory.is_null() {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: new memory of this type.
        unsafe { (*memory).dir = directory.into_raw() };
        set!(request.ptr = memory.cast());
        Ok(0)
    }
}

pub(super) struct Readdir;

impl Operation for Readdir {
    const KIND: uv_fs_type = UV_FS_READDIR;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let dir = request.dir();
        let (count, names) = dir.read()?;
        let block = request.own(into_block(names));
        // SAFETY: `read` made one name for each entry.
        unsafe { dir.set_names(count, block.cast()) };
        Ok(count)
    }
}

pub(super) struct Closedir;

impl Operation for Closedir {
    const KIND: uv_fs_type = UV_FS_CLOSEDIR;

    fn changes(_request: FsRequest) -> bool {
        false
    }

    fn perform(request: FsRequest) -> Result<usize> {
        let dir = request.dir();
        // SAFETY: came from `opendir`, and is not used afterwards.
        drop(unsafe { Directory::from_raw(dir.stream()?) });
        set!(request.ptr = core::ptr::null_mut());
        // SAFETY: allocated by `opendir`.
        unsafe { alloc::free(dir.raw().cast()) };
        Ok(0)
    }
}

// C entry points

/// Makes a directory, as mkdir(2) does.
///
/// Returns 0, or an error such as `UV_EEXIST`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_mkdir>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_mkdir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Mkdir>(r#loop, req, cb, |request| {
            request.set_mode(mode);
            request.keep_path(path)
        })
    }
}

/// Makes a new directory that only its owner may use, as mkdtemp(3) does. `tpl` ends with `XXXXXX`,
/// which is replaced to make the name unique. The name is the string `req->path` until
/// `uv_fs_req_cleanup`.
///
/// Returns 0, or an error: `UV_EINVAL` for another template, `UV_ENOENT`. With a callback only
/// errors that prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_mkdtemp>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_mkdtemp(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    tpl: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Mkdtemp>(r#loop, req, cb, |request| request.keep_template(tpl)) }
}

/// Removes an empty directory, as rmdir(2) does.
///
/// Returns 0, or an error such as `UV_ENOTEMPTY` or `UV_ENOTDIR`. With a callback only errors that
/// prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_rmdir>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_rmdir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Rmdir>(r#loop, req, cb, |request| request.keep_path(path)) }
}

/// Reads all entries of a directory but `.` and `..`. `uv_fs_scandir_next` then gives the entries
/// one by one, sorted by the bytes of their names. `flags` have no meaning yet.
///
/// Returns how many entries there are, or an error such as `UV_ENOTDIR`. With a callback only
/// errors that prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_scandir>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_scandir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    flags: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Scandir>(r#loop, req, cb, |request| {
            request.set_flags(flags);
            request.keep_path(path)
        })
    }
}

/// Gives the next entry that `uv_fs_scandir` found. Its name stays valid until there are no more
/// entries or `uv_fs_req_cleanup` is called. The type is `UV_DIRENT_UNKNOWN` where the file system
/// does not report it.
///
/// Returns 0, `UV_EOF` when there are no more entries, or the error of the request.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_scandir_next>
///
/// # Safety
/// `req` must have been given to `uv_fs_scandir`, and be done; `ent` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_scandir_next(req: *mut uv_fs_t, ent: *mut uv_dirent_t) -> c_int {
    if req.is_null() || ent.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe {
        FsRequest::from_ptr(req)
            .next_entry()
            .map(|entry| ent.write(entry))
    }
    .into_code()
}

/// Opens a directory, to be read in parts. `req->ptr` is a new `uv_dir_t`, which `uv_fs_closedir`
/// releases (`uv_fs_req_cleanup` does not).
///
/// Returns 0, or an error such as `UV_ENOTDIR`. With a callback only errors that prevent the start
/// are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_opendir>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_opendir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Opendir>(r#loop, req, cb, |request| request.keep_path(path)) }
}

/// Reads the next entries of a directory but `.` and `..`, in no order, into the caller's array
/// `dir->dirents` with room for `dir->nentries`. Their names stay valid until `uv_fs_req_cleanup`,
/// which must be called before the directory is closed.
///
/// Returns how many entries were read, 0 at the end, or an error: `UV_EINVAL` if `dir` is no open
/// directory or has no array. With a callback only errors that prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_readdir>
///
/// # Safety
/// The requirements of `uv_fs_open` apply. `dir` must be open, its array in place until the
/// callback, and no other operation on it under way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_readdir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    dir: *mut uv_dir_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Readdir>(r#loop, req, cb, |request| {
            request.keep_dir(dir)?;
            match (*dir).dirents.is_null() {
                true => Err(Errno::EINVAL),
                false => Ok(()),
            }
        })
    }
}

/// Closes a directory and releases the `uv_dir_t`.
///
/// Returns 0, or `UV_EINVAL` when `dir` is no open directory.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_closedir>
///
/// # Safety
/// The requirements of `uv_fs_open` apply. `dir` must be open, and no other operation on it under
/// way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_closedir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    dir: *mut uv_dir_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { start::<Closedir>(r#loop, req, cb, |request| request.keep_dir(dir)) }
}
