//! What the signal handler has for a loop.

use crate::abi::uv__queue;
use crate::list;

/// A loop's handles for which something was caught that they have not been called for.
pub(crate) struct Caught {
    pub(super) handles: uv__queue,
    /// How many calls are due.
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
