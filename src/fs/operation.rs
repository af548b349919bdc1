//! The trait of all operations; their types are beside their entry points.

use core::ffi::c_int;

use super::request::FsRequest;
use crate::abi::*;
use crate::errors::Result;
use crate::sys::stat::Target;

/// The operation of one kind of requests.
pub(super) trait Operation {
    const KIND: uv_fs_type;

    /// Whether it may change what other operations see. No operation is inline until it is done.
    fn changes(_request: FsRequest) -> bool {
        true
    }

    /// Does it in the calling thread, and may block.
    fn perform(request: FsRequest) -> Result<usize>;

    /// The file that an inline attempt needs; `None` for an operation that is never inline. Makes
    /// no system call.
    fn inline_target<'a>(_request: FsRequest) -> Option<Target<'a>> {
        None
    }

    /// Does it in the loop's thread without blocking; `None` leaves it to the pool.
    fn try_inline(_request: FsRequest, _file: &LocalFile) -> Option<Result<usize>> {
        None
    }
}

/// A file of a local file system, with the status that the kernel has in memory.
pub(super) struct LocalFile {
    /// Closed by the code that made this value.
    pub(super) fd: c_int,
    pub(super) stat: uv_stat_t,
}

impl LocalFile {
    pub(super) fn is(&self, kind: libc::mode_t) -> bool {
        self.stat.st_mode & u64::from(libc::S_IFMT) == u64::from(kind)
    }
}
