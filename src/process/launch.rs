//! Makes the child, and gets its report of whether it could execute the program.
//!
//! The child shares the parent's memory, and the calling thread waits for it. So nothing is copied,
//! however much memory the parent has, and the child reports in memory. Some emulators accept the
//! request to share, but copy. There the child reports through a pipe; the first child of a process
//! shows which case it is.
//!
//! In two cases the child is made by `fork()`, and reports through a pipe. Sharing may be refused.
//! Or the functions that change a user or a group are needed and are not libc's own: fakeroot
//! records the child's identity in memory.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed, Ordering::SeqCst};

use super::calls::Calls;
use super::child::{self, Plan};
use crate::errors::{Errno, Result, keeping_errno};
use crate::sys::process::{self, ChangingIdentity, Stack};
use crate::sys::signal::AllBlocked;
use crate::sys::{fd, file};

/// Whether children share memory; unknown until the first child.
static MEMORY_SHARING: AtomicU8 = AtomicU8::new(NOT_KNOWN);
const NOT_KNOWN: u8 = 0;
const WORKS: u8 = 1;
const DOES_NOT_WORK: u8 = 2;

/// Makes a child that carries out the plan. Returns its id once it has executed the program, or the
/// error that prevented that; then the child is gone.
pub(super) fn launch(mut plan: Plan) -> Result<libc::pid_t> {
    let known = MEMORY_SHARING.load(Relaxed);
    if known == DOES_NOT_WORK
        || plan.changes_identity() && process::are_identity_functions_replaced()
    {
        return launch_forked(plan);
    }
    let pipe = (known != WORKS)
        .then(|| Pipe::open(&mut plan))
        .transpose()?;
    match vfork(&plan) {
        Ok(pid) => started(pid, read_report(&plan, pipe)),
        // A sandbox refuses to share memory, or what it takes to change the user.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => launch_forked(plan),
        Err(error) => Err(error),
    }
}

/// The code that a child made by [`vfork`] has reported, or 0.
fn read_report(plan: &Plan, pipe: Option<Pipe>) -> c_int {
    if plan.report.has_begun.load(SeqCst) {
        MEMORY_SHARING.store(WORKS, Relaxed);
        return plan.report.error.load(SeqCst);
    }
    match pipe {
        Some(pipe) => {
            MEMORY_SHARING.store(DOES_NOT_WORK, Relaxed);
            pipe.read()
        }
        // It was killed before it could do anything: a process that has ended.
        None => 0,
    }
}

fn launch_forked(mut plan: Plan) -> Result<libc::pid_t> {
    plan.calls = Calls::Library;
    let pipe = Pipe::open(&mut plan)?;
    let argument = (&raw mut plan).cast();
    let pid = keeping_errno(|| {
        let _blocked = AllBlocked::new();
        // SAFETY: the child's main function is made for this, and has a copy of the plan.
        unsafe { process::fork(child::main, argument) }
    })?;
    started(pid, pipe.read())
}

/// The result for a child that has reported this code.
fn started(pid: libc::pid_t, code: c_int) -> Result<libc::pid_t> {
    if code == 0 {
        return Ok(pid);
    }
    process::wait(pid);
    Err(Errno::from_code(code))
}

/// Makes a child that shares memory. Signals are blocked, so that none reaches it while it has the
/// parent's handlers.
fn vfork(plan: &Plan) -> Result<libc::pid_t> {
    let stack = Stack::new()?;
    let argument = core::ptr::from_ref(plan).cast_mut().cast();
    keeping_errno(|| {
        let _blocked = AllBlocked::new();
        let _changing = plan
            .changes_identity()
            .then(ChangingIdentity::begin)
            .transpose()?;
        // SAFETY: the child's main function is made for this, signals are blocked, and plan and
        // stack outlive the child's use of them: this thread waits, or the child has copies.
        unsafe { process::vfork(&stack, child::main, argument) }
    })
}

/// Carries the child's report where memory is not shared. When the child executes its program, the
/// pipe closes without a report.
struct Pipe {
    to_read: fd::OwnedFd,
    to_write: fd::OwnedFd,
}

impl Pipe {
    /// Opens the pipe for the child's report, above the descriptors that the child replaces.
    fn open(plan: &mut Plan) -> Result<Pipe> {
        let [to_read, to_write] = fd::pipe(plan.descriptor_count)?;
        plan.report.pipe = to_write.raw();
        Ok(Pipe { to_read, to_write })
    }

    /// Waits for the report; 0 when there is none.
    fn read(self) -> c_int {
        drop(self.to_write);
        let mut code = [0; size_of::<c_int>()];
        match file::read_slice(self.to_read.raw(), &mut code, None) {
            Ok(count) if count == code.len() => c_int::from_ne_bytes(code).min(0),
            _ => 0,
        }
    }
}
