//! Signal handles: signals are delivered from the loop.
//!
//! A started handle is in the process's registry ([`registry`]). The signal handler counts what it
//! catches and wakes the loops of the handles. Each loop then calls a handle once for each signal
//! caught. Any number of handles, in any number of loops, may wait for one signal. When none is
//! left, the signal's default action is restored.
//!
//! A loop is woken through an eventfd. It is opened with the loop, since a program may forbid
//! itself new descriptors before it watches for its first signal. It is not a handle, so it does
//! not keep the loop alive.
//!
//! <https://docs.libuv.org/en/v1.x/signal.html>

pub(crate) mod caught;
mod registry;

use core::ffi::c_int;

use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::Watcher;
use crate::handle::{Handle, downcast, flags};
use crate::observe::call_back;
use crate::sys::fd;
use crate::sys::signal::LARGEST_SIGNAL;
use crate::view::{get, set, upcast, view};

view!(
    /// A signal handle.
    Signal => uv_signal_t
);

impl Signal {
    upcast!(handle: Handle);
    downcast!(of: UV_SIGNAL);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<Signal> {
        self.handle().expect(UV_SIGNAL).map(|()| self)
    }

    pub(crate) fn event_loop(self) -> Loop {
        self.handle().event_loop()
    }

    fn init(self, event_loop: Loop) {
        self.handle().init(event_loop, UV_SIGNAL);
        set!(self.signum = 0);
        set!(self.signal_cb = None);
        registry::init(self);
    }

    /// Initialises a handle of the library's own: it is not visible to the program and does not
    /// keep the loop alive.
    pub(crate) fn init_internal(self, event_loop: Loop) {
        self.init(event_loop);
        self.handle().unreference();
        self.handle().add(flags::INTERNAL);
    }

    pub(crate) fn start(self, callback: uv_signal_cb, signum: c_int, is_one_shot: bool) -> Result {
        let handle = self.handle();
        if handle.is_closing() || !(1..=LARGEST_SIGNAL as c_int).contains(&signum) {
            return Err(Errno::EINVAL);
        }
        let is_unchanged = get!(self.signum) == signum && self.is_one_shot() == is_one_shot;
        if handle.is_active() && is_unchanged {
            // Signals caught already are delivered to the new callback.
            set!(self.signal_cb = callback);
            return Ok(());
        }
        self.stop();
        listen(self.event_loop())?;
        registry::add(self, signum, is_one_shot)?;
        handle.clear(flags::SIGNAL_ONE_SHOT);
        if is_one_shot {
            handle.add(flags::SIGNAL_ONE_SHOT);
        }
        set!(self.signum = signum);
        set!(self.signal_cb = callback);
        handle.start();
        Ok(())
    }

    fn is_one_shot(self) -> bool {
        self.handle().has(flags::SIGNAL_ONE_SHOT)
    }

    pub(crate) fn stop(self) {
        if self.handle().is_active() {
            registry::remove(self, get!(self.signum));
            self.handle().stop();
        }
        set!(self.signum = 0);
    }

    /// Drops signals that were caught and not delivered yet.
    pub(crate) fn forget_caught(self) {
        registry::forget(self);
    }

    pub(crate) fn close(self) {
        self.stop();
    }

    fn deliver(self) {
        let signum = get!(self.signum);
        if self.is_one_shot() {
            // The registry has removed the handle when the signal was caught.
            self.handle().stop();
        }
        self.invoke(signum);
    }

    fn invoke(self, signum: c_int) {
        if let Some(callback) = get!(self.signal_cb) {
            // SAFETY: the user's callback gets the handle it was registered for, which nothing
            // here touches afterwards.
            unsafe { call_back!(Signal: callback(self.raw(), signum)) }
        }
    }
}

/// Calls `work` for each signal handle of the loop.
fn for_each(event_loop: Loop, mut work: impl FnMut(Signal)) {
    event_loop
        .handles()
        .iter()
        .filter_map(Signal::of)
        .for_each(&mut work);
}

/// Whether this library's handler catches the signal: other code may install another one.
pub(crate) fn is_installed(signum: c_int) -> bool {
    registry::is_installed(signum)
}

/// Whether the program watches for the signal in this loop.
pub(crate) fn is_watched(event_loop: Loop, signum: c_int) -> bool {
    let mut is_watched = false;
    for_each(event_loop, |signal| {
        is_watched |= get!(signal.signum) == signum && !signal.handle().has(flags::INTERNAL);
    });
    is_watched
}

/// Prepares a loop that has no signal handle yet.
pub(crate) fn loop_init(event_loop: Loop) -> Result {
    registry::loop_init(event_loop);
    set!(event_loop.signal_pipefd = [-1, -1]);
    event_loop.signal_watcher().init(Watcher::Signal, -1);
    open_wakeup(event_loop)
}

