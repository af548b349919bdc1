//! Signals.

use crate::abi::*;
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::view::view;

view!(
    /// A signal watcher.
    Signal => uv_signal_t
);

impl Signal {
    pub(crate) fn close(self) {}

    /// Whether every signal that was caught for the handle has been dispatched.
    pub(crate) fn may_finish_close(self) -> bool {
        true
    }
}

/// Before the loop has any signal handle.
pub(crate) fn loop_init(_on: Loop) -> Result {
    Ok(())
}
pub(crate) fn loop_cleanup(_on: Loop) {}
pub(crate) fn loop_fork(_on: Loop) -> Result {
    Ok(())
}
/// The loop's signal descriptor is readable.
pub(crate) fn on_readable(_on: Loop) {}
