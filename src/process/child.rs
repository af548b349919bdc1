//! A child between its making and the program that it executes.
//!
//! **Async-signal-safe zone.** The child shares its parent's memory while the parent's other
//! threads go on running. Or it has a copy of it, as those threads left it, in the middle of their
//! work. Allowed here: reading the plan, atomic stores to it, the stack, and the calls
//! `rt_sigaction`, `pthread_sigmask`, `setsid`, `fcntl`, `dup2`, `open`, `close`, `chdir`,
//! `setgroups`, `setgid`, `setuid`, `strlen`, `execve`, `write`, `_exit`. No allocation, no lock,
//! no formatting, no indexing, no `unwrap`. `errno` is that of the parent's thread, which restores
//! it.
//!
//! Where memory is shared, calls for descriptors and identity go straight to the kernel
//! (`calls.rs`). `chdir` and `execve`, which take names, are libc's.
//!
//! Descriptors, working directory, user, group, mask and dispositions are the child's own, so
//! nothing has to be undone.

use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

use super::calls::Calls;
use crate::errors::{Errno, Result};
use crate::sys::{cvt, typed};

/// The plan of the child's work. All pointers are valid until the child has executed the program.
pub(super) struct Plan {
    /// Paths to try to execute, each with its terminator, one after the other.
    pub(super) paths: *const c_char,
    pub(super) path_count: usize,
    pub(super) arguments: *const *const c_char,
    /// Null for the child's own environment, which a function that changes its identity may add to.
    pub(super) environment: *const *const c_char,
    /// Null for the parent's working directory.
    pub(super) cwd: *const c_char,
    pub(super) is_detached: bool,
    pub(super) uid: Option<libc::uid_t>,
    pub(super) gid: Option<libc::gid_t>,
    /// The parent's descriptor for each of the child's, or −1. The child changes them.
    pub(super) descriptors: *mut c_int,
    pub(super) descriptor_count: c_int,
    pub(super) calls: Calls,
    pub(super) report: Report,
}

/// How the child reports to the parent.
pub(super) struct Report {
    /// Set when the child begins: if the parent reads it, memory is shared.
    pub(super) has_begun: AtomicBool,
    /// The error code if the child could not execute a program, or 0.
    pub(super) error: AtomicI32,
    /// A pipe to write the code to, or −1 where memory is known to be shared.
    pub(super) pipe: c_int,
}

/// The child's main function.
pub(super) extern "C" fn main(plan: *mut c_void) -> c_int {
    // SAFETY: the parent passes its plan, which stays in place.
    let plan = unsafe { &*plan.cast::<Plan>() };
    plan.report.has_begun.store(true, SeqCst);
    let error = match plan.set_up() {
        Ok(()) => plan.execute(),
        Err(error) => error,
    };
    plan.report.send(error);
    // Nothing of the parent's runs at exit.
    typed::_exit(127)
}

impl Report {
    fn send(&self, error: Errno) {
        let code = error.code();
        self.error.store(code, SeqCst);
        if self.pipe != -1 {
            // SAFETY: writes the bytes of `code`.
            unsafe { libc::write(self.pipe, (&raw const code).cast(), size_of::<c_int>()) };
        }
    }
}

impl Plan {
    fn set_up(&self) -> Result {
        if self.is_detached {
            cvt(typed::setsid())?;
        }
        self.move_low_descriptors()?;
        self.place_descriptors()?;
        if !self.cwd.is_null() {
            // SAFETY: the plan has a terminated string.
            cvt(unsafe { libc::chdir(self.cwd) })?;
        }
        self.change_identity()?;
        // Signals come last: libc's functions for users and groups signal the threads that
        // functions of `pthread_atfork` may have started in this child.
        reset_signals();
        unblock_signals();
        Ok(())
    }

    fn source(&self, target: c_int) -> *mut c_int {
        self.descriptors.wrapping_add(target as usize)
    }

    /// Moves those descriptors that would be overwritten before their turn.
    fn move_low_descriptors(&self) -> Result {
        let count = self.descriptor_count;
        for target in 0..count {
            let source = self.source(target);
            // SAFETY: the plan has a descriptor for each target.
            let fd = unsafe { *source };
            if fd >= 0 && fd < count && fd != target {
                let moved = self.calls.fcntl(fd, libc::F_DUPFD_CLOEXEC, count)?;
                // SAFETY: the plan has a descriptor for each target.
                unsafe { *source = moved };
            }
        }
        Ok(())
    }