/// Opens the loop's eventfd, unless it is open.
fn open_wakeup(event_loop: Loop) -> Result {
    if let Some(wakeup) = event_loop.signal_watcher().open_eventfd(event_loop)? {
        set!(event_loop.signal_pipefd = [wakeup, wakeup]);
    }
    Ok(())
}

/// Has the poller watch the eventfd, which is not needed before the first signal handle is started.
fn listen(event_loop: Loop) -> Result {
    // After a fork there may have been no descriptor for it.
    open_wakeup(event_loop)?;
    event_loop
        .signal_watcher()
        .start(event_loop, ready::READABLE);
    Ok(())
}

fn close_wakeup(event_loop: Loop) {
    set!(event_loop.signal_pipefd = [-1, -1]);
    event_loop
        .signal_watcher()
        .close_eventfd(event_loop, Watcher::Signal);
}

/// Cleans up before the loop ends; only handles of the library's own can be left.
pub(crate) fn loop_cleanup(event_loop: Loop) {
    for_each(event_loop, Signal::stop);
    close_wakeup(event_loop);
}

/// Starts anew in a forked child: signals that the parent caught are the parent's, and the eventfd
/// is shared with it.
pub(crate) fn loop_fork(event_loop: Loop) -> Result {
    close_wakeup(event_loop);
    registry::forget_all_caught(event_loop);
    open_wakeup(event_loop)?;
    let mut result = Ok(());
    for_each(event_loop, |signal| {
        if signal.handle().is_active() {
            let added = registry::add_again(signal, get!(signal.signum), signal.is_one_shot());
            result = result.and(listen(event_loop)).and(added);
        }
    });
    result
}

/// Calls the handles for the signals caught until now: the loop's eventfd is readable.
pub(crate) fn on_readable(event_loop: Loop) {
    fd::eventfd_drain(event_loop.signal_watcher().fd());
    for _ in 0..registry::callbacks_due(event_loop) {
        let Some(signal) = registry::next(event_loop) else {
            return;
        };
        signal.deliver();
    }
    // More were caught meanwhile, perhaps without waking the loop: it was running.
    if registry::callbacks_due(event_loop) > 0 {
        fd::eventfd_signal(event_loop.signal_watcher().fd());
    }
}

/// Resets the registry in a forked child.
pub(crate) fn reset_after_fork() {
    registry::reset_after_fork();
}

// C entry points

/// Makes `handle` a signal handle; it is not started.
///
/// Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/signal.html#c.uv_signal_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_init(r#loop: *mut uv_loop_t, handle: *mut uv_signal_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Signal::from_ptr(handle).init(Loop::from_ptr(r#loop)) };
    0
}

/// Starts to watch for the signal `signum`: `signal_cb` is called from the loop each time it is
/// caught. A started handle is stopped first; but if it watches for `signum` already, only the
/// callback changes.
///
/// Returns 0, or `UV_EINVAL` for what is no signal or cannot be caught (`SIGKILL`, `SIGSTOP`).
///
/// <https://docs.libuv.org/en/v1.x/signal.html#c.uv_signal_start>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_start(
    handle: *mut uv_signal_t,
    signal_cb: uv_signal_cb,
    signum: c_int,
) -> c_int {
    if signum == 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Signal::from_ptr(handle) }
        .expected()
        .and_then(|signal| signal.start(signal_cb, signum, false))
        .into_code()
}

/// Starts to watch for the signal `signum` until it is caught once: the handle is then stopped and
/// `signal_cb` called from the loop. If no other handle watches for the signal, its default action
/// is restored the moment it is caught.
///
/// Returns 0 or `UV_EINVAL`, as `uv_signal_start` does.
///
/// <https://docs.libuv.org/en/v1.x/signal.html#c.uv_signal_start_oneshot>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_start_oneshot(
    handle: *mut uv_signal_t,
    signal_cb: uv_signal_cb,
    signum: c_int,
) -> c_int {
    if signum == 0 {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Signal::from_ptr(handle) }
        .expected()
        .and_then(|signal| signal.start(signal_cb, signum, true))
        .into_code()
}

/// Stops watching: the callback is not called any more, not even for a signal that was caught
/// already. The signal's default action is restored when no other handle watches for it.
///
/// Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/signal.html#c.uv_signal_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_stop(handle: *mut uv_signal_t) -> c_int {
    // SAFETY: common pointer contract.
    if let Ok(handle) = unsafe { Signal::from_ptr(handle) }.expected() {
        handle.stop();
    }
    0
}
