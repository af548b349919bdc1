//! What an operation is: each theme's file has some.

use core::ffi::c_int;

use super::request::FsRequest;
use crate::abi::*;
use crate::errors::Result;
use crate::sys::stat::Target;

/// What the requests of one kind do.
pub(super) trait Operation {
    const KIND: uv_fs_type;

    /// Whether it may change what other operations see. Until it is done, none of these is inline.
    fn changes(_request: FsRequest) -> bool {
        true
    }

    /// Does it in the calling thread, for as long as that takes.
    fn perform(request: FsRequest) -> Result<usize>;

    /// What an inline attempt would look at; none for operations that are never inline. Asks the
    /// system nothing.
    fn inline_target<'a>(_request: FsRequest) -> Option<Target<'a>> {
        None
    }

    /// Does it in the loop's thread, without waiting for anything; `None` leaves it to the pool.
    fn try_inline(_request: FsRequest, _file: &LocalFile) -> Option<Result<usize>> {
        None
    }

    /// Takes back what [`Operation::try_inline`] did, before the callback.
    fn undo(_request: FsRequest) {}
}

/// A file of a local file system, with what the kernel has in memory of it.
pub(super) struct LocalFile {
    /// Closed by whoever made this.
    pub(super) fd: c_int,
    pub(super) stat: uv_stat_t,
}

impl LocalFile {
    pub(super) fn is(&self, kind: libc::mode_t) -> bool {
        self.stat.st_mode & u64::from(libc::S_IFMT) == u64::from(kind)
    }
}
