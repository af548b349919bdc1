//! Watching files and directories for changes.

use crate::abi::*;
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::view::view;

view!(
    /// A file system event handle.
    FsEvent => uv_fs_event_t
);

impl FsEvent {
    pub(crate) fn close(self) {}
}

pub(crate) fn on_readable(_on: Loop) {}
pub(crate) fn loop_cleanup(_on: Loop) {}
pub(crate) fn loop_fork(_on: Loop) -> Result {
    Ok(())
}
