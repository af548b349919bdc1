//! Watching a path by looking at it in intervals.

use crate::abi::*;
use crate::view::view;

view!(
    /// A path watcher.
    FsPoll => uv_fs_poll_t
);

impl FsPoll {
    pub(crate) fn close(self) {}
}