    fn place_descriptors(&self) -> Result {
        for target in 0..self.descriptor_count {
            // SAFETY: the plan has a descriptor for each target.
            let fd = unsafe { *self.source(target) };
            let is_standard = target <= libc::STDERR_FILENO;
            if fd < 0 {
                if is_standard {
                    self.open_null(target)?;
                }
                continue;
            }
            self.place(fd, target)?;
            if is_standard {
                // Programs do not expect their standard descriptors to be non-blocking.
                self.make_blocking(target)?;
            }
        }
        Ok(())
    }

    /// Gives an open file its number in the child, which the program inherits.
    fn place(&self, fd: c_int, target: c_int) -> Result {
        if fd == target {
            self.calls.fcntl(fd, libc::F_SETFD, 0).map(drop)
        } else {
            self.calls.dup2(fd, target)
        }
    }

    fn open_null(&self, target: c_int) -> Result {
        let mode = if target == libc::STDIN_FILENO {
            libc::O_RDONLY
        } else {
            libc::O_RDWR
        };
        // The numbers below are taken by now, so that opening gives this one.
        self.calls.close(target);
        let fd = self.calls.open(c"/dev/null", mode)?;
        if fd != target {
            self.place(fd, target)?;
            self.calls.close(fd);
        }
        Ok(())
    }

    fn make_blocking(&self, fd: c_int) -> Result {
        let flags = self.calls.fcntl(fd, libc::F_GETFL, 0)?;
        if flags & libc::O_NONBLOCK != 0 {
            let blocking = flags & !libc::O_NONBLOCK;
            self.calls.fcntl(fd, libc::F_SETFL, blocking)?;
        }
        Ok(())
    }

    pub(super) fn changes_identity(&self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    /// Changes groups, group and user, in this order: the user goes last, since the others need its
    /// rights.
    fn change_identity(&self) -> Result {
        if !self.changes_identity() {
            return Ok(());
        }
        // The supplementary groups are the parent's. A process that may not give them up may not
        // change the user either, which reports the error.
        self.calls.give_up_groups();
        if let Some(gid) = self.gid {
            self.calls.set_group(gid)?;
        }
        if let Some(uid) = self.uid {
            self.calls.set_user(uid)?;
        }
        Ok(())
    }

    /// Executes the first path that can be executed. Returns only if none can, with the error.
    fn execute(&self) -> Errno {
        let mut path = self.paths;
        let mut outcome = Errno::ENOENT;
        let environment = if self.environment.is_null() {
            super::own_environment()
        } else {
            self.environment
        };
        for _ in 0..self.path_count {
            // SAFETY: the plan has terminated strings, and arrays of them that end in null.
            unsafe { libc::execve(path, self.arguments, environment) };
            match Errno::last() {
                // There is such a program, but this user may not execute it: reported if no other
                // one is found.
                Errno::EACCES => outcome = Errno::EACCES,
                error if !is_not_there(error) => return error,
                error if outcome != Errno::EACCES => outcome = error,
                _ => {}
            }
            // SAFETY: a terminated string, with the next path behind it.
            path = unsafe { path.add(libc::strlen(path) + 1) };
        }
        outcome
    }
}

/// Whether an error says to try the next path.
fn is_not_there(error: Errno) -> bool {
    const NOT_THERE: [Errno; 4] = [
        Errno::ENOENT,
        Errno::ENOTDIR,
        Errno::ENODEV,
        Errno::from_system(libc::ESTALE),
    ];
    NOT_THERE.contains(&error)
}

/// Gives every signal its default action, also if it is ignored. Straight to the kernel, since libc
/// reserves some signals for itself.
fn reset_signals() {
    /// At least as large as the kernel's `struct sigaction` on any machine; all zeros stand for the
    /// default.
    static DEFAULT_ACTION: [u64; 8] = [0; 8];
    const SET_SIZE: usize = 8;
    for signum in 1..=crate::sys::signal::LARGEST_SIGNAL as c_int {
        // SAFETY: reads one action. What cannot be changed (SIGKILL, SIGSTOP) needs no change.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signum,
                DEFAULT_ACTION.as_ptr(),
                core::ptr::null_mut::<u64>(),
                SET_SIZE,
            )
        };
    }
}

fn unblock_signals() {
    let mut none = core::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set before it is read.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), core::ptr::null_mut());
    }
}
