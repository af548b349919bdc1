//! UDP sockets.

use crate::abi::*;
use crate::view::view;

view!(
    /// A UDP socket.
    Udp => uv_udp_t
);

impl Udp {
    pub(crate) fn close(self) {}
    /// Gives the handle its socket.
    pub(crate) fn open(self, _fd: std::ffi::c_int) -> crate::errors::Result {
        Ok(())
    }
    pub(crate) fn on_io(self, _readiness: u32) {}
    pub(crate) fn finish_close(self) {}
}
