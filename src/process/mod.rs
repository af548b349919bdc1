//! Child processes.

use crate::abi::*;
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::view::view;

view!(
    /// A child process.
    Process => uv_process_t
);

impl Process {
    pub(crate) fn close(self) {}
}

pub(crate) fn loop_init(_on: Loop) -> Result {
    Ok(())
}
