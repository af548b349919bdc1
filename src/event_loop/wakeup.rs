//! How a loop is woken that blocks, or does not run.
//!
//! After it has left a message for a loop, a thread wakes the loop. That costs a system call only
//! while the loop is [`BLOCKED`], and only the first thread makes it.
//!
//! # Weak memory
//!
//! The loop writes its state and then looks for messages. A sender writes its message and then looks
//! at the state. A wake-up is lost if both see what was there before. All four are sequentially
//! consistent, which excludes that on every processor:
//!
//! - On x86-64 a write that reads at once is a full barrier, and both writes are of that kind.
//! - On 64-bit ARM a load with acquire (`LDAR`) does not overtake a write with release (`STLR`,
//!   `STLXR` or `SWPAL`) that comes before it on the same thread. On 32-bit ARM a full barrier
//!   (`DMB`) comes between the two.
//! - On POWER a full barrier (`sync`) comes before each of the four.
//! - On s390x a compare-and-swap lets all that comes before it take effect, and then goes on.
//!
//! Release and acquire alone would allow it everywhere, for a write may then wait in its processor
//! while the load goes ahead. `cargo xtask models` tries that.

use core::ffi::c_int;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::sent::Sent;
use crate::abi::uv__queue;
use crate::sys::shared::{self, AtomicI32, AtomicPtr, AtomicU32};
use crate::sys::{fd, process};

/// The loop runs, and delivers its messages before it blocks.
const RUNNING: u32 = 0;
/// The loop blocks or does not run: the sender of a message has to wake it.
const BLOCKED: u32 = 1;
/// The loop blocks or does not run, and a thread has woken it.
const WOKEN: u32 = 2;

/// The state of a loop that the threads sending to it use, all of it atomic. What a worker needs
/// for a completion comes first, close together: each completion moves it between processors.
#[repr(C)]
pub(crate) struct AsyncState {
    /// The stack of the jobs whose completion is due, in the order of `work/completions.rs`.
    completions: AtomicPtr<uv__queue>,
    /// The number of threads that use this at the moment for something else than a handle of the
    /// loop.
    pins: AtomicU32,
    /// [`RUNNING`], [`BLOCKED`] or [`WOKEN`].
    state: AtomicU32,
    /// The eventfd that wakes the loop; −1 for none.
    wakeup_fd: AtomicI32,
    /// The number of forks before the process that the pinning threads belong to.
    forks: AtomicU32,
    sent: Sent,
}

impl AsyncState {
    pub(crate) fn new() -> AsyncState {
        AsyncState {
            completions: AtomicPtr::new(core::ptr::null_mut()),
            pins: AtomicU32::new(0),
            state: AtomicU32::new(BLOCKED),
            wakeup_fd: AtomicI32::new(-1),
            forks: AtomicU32::new(process::forks()),
            sent: Sent::new(),
        }
    }

    /// The stack of the jobs whose completion is due.
    #[inline]
    pub(crate) fn completions(&self) -> &AtomicPtr<uv__queue> {
        &self.completions
    }

    /// Whether a handle was sent and is not collected yet.
    #[inline]
    pub(crate) fn any_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// From here on a message must wake the loop. The caller checks afterwards for earlier
    /// messages. This write must not be delayed beyond that check: see the top of this file.
    #[inline]
    pub(crate) fn begin_blocking(&self) {
        self.state.swap(BLOCKED, SeqCst);
    }

    /// From here on messages need no wake-up. This store need not be ordered with anything. A
    /// sender that sees it late wakes the loop once too often. Or it sees [`WOKEN`] and does not
    /// wake it: the loop checks for messages before it blocks next, after
    /// [`AsyncState::begin_blocking`].
    #[inline]
    pub(crate) fn end_blocking(&self) {
        self.state.store(RUNNING, Relaxed);
    }

    /// On the loop's thread: whether the loop runs, and does not block in its poller.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.state.load(Relaxed) == RUNNING
    }

    /// Makes the loop deliver its messages, unless it does so anyway; returns whether it had to be
    /// woken. Call it after the message is there, from any thread or a signal handler.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        // This load must not come before the message is written: see the top of this file. The
        // exchange decides which of several senders signals.
        let is_first = self.state.load(SeqCst) == BLOCKED
            && self
                .state
                .compare_exchange(BLOCKED, WOKEN, SeqCst, SeqCst)
                .is_ok();
        if is_first {
            fd::eventfd_signal(self.wakeup_fd.load(SeqCst));
        }
        is_first
    }

    /// Runs `work` while the loop must not be closed, not even as a consequence of `work`.
    #[inline]
    pub(crate) fn pin(&self, work: impl FnOnce(&AsyncState)) {
        // Who sees what `work` does sees this as well: `work` writes it later, with release. The
        // decrement releases the use of the loop to the one who waits for it.
        self.pins.fetch_add(1, SeqCst);
        work(self);
        self.pins.fetch_sub(1, SeqCst);
    }

    /// Whether the loop is a parent's, and `uv_loop_fork` was not called.
    pub(crate) fn is_inherited(&self) -> bool {
        let forks = process::forks();
        // Workers write this cache line all the time; most processes need not read it here.
        forks != 0 && self.forks.load(Relaxed) != forks
    }

    /// In a forked child, on the loop's thread: drops the pins of the parent's threads, which the
    /// child does not have. Call it before a thread of the child may pin.
    #[inline]
    pub(crate) fn reset_inherited_pins(&self) {
        if self.is_inherited() {
            self.forks.store(process::forks(), Relaxed);
            self.pins.store(0, SeqCst);
        }
    }

    /// Waits until no thread is within [`AsyncState::pin`]. None may begin any more.
    pub(crate) fn wait_for_pins(&self) {
        self.reset_inherited_pins();
        while self.pins.load(SeqCst) > 0 {
            // SAFETY: takes no arguments.
            unsafe { shared::sched_yield() };
        }
    }

    /// Sets the eventfd that wakes the loop.
    pub(crate) fn set_wakeup_fd(&self, fd: c_int) {
        self.wakeup_fd.store(fd, SeqCst);
    }

    /// Puts a handle's link on the stack of those that were sent.
    ///
    /// # Safety
    /// The link must be live until it is taken, and belong to the caller.
    #[inline]
    pub(crate) unsafe fn push_sent(&self, link: *mut uv__queue) {
        // SAFETY: the caller vouches for the link.
        unsafe { self.sent.push(link) };
    }

    /// Takes the links of all handles that were sent, the last one first.
    ///
    /// # Safety
    /// Until all links were iterated over, they must be live. A link must not be touched before
    /// the iterator returns it.
    #[inline]
    pub(crate) unsafe fn take_sent(&self) -> impl Iterator<Item = *mut uv__queue> {
        // SAFETY: the caller vouches for the links.
        unsafe { self.sent.take() }
    }

    /// In a forked child: drops what was sent, which was for the parent.
    pub(crate) fn reset_after_fork(&self) {
        self.sent.clear();
        self.reset_inherited_pins();
    }

    /// In a forked child, after it got an eventfd of its own: a wake-up of the parent's loop went
    /// to the old one, and does not count.
    pub(crate) fn reset_wake_after_fork(&self) {
        let _ = self.state.compare_exchange(WOKEN, BLOCKED, SeqCst, SeqCst);
    }
}
