//! How a loop is called that sleeps, or does not run.
//!
//! Whoever has a message for a loop calls it afterwards. Only while the loop is [`BLOCKED`] does that
//! cost a system call, and only the first one makes it.

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

use super::sent::Sent;
use crate::abi::uv__queue;
use crate::sys::{fd, process};

/// The loop runs, and will look at its messages before it sleeps.
const RUNNING: u32 = 0;
/// The loop sleeps or does not run: whoever has a message for it has to call it.
const BLOCKED: u32 = 1;
/// The same, but somebody has called it.
const WOKEN: u32 = 2;

/// What the senders of a loop share.
pub(crate) struct AsyncState {
    sent: Sent,
    /// The descriptor to write to.
    wakeup_fd: AtomicI32,
    /// [`RUNNING`], [`BLOCKED`] or [`WOKEN`].
    state: AtomicU32,
    /// Threads that use this at the moment for something else than a handle of the loop.
    pins: AtomicU32,
    /// The forks before the process that these are threads of.
    forks: AtomicU32,
}

impl AsyncState {
    pub(crate) fn new() -> AsyncState {
        AsyncState {
            sent: Sent::new(),
            wakeup_fd: AtomicI32::new(-1),
            state: AtomicU32::new(BLOCKED),
            pins: AtomicU32::new(0),
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
    pub(crate) fn begin_blocking(&self) {
        self.state.swap(BLOCKED, SeqCst);
    }

    /// From here on messages are seen without a call. Who sees that late calls once too often, or,
    /// seeing that somebody has called, not at all: there is a look at the messages before the next
    /// sleep, after [`AsyncState::begin_blocking`]. So this need not be ordered with anything.
    #[inline]
    pub(crate) fn end_blocking(&self) {
        self.state.store(RUNNING, Relaxed);
    }

    /// On the loop's thread: whether the loop runs, and is not in its poller.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.state.load(Relaxed) == RUNNING
    }

    /// Makes the loop look at its messages, unless it does so anyway. To be called after there is
    /// one; from any thread, and from signal handlers.
    #[inline]
    pub(crate) fn wake(&self) {
        if self.state.load(SeqCst) == BLOCKED
            && self
                .state
                .compare_exchange(BLOCKED, WOKEN, SeqCst, SeqCst)
                .is_ok()
        {
            fd::eventfd_signal(self.wakeup_fd.load(SeqCst));
        }
    }

    /// Does something that the loop must not be closed meanwhile for, not even as a consequence.
    #[inline]
    pub(crate) fn pin(&self, work: impl FnOnce(&AsyncState)) {
        self.pins.fetch_add(1, SeqCst);
        work(self);
        self.pins.fetch_sub(1, SeqCst);
    }

    /// Whether the loop is a parent's, and `uv_loop_fork` was not called.
    pub(crate) fn is_inherited(&self) -> bool {
        self.forks.load(Relaxed) != process::forks()
    }

    /// In a forked child, on the loop's thread: the parent's threads that were within
    /// [`AsyncState::pin`] are not in the child. To be called before one of the child's may begin.
    #[inline]
    pub(crate) fn forget_inherited_pins(&self) {
        if self.is_inherited() {
            self.forks.store(process::forks(), Relaxed);
            self.pins.store(0, SeqCst);
        }
    }

    /// Waits for those that are within [`AsyncState::pin`]; nobody may begin any more.
    pub(crate) fn wait_for_pins(&self) {
        self.forget_inherited_pins();
        while self.pins.load(SeqCst) > 0 {
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
        self.forget_inherited_pins();
    }

    /// In a forked child, once it has an eventfd of its own: who called the parent's loop wrote to
    /// the old one.
    pub(crate) fn forget_wake(&self) {
        let _ = self.state.compare_exchange(WOKEN, BLOCKED, SeqCst, SeqCst);
    }
}
