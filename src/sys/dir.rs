//! Reading directories.

use core::ffi::{CStr, c_int};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::{fd, large, retry, typed};
use crate::abi::*;
use crate::errors::{Errno, Result, set_errno};

/// An open directory.
pub(crate) struct Directory(NonNull<libc::DIR>);

/// An entry of a directory, which is valid until the next one is read.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a CStr,
    pub(crate) kind: uv_dirent_type_t,
}

impl Directory {
    pub(crate) fn open(path: &CStr) -> Result<Directory> {
        let stream = NonNull::new(typed::opendir(path)).ok_or_else(Errno::last)?;
        Directory(stream).own()
    }

    /// Makes sure that the descriptor is above the standard ones, as [`fd::own`] does.
    fn own(self) -> Result<Directory> {
        let current = self.fd();
        if current > libc::STDERR_FILENO {
            return Ok(self);
        }
        let other = fd::duplicate(current, libc::STDERR_FILENO + 1)?;
        other.give(Directory::from_fd)
    }

    /// Opens a path that is relative to another directory, whose descriptor is `parent`. `flags`
    /// are added to the usual ones of `openat`.
    pub(crate) fn open_at(parent: c_int, path: &CStr, flags: c_int) -> Result<Directory> {
        let flags = flags | libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_NONBLOCK;
        retry(|| typed::openat(parent, path, flags, 0))
            .and_then(fd::own)?
            .give(Directory::from_fd)
    }

    /// Makes a descriptor the directory's own, if this succeeds.
    fn from_fd(fd: c_int) -> Result<Directory> {
        let stream = NonNull::new(typed::fdopendir(fd));
        stream.map(Directory).ok_or_else(Errno::last)
    }

    pub(crate) fn fd(&self) -> c_int {
        // SAFETY: an open stream.
        unsafe { libc::dirfd(self.0.as_ptr()) }
    }

    /// The directory as libc's stream, to be taken back with [`Directory::from_raw`].
    pub(crate) fn into_raw(self) -> *mut libc::DIR {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// # Safety
    /// `stream` must come from [`Directory::into_raw`], and have no other owner.
    pub(crate) unsafe fn from_raw(stream: NonNull<libc::DIR>) -> Directory {
        Directory(stream)
    }

    /// The next entry but `.` and `..`; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>> {
        loop {
            // Only errno distinguishes the end from an error.
            set_errno(0);
            // SAFETY: an open stream, which no other code uses at the same time.
            let entry = unsafe { large::readdir(self.0.as_ptr()) };
            if entry.is_null() {
                return match Errno::last() {
                    error if error.code() == 0 => Ok(None),
                    error => Err(error),
                };
            }
            // SAFETY: valid until the next call on this stream, which needs `self`; the name is
            // terminated, and may be longer than its declaration says.
            let (name, kind) = unsafe {
                let name = CStr::from_ptr((&raw const (*entry).d_name).cast());
                (name, (*entry).d_type)
            };
            if name != c"." && name != c".." {
                return Ok(Some(Entry {
                    name,
                    kind: to_uv(kind),
                }));
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: an open stream, not used afterwards.
        unsafe { libc::closedir(self.0.as_ptr()) };
    }
}

fn to_uv(kind: u8) -> uv_dirent_type_t {
    match kind {
        libc::DT_REG => UV_DIRENT_FILE,
        libc::DT_DIR => UV_DIRENT_DIR,
        libc::DT_LNK => UV_DIRENT_LINK,
        libc::DT_FIFO => UV_DIRENT_FIFO,
        libc::DT_SOCK => UV_DIRENT_SOCKET,
        libc::DT_CHR => UV_DIRENT_CHAR,
        libc::DT_BLK => UV_DIRENT_BLOCK,
        _ => UV_DIRENT_UNKNOWN,
    }
}
