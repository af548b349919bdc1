//! What a loop remembers of its processes.

use core::mem::MaybeUninit;

use crate::abi::uv_timer_t;

/// What a loop has beside its list of processes.
pub(crate) struct ExitCheck {
    /// Has the processes looked at. In no list of handles: programs know nothing of it.
    pub(super) timer: MaybeUninit<uv_timer_t>,
    /// When a loop that does not wait asks again whose `SIGCHLD` is, in milliseconds.
    pub(super) next_check: u64,
}

impl ExitCheck {
    pub(crate) const fn new() -> ExitCheck {
        ExitCheck {
            timer: MaybeUninit::zeroed(),
            next_check: 0,
        }
    }
}
