//! How a loop is called that sleeps, or does not run.
//!
//! Whoever has a message for a loop calls it afterwards. Only while the loop is [`ASLEEP`] does that
//! cost a system call, and only the first one makes it.

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

use super::sent::Sent;
use crate::abi::uv__queue;
use crate::sys::{fd, process};

/// The loop runs, and will look at its messages before it sleeps.
const AWAKE: u32 = 0;
/// The loop sleeps or does not run: whoever has a message for it has to call it.
const ASLEEP: u32 = 1;
/// The same, but somebody has called it.
const CALLED: u32 = 2;

/// What the senders of a loop share.
pub(crate) struct AsyncState {
    sent: Sent,
    /// The descriptor to write to.
    wakeup_fd: AtomicI32,
    /// [`AWAKE`], [`ASLEEP`] or [`CALLED`].
    sleep: AtomicU32,
    /// Threads that use this at the moment for something else than a handle of the loop.
    holders: AtomicU32,
    /// The forks before the process that these are threads of.
    forks: AtomicU32,
}

impl AsyncState {
    pub(crate) fn new() -> AsyncState {
        AsyncState {
            sent: Sent::new(),
            wakeup_fd: AtomicI32::new(-1),
            sleep: AtomicU32::new(ASLEEP),
            holders: AtomicU32::new(0),
            forks: AtomicU32::new(process::forks()),
        }
    }

    /// Whether a handle was sent and is not collected yet.
    #[inline]
    pub(crate) fn any_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// From here on a message needs a call. What was there before must be looked for afterwards.
    #[inline]
    pub(crate) fn fall_asleep(&self) {
        self.sleep.swap(ASLEEP, SeqCst);
    }

    /// From here on messages are seen without a call. Who sees that late calls once too often, or,
    /// seeing that somebody has called, not at all: there is a look at the messages before the next
    /// sleep, after [`AsyncState::fall_asleep`]. So this need not be ordered with anything.
    #[inline]
    pub(crate) fn wake_up(&self) {
        self.sleep.store(AWAKE, Relaxed);
    }

    /// On the loop's thread: whether the loop runs, and is not in its poller.
    #[inline]
    pub(crate) fn is_awake(&self) -> bool {
        self.sleep.load(Relaxed) == AWAKE
    }

    /// Makes the loop look at its messages, unless it does so anyway. To be called after there is
    /// one; from any thread, and from signal handlers.
    #[inline]
    pub(crate) fn call(&self) {
        if self.sleep.load(SeqCst) == ASLEEP
            && self
                .sleep
                .compare_exchange(ASLEEP, CALLED, SeqCst, SeqCst)
                .is_ok()
        {
            fd::eventfd_signal(self.wakeup_fd.load(SeqCst));
        }
    }

    /// Does something that the loop must not be closed meanwhile for, not even as a consequence.
    #[inline]
    pub(crate) fn hold(&self, work: impl FnOnce(&AsyncState)) {
        self.holders.fetch_add(1, SeqCst);
        work(self);
        self.holders.fetch_sub(1, SeqCst);
    }

    /// Whether the loop is a parent's, and `uv_loop_fork` was not called.
    pub(crate) fn is_inherited(&self) -> bool {
        self.forks.load(Relaxed) != process::forks()
    }

    /// In a forked child, on the loop's thread: the parent's threads that were within
    /// [`AsyncState::hold`] are not in the child. To be called before one of the child's may begin.
    #[inline]
    pub(crate) fn forget_lost_holders(&self) {
        if self.is_inherited() {
            self.forks.store(process::forks(), Relaxed);
            self.holders.store(0, SeqCst);
        }
    }

    /// Waits for those that are within [`AsyncState::hold`]; nobody may begin any more.
    pub(crate) fn wait_for_holders(&self) {
        self.forget_lost_holders();
        while self.holders.load(SeqCst) > 0 {
            // SAFETY: takes no arguments.
            unsafe { libc::sched_yield() };
        }
    }

    /// The descriptor by which the loop is called.
    pub(crate) fn set_wakeup_fd(&self, fd: c_int) {
        self.wakeup_fd.store(fd, SeqCst);
    }

    /// Puts a handle's link on the stack of those that were sent.
    ///
    /// # Safety
    /// As `Sent::push`.
    #[inline]
    pub(crate) unsafe fn push_sent(&self, link: *mut uv__queue) {
        // SAFETY: the caller vouches for the link.
        unsafe { self.sent.push(link) };
    }

    /// Takes the links of all handles that were sent, the last one first.
    ///
    /// # Safety
    /// As `Sent::take`.
    #[inline]
    pub(crate) unsafe fn take_sent(&self) -> impl Iterator<Item = *mut uv__queue> {
        // SAFETY: the caller vouches for the links.
        unsafe { self.sent.take() }
    }

    /// In a forked child: what was sent was for the parent.
    pub(crate) fn reset_after_fork(&self) {
        self.sent.clear();
        self.forget_lost_holders();
    }

    /// In a forked child, once it has an eventfd of its own: who called the parent's loop wrote to
    /// the old one.
    pub(crate) fn forget_call(&self) {
        let _ = self.sleep.compare_exchange(CALLED, ASLEEP, SeqCst, SeqCst);
    }
}
