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
const CHECK_INTERVAL_MS: c_int = 100;
/// Not how any process ends.
pub(super) const UNKNOWN_STATUS: c_int = -1;

fn child_watcher(event_loop: Loop) -> Signal {
    // SAFETY: a member of the loop.
    unsafe { Signal::from_ptr(addr!(event_loop.child_watcher)) }
}

fn timer(event_loop: Loop) -> Timer {
    // SAFETY: lives as long as the loop; no reference is made.
    unsafe { Timer::from_ptr((&raw const (*event_loop.exit_check()).timer).cast()) }
}

pub(crate) fn loop_init(event_loop: Loop) -> Result {
    child_watcher(event_loop).init_internal(event_loop);
    timer(event_loop).init(event_loop);
    timer(event_loop).handle().unreference();
    timer(event_loop).handle().uninit();
    Ok(())
}

/// In a forked child: the processes are not its children, and have not ended for all it knows.
pub(crate) fn loop_fork(event_loop: Loop) {
    while let Some(link) = event_loop.process_handles().pop_front() {
        link.init();
    }
    stop_watching_if_idle(event_loop);
}

pub(super) fn start_watching(event_loop: Loop) -> Result {
    child_watcher(event_loop).start(Some(on_child_signal), libc::SIGCHLD, false)
}

pub(super) fn stop_watching_if_idle(event_loop: Loop) {
    if event_loop.process_handles().is_empty() {
        child_watcher(event_loop).stop();
        timer(event_loop).stop();
    }
}

/// A process was started that has this number. Another one that has it as well was waited for by
/// somebody else, and the one that has it now is not to be taken for it.
pub(super) fn number_is_used_again(event_loop: Loop, pid: libc::pid_t) {
    let mut next = event_loop.process_handles().front();
    while let Some(link) = next {
        next = event_loop.process_handles().after(link);
        let process = Process::from_link(link);
        if get!(process.pid) == pid && !process.is_lost() {
            process.is_found_lost(event_loop);
            check_in(event_loop, 0);
        }
    }
}

/// How long the loop may wait, instead of `timeout` milliseconds. Called whenever it polls.
#[inline]
pub(crate) fn longest_wait(event_loop: Loop, timeout: c_int) -> c_int {
    if event_loop.process_handles().is_empty() {
        timeout
    } else {
        longest_wait_with_processes(event_loop, timeout)
    }
}

#[cold]
fn longest_wait_with_processes(event_loop: Loop, timeout: c_int) -> c_int {
    // SAFETY: lives as long as the loop, and only its thread uses it.
    let next_check = unsafe { &raw mut (*event_loop.exit_check()).next_check };
    // SAFETY: as above.
    if timeout == 0 && event_loop.now() < unsafe { *next_check } {
        return 0;
    }
    // SAFETY: as above.
    unsafe { *next_check = event_loop.now() + CHECK_INTERVAL_MS as u64 };
    if signal::is_installed(libc::SIGCHLD) {
        return timeout;
    }
    check_in(event_loop, CHECK_INTERVAL_MS as u64);
    match timeout {
        -1 => CHECK_INTERVAL_MS,
        timeout => timeout.min(CHECK_INTERVAL_MS),
    }
}

/// Has the processes looked at in so many milliseconds, or sooner.
fn check_in(event_loop: Loop, milliseconds: u64) {
    let timer = timer(event_loop);
    let is_sooner = get!(timer.timeout) <= event_loop.now() + milliseconds;
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

fn call_back_ended(event_loop: Loop) {
    let mut local = list::head();
    // SAFETY: `local` outlives the walk, which leaves it empty.
    let ended = unsafe { List::from_ptr(&raw mut local) };
    ended.init();
    collect_ended(event_loop, ended);
    while let Some(link) = ended.pop_front() {
        let process = Process::from_link(link);
        process.invoke_exit(get!(process.status));
    }
}

/// Moves the processes that have ended to a list.
fn collect_ended(event_loop: Loop, ended: List) {
    let mut next = event_loop.process_handles().front();
    while let Some(link) = next {
        next = event_loop.process_handles().after(link);
        let process = Process::from_link(link);
        if let Some(status) = process.status_if_ended(event_loop) {
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

    fn is_found_lost(self, event_loop: Loop) {
        self.handle().add(flags::PROCESS_REAP);
        set!(self.status = event_loop.now() as c_int);
    }

    /// How it has ended, once that is to be told.
    fn status_if_ended(self, event_loop: Loop) -> Option<c_int> {
        if !self.is_lost() {
            match process::try_wait(get!(self.pid)) {
                Ok(status) => return status,
                Err(_) => self.is_found_lost(event_loop),
            }
        }
        let waits = (event_loop.now() as c_uint).wrapping_sub(get!(self.status) as c_uint);
        if waits < GRACE_MS && signal::is_watched(event_loop, libc::SIGCHLD) {
            check_in(event_loop, (GRACE_MS - waits).into());
            return None;
        }
        Some(UNKNOWN_STATUS)
    }
}
