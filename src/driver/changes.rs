//! Changes of interest: when they reach the poller, and what happens if it refuses one.
//!
//! They are collected and applied right before the loop polls, so that starting and stopping
//! within one iteration costs no system call.
//!
//! A refusal for lack of memory or space (`ENOMEM`, `ENOSPC`) says nothing about the descriptor.
//! The owner does not learn of it. The change waits for the end of a backoff, and until then the
//! poller keeps what it had before.
//!
//! Any other refusal is final. To the owner of a poll handle it is reported. For other owners
//! poll(2) replaces the poller: it finds what is ready whether or not the poller can. Files, for
//! instance, are always ready, and a sandbox may forbid `epoll_ctl` but allow reads.

use super::dispatch::refuse;
use crate::errors::Errno;
use crate::event_loop::Loop;
use crate::event_loop::io::Io;
use crate::list::local;

impl Loop {
    /// Applies changed interest, and what waited for a backoff that is now over. Returns whether
    /// something was reported to an owner. There may be more to report then.
    pub(super) fn apply_changes(self) -> bool {
        self.end_backoff();
        if self.changed_watchers().is_empty() {
            return false;
        }
        let mut any_reported = false;
        local!(todo);
        self.changed_watchers().take(todo);
        while let Some(io) = todo.pop_front() {
            match self.descriptors(|all| all.apply(io)) {
                Ok(()) => {}
                Err(error) if is_shortage(error) => self.apply_later(io),
                Err(error) => any_reported |= refuse(self, io, error),
            }
        }
        any_reported
    }

    /// Handles an event that `io` has no interest in. If the change of its interest was refused,
    /// such events would not stop. So the watcher is taken out of the poller.
    pub(super) fn ignore_event(self, io: Io) {
        if io.is_changed() && !self.backed_off().is_empty() {
            self.descriptors(|all| all.withdraw(io));
        }
    }
}

fn is_shortage(error: Errno) -> bool {
    error == Errno::ENOMEM || error == Errno::from_system(libc::ENOSPC)
}
