//! The file of a Unix domain socket.
//!
//! Other programs may remove or replace it while the socket is open, and a relative path leads
//! elsewhere once the working directory changes. So the identity of the file is recorded right
//! after the bind, and any other file is left alone. Where a sandbox refuses to query the file,
//! every socket that the path leads to counts as this one.

use core::ffi::{CStr, c_char};
use core::fmt::Write;

use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::stat::{Target, status_by_stat};
use crate::sys::{file, path};
use crate::text::Text;

/// The size of a path, in bytes: the longest one fills an address, and a terminator follows.
const PATH_BYTES: usize = 108 + 1;

/// A socket's file: where it is, and which one. The handle's `pipe_fname` points to it, and so to
/// the path.
#[repr(C)]
pub(super) struct SocketFile {
    path: [c_char; PATH_BYTES],
    /// Device and inode, if known. The open socket keeps the inode's number from being used again.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    /// The file at a path of at most 108 bytes, whatever file it is.
    pub(super) fn at(path: &[u8]) -> SocketFile {
        let mut file = SocketFile {
            path: [0; PATH_BYTES],
            identity: None,
        };
        for (to, from) in file.path[..PATH_BYTES - 1].iter_mut().zip(path) {
            *to = *from as c_char;
        }
        file
    }

    pub(super) fn into_raw(file: alloc::Box<SocketFile>) -> *const c_char {
        alloc::Box::into_raw(file).cast_const().cast()
    }

    /// # Safety
    /// `path` must come from `into_raw`, and not be used afterwards.
    pub(super) unsafe fn from_raw(path: *const c_char) -> alloc::Box<SocketFile> {
        // SAFETY: the caller vouches for the pointer.
        unsafe { alloc::Box::from_raw_in(path.cast_mut().cast(), alloc::Heap) }
    }

    fn path(&self) -> &CStr {
        // SAFETY: the last byte is zero at the latest.
        unsafe { CStr::from_ptr(self.path.as_ptr()) }
    }

    /// Records the file's identity, right after a bind has made it.
    pub(super) fn identify(&mut self) {
        self.identity = found(Target::Link(self.path())).ok().map(|it| it.identity);
    }

    /// Queries the target; `UV_ENOENT` if it is another file.
    fn own(&self, target: Target<'_>) -> Result<Found> {
        let found = found(target)?;
        match self.identity {
            Some(identity) if identity != found.identity => Err(Errno::ENOENT),
            _ => Ok(found),
        }
    }

    /// Removes the file, unless it is gone or was replaced by another one.
    pub(super) fn remove(&self) {
        let is_gone = matches!(
            self.own(Target::Link(self.path())),
            Err(Errno::ENOENT | Errno::ENOTDIR)
        );
        if !is_gone {
            let _ = path::unlink(self.path());
        }
    }

    /// Adds to the file's permissions, and clears the other bits of its mode.
    pub(super) fn allow(&self, wanted: libc::mode_t) -> Result {
        // An open descriptor stays on one file from one call to the next.
        let Ok(file) = file::open(self.path(), libc::O_PATH | libc::O_NOFOLLOW, 0) else {
            return self.allow_by(self.path(), Target::Link(self.path()), wanted);
        };
        let mut path = Text::<32>::new();
        let _ = write!(path, "/proc/self/fd/{}", file.raw());
        match self.allow_by(path.as_c_str(), Target::Descriptor(file.raw()), wanted) {
            // There is no /proc, or only root may use it for this process.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {
                self.allow_by(self.path(), Target::Link(self.path()), wanted)
            }
            result => result,
        }
    }

    /// Adds permissions by a path that leads to the target.
    fn allow_by(&self, path: &CStr, target: Target<'_>, wanted: libc::mode_t) -> Result {
        let mode = self.own(target)?.mode;
        let new_mode = mode & 0o777 | wanted;
        if new_mode == mode & 0o7777 {
            return Ok(());
        }
        path::chmod(path, new_mode)
    }
}

/// The status of a socket's file.
struct Found {
    identity: (u64, u64),
    mode: libc::mode_t,
}

/// Queries a file, which must be a socket; `UV_ENOENT` otherwise.
fn found(target: Target<'_>) -> Result<Found> {
    // Not by statx, which more sandboxes refuse.
    let status = status_by_stat(target)?;
    let mode = status.st_mode as libc::mode_t;
    if mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(Errno::ENOENT);
    }
    Ok(Found {
        identity: (status.st_dev, status.st_ino),
        mode,
    })
}
