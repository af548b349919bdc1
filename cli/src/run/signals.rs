//! Waiting for a child: signals that others send to this command are passed on to it.

use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

/// What is passed on.
const PASSED_ON: [i32; 6] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// The signals that are waited for; they are blocked.
pub struct Signals {
    waited_for: libc::sigset_t,
    /// What was blocked before, which the child gets.
    before: libc::sigset_t,
}

impl Signals {
    /// Blocks them.
    pub fn block() -> Signals {
        let (mut waited_for, mut before) = (empty(), empty());
        // SAFETY: the sets are initialised, and outlive the calls.
        unsafe {
            for signal in PASSED_ON.into_iter().chain([libc::SIGCHLD]) {
                libc::sigaddset(&mut waited_for, signal);
            }
            // Otherwise the child would leave no status.
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            libc::sigprocmask(libc::SIG_BLOCK, &waited_for, &mut before);
        }
        Signals { waited_for, before }
    }

    /// Has the child block what was blocked before.
    pub fn prepare(&self, command: &mut Command) {
        let before = self.before;
        // SAFETY: sigprocmask(2) may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::sigprocmask(libc::SIG_SETMASK, &before, core::ptr::null_mut());
                Ok(())
            });
        }
    }

    /// Waits until the child ends. `pause` is asked each time how long to wait at most before it is
    /// asked again; `None` is for ever.
    pub fn wait(
        &self,
        child: &mut Child,
        mut pause: impl FnMut() -> Option<Duration>,
    ) -> Result<ExitStatus, String> {
        loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            let Some((signal, code)) = self.next(pause()) else {
                continue;
            };
            // A terminal sends its signals to the child as well.
            let is_sent_by_process = code <= 0;
            if signal != libc::SIGCHLD && is_sent_by_process {
                // SAFETY: the child has not been waited for, so the number is still its own.
                unsafe { libc::kill(child.id() as i32, signal) };
            }
        }
    }

    /// The next signal, and where it comes from; `None` after a time, or if interrupted.
    fn next(&self, time: Option<Duration>) -> Option<(i32, i32)> {
        let time = time.map(|time| libc::timespec {
            tv_sec: time.as_secs() as libc::time_t,
            tv_nsec: time.subsec_nanos() as libc::c_long,
        });
        let time = time.as_ref().map_or(core::ptr::null(), |time| time);
        let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: the pointers are valid, or null where that is allowed.
        let signal = unsafe { libc::sigtimedwait(&self.waited_for, info.as_mut_ptr(), time) };
        // SAFETY: it is filled in if there was a signal.
        (signal > 0).then(|| (signal, unsafe { info.assume_init() }.si_code))
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Ends this process by a signal, as the child was ended, without a second core dump.
pub fn end_by(signal: i32) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let mut set = empty();
    // SAFETY: the pointers are valid, and nothing else runs in this process.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        libc::signal(signal, libc::SIG_DFL);
        libc::sigaddset(&mut set, signal);
        libc::raise(signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, core::ptr::null_mut());
    }
}
