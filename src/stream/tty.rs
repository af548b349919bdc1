//! Tty.

use crate::abi::*;
use crate::view::view;

view!(
    /// Tty.
    Tty => uv_tty_t
);

impl Tty {
    pub(crate) fn close(self) {}
}

/// What kind of handle a descriptor would make.
pub(crate) fn guess_handle(_fd: std::ffi::c_int) -> uv_handle_type {
    UV_UNKNOWN_HANDLE
}
