//! A loop's state for checking its processes.

use crate::abi::uv_timer_t;
use crate::zeroed::zeroed;

/// The state for finding out which processes have ended, beside the loop's list of them.
pub(crate) struct ExitCheck {
    /// Has the processes queried. It is in no list of handles, so programs cannot see it.
    pub(super) timer: uv_timer_t,
    /// When a loop that does not block checks again whether the handler of `SIGCHLD` is the
    /// library's, in milliseconds.
    pub(super) next_check_ms: u64,
}

impl ExitCheck {
    pub(crate) const fn new() -> ExitCheck {
        ExitCheck {
            timer: zeroed(),
            next_check_ms: 0,
        }
    }
}
