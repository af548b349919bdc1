//! Hearing how processes ended.
//!
//! `SIGCHLD` brings the loop's internal signal handle `child_watcher` to ask for each process of the
//! loop in turn whether it has ended. Two things may come in between, which other parts of the
//! program do:
//!
//! - Somebody else waits for the process. How it ended is not known then, only that it did: the
//!   callback gets a negative code for a status. A program that waits in a signal handle's callback
//!   knows of the end, and usually closes the process's handle soon (Neovim does, and does not expect
//!   the callback any more): it gets time for that.
//! - Somebody else catches or ignores `SIGCHLD`. The loop then looks from time to time.
//!
//! While a process that somebody else has waited for is in the loop's list, `PROCESS_REAP` says so,
//! and its `status` is the loop's time, in milliseconds, when that was found out.

use core::ffi::{c_int, c_uint};

use super::Process;
use crate::abi::*;
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::handle::flags;
use crate::list::{self, List};
use crate::signal::{self, Signal};
use crate::sys::process;
use crate::timer::Timer;
use crate::view::{addr, get, set};

/// So long a program that watches for `SIGCHLD` itself may take to close a process's handle.
const GRACE_MS: c_uint = 500;
/// So often the loop looks while `SIGCHLD` is somebody else's.
const LOOK_MS: c_int = 100;
/// Not how any process ends.
pub(super) const UNKNOWN_STATUS: c_int = -1;

fn child_watcher(on: Loop) -> Signal {
    // SAFETY: a member of the loop.
    unsafe { Signal::from_ptr(addr!(on.child_watcher)) }
}

fn timer(on: Loop) -> Timer {
    // SAFETY: lives as long as the loop; no reference is made.
    unsafe { Timer::from_ptr((&raw const (*on.lookout()).timer).cast()) }
}

pub(crate) fn loop_init(on: Loop) -> Result {
    child_watcher(on).init_internal(on);
    timer(on).init(on);
    timer(on).handle().unreference();
    timer(on).handle().uninit();
    Ok(())
}

/// In a forked child: the processes are not its children, and have not ended for all it knows.
pub(crate) fn loop_fork(on: Loop) {
    while let Some(link) = on.process_handles().pop_front() {
        link.init();
    }
    stop_watching_if_idle(on);
}

pub(super) fn start_watching(on: Loop) -> Result {
    child_watcher(on).start(Some(on_child_signal), libc::SIGCHLD, false)
}

pub(super) fn stop_watching_if_idle(on: Loop) {
    if on.process_handles().is_empty() {
        child_watcher(on).stop();
        timer(on).stop();
    }
}

/// A process was started that has this number. Another one that has it as well was waited for by
/// somebody else, and the one that has it now is not to be taken for it.
pub(super) fn number_is_used_again(on: Loop, pid: libc::pid_t) {
    let mut next = on.process_handles().front();
    while let Some(link) = next {
        next = on.process_handles().after(link);
        let process = Process::from_link(link);
        if get!(process.pid) == pid && !process.is_lost() {
            process.is_found_lost(on);
            look_in(on, 0);
        }
    }
}

/// How long the loop may wait, instead of `timeout` milliseconds. Called whenever it polls.
#[inline]
pub(crate) fn longest_wait(on: Loop, timeout: c_int) -> c_int {
    if on.process_handles().is_empty() {
        timeout
    } else {
        longest_wait_with_processes(on, timeout)
    }
}

#[cold]
fn longest_wait_with_processes(on: Loop, timeout: c_int) -> c_int {
    // SAFETY: lives as long as the loop, and only its thread uses it.
    let next_check = unsafe { &raw mut (*on.lookout()).next_check };
    // SAFETY: as above.
    if timeout == 0 && on.now() < unsafe { *next_check } {
        return 0;
    }
    // SAFETY: as above.
    unsafe { *next_check = on.now() + LOOK_MS as u64 };
    if signal::is_heard(libc::SIGCHLD) {
        return timeout;
    }
    look_in(on, LOOK_MS as u64);
    match timeout {
        -1 => LOOK_MS,
        timeout => timeout.min(LOOK_MS),
    }
}

/// Has the processes looked at in so many milliseconds, or sooner.
fn look_in(on: Loop, milliseconds: u64) {
    let timer = timer(on);
    let is_sooner = get!(timer.timeout) <= on.now() + milliseconds;
    if !(timer.handle().is_active() && is_sooner) {
        // A timer that is not closing, with a callback, can be started.
        let _ = timer.start(Some(on_timer), milliseconds, 0);
    }
}

unsafe extern "C" fn on_timer(timer: *mut uv_timer_t) {
    // SAFETY: the loop's own, from the loop.
    call_back_ended(unsafe { Timer::from_ptr(timer) }.handle().event_loop());
}

unsafe extern "C" fn on_child_signal(watcher: *mut uv_signal_t, _signum: c_int) {
    // SAFETY: the loop's own handle, from the loop.
    let watcher = unsafe { Signal::from_ptr(watcher) };
    // One look is enough for however many signals came before it.
    watcher.forget_caught();
    call_back_ended(watcher.event_loop());
}

fn call_back_ended(on: Loop) {
    let mut local = list::head();
    // SAFETY: `local` outlives the walk, which leaves it empty.
    let ended = unsafe { List::from_ptr(&raw mut local) };
    ended.init();
    collect_ended(on, ended);
    while let Some(link) = ended.pop_front() {
        let process = Process::from_link(link);
        process.invoke_exit(get!(process.status));
    }
}

/// Moves the processes that have ended to a list.
fn collect_ended(on: Loop, ended: List) {
    let mut next = on.process_handles().front();
    while let Some(link) = next {
        next = on.process_handles().after(link);
        let process = Process::from_link(link);
        if let Some(status) = process.status_if_ended(on) {
            process.has_ended(status);
            link.remove();
            ended.push_back(link);
        }
    }
}

impl Process {
    /// Whether somebody else has waited for it.
    fn is_lost(self) -> bool {
        self.handle().has(flags::PROCESS_REAP)
    }

    fn is_found_lost(self, on: Loop) {
        self.handle().add(flags::PROCESS_REAP);
        set!(self.status = on.now() as c_int);
    }

    /// How it has ended, once that is to be told.
    fn status_if_ended(self, on: Loop) -> Option<c_int> {
        if !self.is_lost() {
            match process::try_wait(get!(self.pid)) {
                Ok(status) => return status,
                Err(_) => self.is_found_lost(on),
            }
        }
        let waits = (on.now() as c_uint).wrapping_sub(get!(self.status) as c_uint);
        if waits < GRACE_MS && signal::is_watched(on, libc::SIGCHLD) {
            look_in(on, (GRACE_MS - waits).into());
            return None;
        }
        Some(UNKNOWN_STATUS)
    }
}
