//! Pipe.

use crate::abi::*;
use crate::view::view;

view!(
    /// Pipe.
    Pipe => uv_pipe_t
);

impl Pipe {
    pub(crate) fn close(self) {}
}
