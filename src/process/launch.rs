//! Making the child, and hearing from it whether it got as far as its program.
//!
//! The child shares the parent's memory and the calling thread waits for it, so that nothing is
//! copied, however much memory the parent has. The child then reports in memory. Where sharing is
//! refused, or granted in words only (emulators), the child gets a copy and reports through a pipe;
//! the first child of a process shows which it is.

use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed, Ordering::SeqCst};

use super::child::{self, Plan};
use crate::errors::{Errno, Result};
use crate::sys::process::{self, ChangingIdentity, Memory, Stack};
use crate::sys::signal::{AllBlocked, keeping_errno};
use crate::sys::{fd, retry_size};

/// Whether children share memory: not known before the first.
static SHARING: AtomicU8 = AtomicU8::new(NOT_KNOWN);
const NOT_KNOWN: u8 = 0;
const WORKS: u8 = 1;
const DOES_NOT_WORK: u8 = 2;

/// Makes a child that does what is planned. Its id, once it has executed the program; or what kept
/// it from that, and the child is gone.
pub(super) fn launch(plan: &Plan) -> Result<libc::pid_t> {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    process::call_in_forks(&REGISTERED, forget_parent)?;
    let known = SHARING.load(Relaxed);
    let pipe = if known == WORKS {
        None
    } else {
        Some(Pipe::open(plan.descriptor_count)?)
    };
    let report_fd = pipe.as_ref().map_or(-1, |pipe| pipe.to_write);
    plan.report.pipe.store(report_fd, SeqCst);
    let pid = start(plan, known)?;
    let shares = plan.report.has_begun.load(SeqCst);
    let code = match pipe {
        _ if shares => {
            SHARING.store(WORKS, Relaxed);
            plan.report.error.load(SeqCst)
        }
        Some(pipe) => {
            SHARING.store(DOES_NOT_WORK, Relaxed);
            pipe.read()
        }
        // Killed before it could do anything: a process that has ended.
        None => 0,
    };
    if code == 0 {
        return Ok(pid);
    }
    process::wait(pid);
    Err(Errno::from_code(code))
}

/// Makes the child; signals must not find it in the parent's memory with the parent's handlers.
fn start(plan: &Plan, known: u8) -> Result<libc::pid_t> {
    let stack = Stack::new()?;
    let argument = core::ptr::from_ref(plan).cast_mut().cast();
    keeping_errno(|| {
        let _blocked = AllBlocked::new();
        let changing = plan.uid.is_some() || plan.gid.is_some();
        let _changing = changing.then(ChangingIdentity::begin);
        // SAFETY: the child's main function is made for this, signals are blocked, and plan and
        // stack outlive the child's use of them: with shared memory this thread waits.
        let clone = |memory| unsafe { process::clone(memory, &stack, child::main, argument) };
        if known == DOES_NOT_WORK {
            return clone(Memory::Copied);
        }
        match clone(Memory::Shared) {
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM) if known == NOT_KNOWN => {
                clone(Memory::Copied)
            }
            result => result,
        }
    })
}

unsafe extern "C" fn forget_parent() {
    let _blocked = AllBlocked::new();
    ChangingIdentity::forget_parent();
}

/// Brings the child's report where memory is not shared. When the child executes its program, the
/// pipe closes with nothing in it.
struct Pipe {
    to_read: c_int,
    to_write: c_int,
}

impl Pipe {
    /// Above the `count` descriptors that the child puts in place.
    fn open(count: c_int) -> Result<Pipe> {
        let [to_read, to_write] = fd::pipe(count)?;
        Ok(Pipe { to_read, to_write })
    }

    /// Waits for the report; 0 when there is none.
    fn read(mut self) -> c_int {
        fd::close_quietly(self.to_write);
        self.to_write = -1;
        let mut code: c_int = 0;
        let size = size_of::<c_int>();
        // SAFETY: reads at most the bytes of `code`.
        match retry_size(|| unsafe { libc::read(self.to_read, (&raw mut code).cast(), size) }) {
            Ok(count) if count == size => code.min(0),
            _ => 0,
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        fd::close_quietly(self.to_read);
        if self.to_write != -1 {
            fd::close_quietly(self.to_write);
        }
    }
}
