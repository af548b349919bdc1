//! Changes of interest: how the poller comes to know them, and what happens where it refuses.
//!
//! They are collected and applied right before the loop polls, so that starting and stopping within
//! one iteration costs nothing.
//!
//! A refusal for want of memory or room (`ENOMEM`, `ENOSPC`) says nothing about the descriptor: no
//! owner hears of it, the change waits for the end of a backoff, and until then what the poller knew
//! before stays in force. Any other refusal is final. The owner of a poll handle is told; for the
//! others there is poll(2), which knows what is ready whether the poller does or not: files always
//! are, and a sandbox may forbid to watch what it does not forbid to use.

use super::dispatch::refuse;
use crate::errors::Errno;
use crate::event_loop::Loop;
use crate::event_loop::io::Io;
use crate::list::{self, List};

impl Loop {
    /// Has the poller know what changed, and what waited for the end of a backoff that is over. Says
    /// whether an owner was told of something; there may be more to tell then.
    pub(super) fn apply_changes(self) -> bool {
        self.end_backoff();
        if self.changed_watchers().is_empty() {
            return false;
        }
        let mut any_told = false;
        let mut local = list::head();
        // SAFETY: `local` outlives the walk, which leaves it empty.
        let todo = unsafe { List::from_ptr(&raw mut local) };
        self.changed_watchers().take(todo);
        while let Some(link) = todo.pop_front() {
            let io = Io::from_changed_link(link);
            match self.descriptors(|all| all.apply(io)) {
                Ok(()) => {}
                Err(error) if is_shortage(error) => self.apply_later(io),
                Err(error) => any_told |= refuse(self, io, error),
            }
        }
        any_told
    }

    /// There was an event that `io` has no interest in. If that is because its change was refused,
    /// there would be no end of them.
    pub(super) fn ignore_event(self, io: Io) {
        if io.is_changed() && !self.backed_off().is_empty() {
            self.descriptors(|all| all.withdraw(io));
        }
    }
}

fn is_shortage(error: Errno) -> bool {
    error == Errno::ENOMEM || error == Errno::from_system(libc::ENOSPC)
}
