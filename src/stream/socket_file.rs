//! The file that a Unix domain socket's name is.
//!
//! Anybody may remove or replace it while the socket is open, and a relative path leads elsewhere
//! once the working directory is another one. So what file it was right after the bind is
//! remembered, and a file that is another one is not touched. Where a sandbox refuses to tell what
//! a file is, every socket that the path leads to counts as this one.

use core::ffi::{CStr, c_char};
use core::fmt::Write;

use crate::alloc;
use crate::errors::{Errno, Result};
use crate::sys::stat::{Target, status_by_stat};
use crate::sys::{fd, file, path};
use crate::text::Text;

/// The longest path that is a name fills an address; a terminator follows.
const LENGTH: usize = 108 + 1;

/// A socket's file: where it is, and which one. The handle's `pipe_fname` points to it, and so to
/// the path.
#[repr(C)]
pub(super) struct SocketFile {
    path: [c_char; LENGTH],
    /// Device and inode, if known. The open socket keeps the inode's number from being used again.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    /// The file at a path of at most 108 bytes, whichever it is.
    pub(super) fn at(path: &[u8]) -> SocketFile {
        let mut file = SocketFile {
            path: [0; LENGTH],
            identity: None,
        };
        for (to, from) in file.path[..LENGTH - 1].iter_mut().zip(path) {
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

    /// Remembers which file it is, right after a bind has made it.
    pub(super) fn identify(&mut self) {
        self.identity = found(Target::Link(self.path())).ok().map(|it| it.identity);
    }

    /// What the target is, if it is this file.
    fn own(&self, target: Target<'_>) -> Result<Found> {
        let found = found(target)?;
        match self.identity {
            Some(identity) if identity != found.identity => Err(Errno::ENOENT),
            _ => Ok(found),
        }
    }

    /// Removes it, unless it is gone or another file has its place.
    pub(super) fn remove(&self) {
        let is_gone = matches!(
            self.own(Target::Link(self.path())),
            Err(Errno::ENOENT | Errno::ENOTDIR)
        );
        if !is_gone {
            let _ = path::unlink(self.path());
        }
    }

    /// Adds to its permissions, and clears what else there is in its mode.
    pub(super) fn allow(&self, wanted: libc::mode_t) -> Result {
        // Held open, it is the same file from one call to the next.
        let Ok(held) = file::open(self.path(), libc::O_PATH | libc::O_NOFOLLOW, 0) else {
            return self.allow_by(self.path(), Target::Link(self.path()), wanted);
        };
        let mut path = Text::<32>::new();
        let _ = write!(path, "/proc/self/fd/{held}");
        let result = match self.allow_by(path.as_c_str(), Target::Descriptor(held), wanted) {
            // No /proc, or what it tells of this process is for root only.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {
                self.allow_by(self.path(), Target::Link(self.path()), wanted)
            }
            result => result,
        };
        fd::close_quietly(held);
        result
    }

    /// The same by a path that leads to the target.
    fn allow_by(&self, path: &CStr, target: Target<'_>, wanted: libc::mode_t) -> Result {
        let mode = self.own(target)?.mode;
        let new_mode = mode & 0o777 | wanted;
        if new_mode == mode & 0o7777 {
            return Ok(());
        }
        path::chmod(path, new_mode)
    }
}

/// A socket's file as it was found.
struct Found {
    identity: (u64, u64),
    mode: libc::mode_t,
}

/// What there is, where that is a socket.
fn found(target: Target<'_>) -> Result<Found> {
    // Not the newer call, which more sandboxes refuse.
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
