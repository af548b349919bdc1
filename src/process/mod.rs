//! Child processes: starting them, signalling them, and reporting how they ended.
//!
//! A handle is active while its process runs. Children that the program made by other means are not
//! touched. Closing the handle of a running process leaves the process alone: the program has to
//! wait for it.
//!
//! | file | |
//! |---|---|
//! | `mod.rs` | the handle, the entry points |
//! | `exit.rs` | finding out how processes ended |
//! | `exit_check.rs` | what a loop has for that |
//! | `program.rs` | where the program is searched |
//! | `stdio.rs` | what the child's descriptors are |
//! | `launch.rs` | making the child without copying memory |
//! | `child.rs` | what the child does until it executes the program |
//! | `calls.rs` | the calls by which it does that |
//!
//! <https://docs.libuv.org/en/v1.x/process.html>

mod calls;
mod child;
mod exit;
pub(crate) mod exit_check;
mod launch;
mod program;
mod stdio;

use core::ffi::{CStr, c_char, c_int, c_uint};
use core::sync::atomic::{AtomicBool, AtomicI32};

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::handle::{Handle, flags};
use crate::list::{List, linked};
use crate::observe::call_back;
use crate::sys::{fd, process};
use crate::view::{get, member, set, upcast, view};
use calls::Calls;
use child::{Plan, Report};
use exit::{UNKNOWN_STATUS, start_watching, stop_watching_if_idle};
pub(crate) use exit::{longest_wait, loop_fork, loop_init};
use program::Candidates;
use stdio::Stdio;

view!(
    /// A child process.
    Process => uv_process_t
);
linked!(link: Process in uv_process_t.queue);

impl Loop {
    member!(
        /// The processes of the loop whose end was not found out yet.
        pub(crate) process_handles: List<Process> = process_handles
    );
}

/// All flags that exist; those of Windows have no effect elsewhere.
const KNOWN_FLAGS: c_uint = UV_PROCESS_SETUID
    | UV_PROCESS_SETGID
    | UV_PROCESS_DETACHED
    | UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS
    | UV_PROCESS_WINDOWS_HIDE
    | UV_PROCESS_WINDOWS_HIDE_CONSOLE
    | UV_PROCESS_WINDOWS_HIDE_GUI
    | UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME;

/// The process's environment, as it is at the moment.
fn own_environment() -> *const *const c_char {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the program must not change the environment while it is read, which C demands as
    // well.
    unsafe { environ }
}

impl Process {
    upcast!(handle: Handle);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<Process> {
        self.handle().expect(UV_PROCESS).map(|()| self)
    }

    /// Makes the handle one that can be closed, whether or not a process is started.
    fn init(self, event_loop: Loop, exit_cb: uv_exit_cb) {
        self.handle().init(event_loop, UV_PROCESS);
        set!(self.exit_cb = exit_cb);
        set!(self.pid = 0);
        set!(self.status = 0);
        self.link().init();
    }

    /// # Safety
    /// The options must be valid, as `uv_spawn` demands.
    unsafe fn spawn(self, event_loop: Loop, options: &uv_process_options_t) -> Result {
        self.init(event_loop, options.exit_cb);
        // SAFETY: the caller vouches for the options.
        match unsafe { start_process(event_loop, options) } {
            Ok(pid) => {
                exit::on_pid_reused(event_loop, pid);
                set!(self.pid = pid);
                event_loop.process_handles().push_back(self);
                self.handle().start();
                Ok(())
            }
            Err(error) => {
                // The handle can be closed as any other, but need not be.
                self.handle().uninit();
                stop_watching_if_idle(event_loop);
                Err(error)
            }
        }
    }

    pub(crate) fn close(self) {
        let event_loop = self.handle().event_loop();
        self.link().remove();
        self.handle().stop();
        stop_watching_if_idle(event_loop);
    }

    /// `UV_ESRCH` once the process has been waited for: another process may have its number.
    fn kill(self, signum: c_int) -> Result {
        if get!(self.pid) == 0 || self.handle().has(flags::PROCESS_REAP) {
            return Err(Errno::ESRCH);
        }
        process::kill(get!(self.pid), signum)
    }

    /// Notes the end of the process, with its status as `waitpid` returns it, or `UNKNOWN_STATUS`.
    fn set_ended(self, status: c_int) {
        set!(self.status = status);
        self.handle().add(flags::PROCESS_REAP);
    }

    fn invoke_exit(self, status: c_int) {
        let Some(callback) = get!(self.exit_cb) else {
            return;
        };
        let (mut exit_status, mut signum) = (0, 0);
        if status == UNKNOWN_STATUS {
            exit_status = UV_ESRCH.into();
        } else if libc::WIFEXITED(status) {
            exit_status = libc::WEXITSTATUS(status).into();
        } else if libc::WIFSIGNALED(status) {
            signum = libc::WTERMSIG(status);
        }
        // SAFETY: the user's callback gets the handle it was registered for, which nothing here
        // touches afterwards.
        unsafe { call_back!(Exit: callback(self.raw(), exit_status, signum)) }
    }
}

/// The descriptions of the child's descriptors, from 0 on. `UV_EINVAL` for a count without an array.
///
/// # Safety
/// The options' array must be valid, and stay unchanged.
unsafe fn containers(options: &uv_process_options_t) -> Result<&[uv_stdio_container_t]> {
    let count = usize::try_from(options.stdio_count).unwrap_or(0);
    match (count, options.stdio.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Errno::EINVAL),
        // SAFETY: the caller vouches for the array.
        (_, false) => Ok(unsafe { core::slice::from_raw_parts(options.stdio, count) }),
    }
}

