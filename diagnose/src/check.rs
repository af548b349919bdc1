//! Finds mistakes of the program.

use core::ffi::c_void;

use crate::events::Event;

/// Reads the variable; returns whether the instrument is in use.
pub(crate) fn start() -> bool {
    false
}

/// Takes an event.
pub(crate) fn report(_event: Event, _what: u32, _object: *const c_void, _detail: usize) {}
