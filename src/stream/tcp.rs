//! Tcp.

use crate::abi::*;
use crate::view::view;

view!(
    /// Tcp.
    Tcp => uv_tcp_t
);

impl Tcp {
    pub(crate) fn close(self) {}
}