/// Starts the process and returns its id.
///
/// # Safety
/// The requirements of [`Process::spawn`] apply.
unsafe fn start_process(event_loop: Loop, options: &uv_process_options_t) -> Result<libc::pid_t> {
    if options.file.is_null() {
        return Err(Errno::ENOENT);
    }
    if options.args.is_null() || options.flags & !KNOWN_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the caller vouches for the array, which nothing changes meanwhile.
    let containers = unsafe { containers(options) }?;
    let environment = options.env.cast_const().cast();
    let searched = if options.env.is_null() {
        own_environment()
    } else {
        environment
    };
    // SAFETY: the caller vouches for the string and the array.
    let candidates = unsafe { Candidates::new(CStr::from_ptr(options.file), searched) }?;
    let mut stdio = Stdio::new(containers)?;
    start_watching(event_loop)?;
    let (descriptors, descriptor_count) = stdio.descriptors();
    let started = launch::launch(Plan {
        paths: candidates.as_ptr(),
        path_count: candidates.count,
        arguments: options.args.cast_const().cast(),
        environment,
        cwd: options.cwd,
        is_detached: options.flags & UV_PROCESS_DETACHED != 0,
        uid: (options.flags & UV_PROCESS_SETUID != 0).then_some(options.uid),
        gid: (options.flags & UV_PROCESS_SETGID != 0).then_some(options.gid),
        descriptors,
        descriptor_count,
        calls: Calls::Kernel,
        report: Report {
            has_begun: AtomicBool::new(false),
            error: AtomicI32::new(0),
            pipe: -1,
        },
    });
    // Also if the start failed: programs (Node.js is one) read from the pipes of a process that
    // could not be started, and expect them to end.
    let opened = stdio.open_streams();
    let pid = started?;
    opened.map(|()| pid).inspect_err(|_| {
        let _ = process::kill(pid, libc::SIGKILL);
        process::wait(pid);
    })
}

/// Keeps open descriptors, the standard ones included, from being inherited.
fn disable_inheritance() {
    if process::close_all_on_exec().is_ok() {
        return;
    }
    // The kernel gives out the lowest free number, so a gap above the first ones is likely the end.
    let mut fd = 0;
    while fd::set_cloexec(fd).is_ok() || fd <= 15 {
        fd += 1;
    }
}

// C entry points

/// Starts a process. `options` says what to run, and how; unused members are zero.
///
/// - `file`, `args`: the program, searched in the child's `PATH` unless there is a slash in it; its
///   arguments, the first of which is the program's name
/// - `env`, `cwd`: environment and working directory, or `NULL` for this process's
/// - `stdio`, `stdio_count`: the child's descriptors from 0 on; those of the first three that are
///   not given are opened on `/dev/null`
/// - `flags`, `uid`, `gid`: see `uv_process_flags`
/// - `exit_cb`: called when the process has ended. If other code has waited for it, how it ended is
///   not known: its exit status is then `UV_ESRCH`, a negative number
///
/// All signals have their default actions in the child, and none is blocked.
///
/// Returns 0, or the error if the program could not be executed: `UV_ENOENT`, `UV_EACCES`,
/// `UV_EPERM` (for another user or group), `UV_EAGAIN`, `UV_ENOMEM`, `UV_EMFILE`, …; `UV_EINVAL`
/// for invalid options; `UV_ENOENT` without `file`. In either case the handle has to be closed before its memory is released.
///
/// <https://docs.libuv.org/en/v1.x/process.html#c.uv_spawn>
///
/// # Safety
/// `loop` must be initialised, `handle` writable; the strings, arrays and streams of the options
/// must be valid during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_spawn(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_process_t,
    options: *const uv_process_options_t,
) -> c_int {
    // SAFETY: common pointer contract.
    let Some(options) = (unsafe { options.as_ref() }) else {
        return UV_EINVAL;
    };
    // SAFETY: common pointer contract.
    unsafe { Process::from_ptr(handle).spawn(Loop::from_ptr(r#loop), options) }.into_code()
}

/// Sends a signal to the process; 0 only asks whether it is there.
///
/// Returns 0 or an error: `UV_EINVAL` for what is no signal, `UV_ESRCH` when the process has ended
/// or was never started, `UV_EPERM`.
///
/// <https://docs.libuv.org/en/v1.x/process.html#c.uv_process_kill>
///
/// # Safety
/// `handle` must have been passed to `uv_spawn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_process_kill(handle: *mut uv_process_t, signum: c_int) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Process::from_ptr(handle) }
        .expected()
        .and_then(|process| process.kill(signum))
        .into_code()
}

/// Sends a signal to any process, as `kill()` does; 0 only asks whether it is there.
///
/// Returns 0 or an error: `UV_EINVAL` for what is no signal, `UV_ESRCH`, `UV_EPERM`.
///
/// <https://docs.libuv.org/en/v1.x/process.html#c.uv_kill>
#[unsafe(no_mangle)]
pub extern "C" fn uv_kill(pid: c_int, signum: c_int) -> c_int {
    process::kill(pid, signum).into_code()
}

/// The process's id; 0 when none was started. Kept after its end, when the number may be another
/// process's.
///
/// <https://docs.libuv.org/en/v1.x/process.html#c.uv_process_get_pid>
///
/// # Safety
/// `handle` must have been passed to `uv_spawn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_process_get_pid(handle: *const uv_process_t) -> uv_pid_t {
    // SAFETY: common pointer contract.
    let process = unsafe { Process::from_ptr(handle) };
    get!(process.pid)
}

/// Keeps all descriptors that are open now from being inherited by children, the standard ones
/// included. Call it early, before descriptors are opened that are meant to be inherited.
///
/// <https://docs.libuv.org/en/v1.x/process.html#c.uv_disable_stdio_inheritance>
#[unsafe(no_mangle)]
pub extern "C" fn uv_disable_stdio_inheritance() {
    disable_inheritance();
}
