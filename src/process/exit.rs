//! Finds out how processes ended, and reports it.
//!
//! On `SIGCHLD` the loop's internal signal handle `child_watcher` queries each process of the loop.
//! Two things that other parts of the program do may interfere:
//!
//! - Other code waits for the process. Then only the fact that it ended is known: the callback gets
//!   a negative code for a status. A program that waits in a signal handle's callback knows of the
//!   end, and usually closes the process's handle soon (Neovim does, and does not expect the
//!   callback any more). So the callback is delayed.
//! - Other code catches or ignores `SIGCHLD`. The loop then queries from time to time.
//!
//! While a process that other code has waited for is in the loop's list, it has the flag
//! `PROCESS_REAP`. Its `status` is the time when that was found out, in the loop's milliseconds.

use core::ffi::{c_int, c_uint};

use super::Process;
use crate::abi::*;
use crate::errors::Result;
use crate::event_loop::Loop;
use crate::handle::flags;
use crate::list::{List, local};
use crate::signal::{self, Signal};
use crate::sys::process;
use crate::timer::Timer;
use crate::view::{get, member, set};

/// How long a program that watches for `SIGCHLD` itself has to close a process's handle before its
/// exit callback is called.
const GRACE_MS: c_uint = 500;
/// How often the loop queries its processes while other code has replaced the handler of `SIGCHLD`.
const CHECK_INTERVAL_MS: c_int = 100;
/// The status of a process that other code has waited for. No process ends with this one.
pub(super) const UNKNOWN_STATUS: c_int = -1;

impl Loop {
    member!(child_watcher: Signal = child_watcher);
}

fn timer(event_loop: Loop) -> Timer {
    // SAFETY: lives as long as the loop; no reference is made.
    unsafe { Timer::from_ptr(&raw const (*event_loop.exit_check()).timer) }
}

pub(crate) fn loop_init(event_loop: Loop) -> Result {
    event_loop.child_watcher().init_internal(event_loop);
    timer(event_loop).init(event_loop);
    timer(event_loop).handle().unreference();
    timer(event_loop).handle().uninit();
    Ok(())
}

/// Empties the list in a forked child: the processes are not its children, and it cannot find out
/// whether they have ended.
pub(crate) fn loop_fork(event_loop: Loop) {
    while event_loop.process_handles().pop_front().is_some() {}
    stop_watching_if_idle(event_loop);
}

pub(super) fn start_watching(event_loop: Loop) -> Result {
    event_loop
        .child_watcher()
        .start(Some(on_child_signal), libc::SIGCHLD, false)
}

pub(super) fn stop_watching_if_idle(event_loop: Loop) {
    if event_loop.process_handles().is_empty() {
        event_loop.child_watcher().stop();
        timer(event_loop).stop();
    }
}

/// Notes that a process with this number was started. Another one in the list that has it was
/// waited for by other code, and must not be taken for the new one.
pub(super) fn on_pid_reused(event_loop: Loop, pid: libc::pid_t) {
    for process in event_loop.process_handles().iter() {
        if get!(process.pid) == pid && !process.is_reaped_elsewhere() {
            process.note_reaped_elsewhere(event_loop);
            check_in(event_loop, 0);
        }
    }
}

/// How long the loop may wait, in milliseconds, instead of `timeout`. Called whenever it polls.
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
    let next_check_ms = unsafe { &raw mut (*event_loop.exit_check()).next_check_ms };
    // SAFETY: `next_check_ms` lives as long as the loop, and only its thread uses it.
    if timeout == 0 && event_loop.now() < unsafe { *next_check_ms } {
        return 0;
    }
    // SAFETY: `next_check_ms` lives as long as the loop, and only its thread uses it.
    unsafe { *next_check_ms = event_loop.now() + CHECK_INTERVAL_MS as u64 };
    if signal::is_installed(libc::SIGCHLD) {
        return timeout;
    }
    check_in(event_loop, CHECK_INTERVAL_MS as u64);
    match timeout {
        -1 => CHECK_INTERVAL_MS,
        timeout => timeout.min(CHECK_INTERVAL_MS),
    }
}

/// Has the processes queried in this many milliseconds, or sooner.
fn check_in(event_loop: Loop, milliseconds: u64) {
    let timer = timer(event_loop);
    let is_sooner = get!(timer.timeout) <= event_loop.now() + milliseconds;
    if !(timer.handle().is_active() && is_sooner) {
        // A timer that is not closing, with a callback, can be started.
        let _ = timer.start(Some(on_timer), milliseconds, 0);
    }
}

unsafe extern "C" fn on_timer(timer: *mut uv_timer_t) {
    // SAFETY: the loop's own timer, called by the loop.
    report_ended(unsafe { Timer::from_ptr(timer) }.handle().event_loop());
}

unsafe extern "C" fn on_child_signal(watcher: *mut uv_signal_t, _signum: c_int) {
    // SAFETY: the loop's own handle, called by the loop.
    let watcher = unsafe { Signal::from_ptr(watcher) };
    // One query is enough for all signals that came before it.
    watcher.forget_caught();
    report_ended(watcher.event_loop());
}

fn report_ended(event_loop: Loop) {
    local!(ended);
    collect_ended(event_loop, ended);
    while let Some(process) = ended.pop_front() {
        process.handle().stop();
        process.invoke_exit(get!(process.status));
    }
}

/// Moves the processes that have ended to a list.
fn collect_ended(event_loop: Loop, ended: List<Process>) {
    for process in event_loop.process_handles().iter() {
        if let Some(status) = process.status_if_ended(event_loop) {
            process.set_ended(status);
            process.link().remove();
            ended.push_back(process);
        }
    }
}

impl Process {
    /// Whether other code has waited for the process.
    fn is_reaped_elsewhere(self) -> bool {
        self.handle().has(flags::PROCESS_REAP)
    }

    fn note_reaped_elsewhere(self, event_loop: Loop) {
        self.handle().add(flags::PROCESS_REAP);
        set!(self.status = event_loop.now() as c_int);
    }

    /// The status of a process that has ended, once it may be reported.
    fn status_if_ended(self, event_loop: Loop) -> Option<c_int> {
        if !self.is_reaped_elsewhere() {
            match process::try_wait(get!(self.pid)) {
                Ok(status) => return status,
                Err(_) => self.note_reaped_elsewhere(event_loop),
            }
        }
        let waited_ms = (event_loop.now() as c_uint).wrapping_sub(get!(self.status) as c_uint);
        if waited_ms < GRACE_MS && signal::is_watched(event_loop, libc::SIGCHLD) {
            check_in(event_loop, (GRACE_MS - waited_ms).into());
            return None;
        }
        Some(UNKNOWN_STATUS)
    }
}
