//! The signals that were caught for a loop's handles.

use crate::abi::uv__queue;
use crate::list;

/// A loop's handles for which a signal was caught that is not delivered yet.
pub(crate) struct Caught {
    pub(super) handles: uv__queue,
    /// How many callbacks are due.
    pub(super) count: usize,
}

impl Caught {
    pub(crate) fn new() -> Caught {
        Caught {
            handles: list::head(),
            count: 0,
        }
    }
}
