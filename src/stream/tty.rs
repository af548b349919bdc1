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
