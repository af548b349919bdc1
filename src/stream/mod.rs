//! Streams.

pub(crate) mod pipe;
pub(crate) mod tcp;
pub(crate) mod tty;

use crate::abi::*;
use crate::view::view;

view!(
    /// A stream.
    Stream => uv_stream_t
);

impl Stream {
    pub(crate) fn on_io(self, _readiness: u32) {}
    pub(crate) fn finish_close(self) {}
}
