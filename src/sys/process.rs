//! Processes: making them without copying memory, waiting for them, signalling them.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering::AcqRel, Ordering::Acquire,
    Ordering::Relaxed,
};

use super::lock::Locked;
use super::replaced::are_libcs_own;
use super::{cvt, large, retry};
use crate::errors::{Errno, Result};

/// A stack for a child that shares this process's memory.
pub(crate) struct Stack {
    base: *mut c_void,
}

/// A stack that is not in use. To make one takes two system calls and page faults; to unmap one, after
/// a child on another processor, an interrupt there as well.
static SPARE: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

impl Stack {
    /// Ample for the child's own code, which needs a page or two; what interposes `execve` runs
    /// on it as well.
    const SIZE: usize = 256 << 10;
    /// Never touched: overflowing the stack faults there, on the largest pages there are too.
    const GUARD: usize = 64 << 10;

    pub(crate) fn new() -> Result<Stack> {
        let base = SPARE.swap(core::ptr::null_mut(), AcqRel);
        if base.is_null() {
            Stack::map()
        } else {
            Ok(Stack { base })
        }
    }

    /// By `mmap` alone, which whoever may start threads and processes may call.
    fn map() -> Result<Stack> {
        let base = map(
            core::ptr::null_mut(),
            Self::GUARD + Self::SIZE,
            libc::PROT_NONE,
        )?;
        let usable = base.wrapping_byte_add(Self::GUARD);
        map(usable, Self::SIZE, libc::PROT_READ | libc::PROT_WRITE)
            .inspect_err(|_| Stack::unmap(base))?;
        Ok(Stack { base })
    }

    /// Unmaps what `map` mapped, and nobody uses any more.
    fn unmap(base: *mut c_void) {
        // SAFETY: it is in no `Stack`, and not in `SPARE`.
        unsafe { libc::munmap(base, Self::GUARD + Self::SIZE) };
    }

    /// Gives the memory back that is kept for the next child.
    pub(crate) fn forget_spare() {
        if SPARE.load(Relaxed).is_null() {
            return;
        }
        let base = SPARE.swap(core::ptr::null_mut(), AcqRel);
        if !base.is_null() {
            Stack::unmap(base);
        }
    }

    fn top(&self) -> *mut c_void {
        self.base.wrapping_byte_add(Self::GUARD + Self::SIZE)
    }
}

/// Maps memory of a stack, in place of what is mapped at `at` if that is not null.
fn map(at: *mut c_void, size: usize, protection: c_int) -> Result<*mut c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
    let flags = if at.is_null() {
        flags
    } else {
        flags | libc::MAP_FIXED
    };
    // SAFETY: a new mapping, or in place of the caller's.
    let base = unsafe { large::mmap(at, size, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        Err(Errno::last())
    } else {
        Ok(base)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // No child runs on it any more.
        let nothing = core::ptr::null_mut();
        let kept = SPARE.compare_exchange(nothing, self.base, AcqRel, Acquire);
        if kept.is_err() {
            Stack::unmap(self.base);
        }
    }
}

/// What a child does. It is given an argument, and ends the child.
pub(crate) type Main = extern "C" fn(*mut c_void) -> c_int;

/// Makes a child that calls `entry`, uses this process's memory, and has the calling thread wait
/// until it executes a program or ends; no `pthread_atfork` function runs.
///
/// # Safety
/// `entry` must be async-signal-safe and end in `_exit` or `execve`, and `argument` be valid for
/// it. All signals must be blocked. Where the system makes a copy of the memory all the same, the
/// child must not outlive its use of the stack, which it has a copy of.
pub(crate) unsafe fn vfork(
    stack: &Stack,
    entry: Main,
    argument: *mut c_void,
) -> Result<libc::pid_t> {
    // SAFETY: the stack is large enough and unused; the caller vouches for the rest.
    unsafe { vfork_onto(stack.top(), entry, argument) }
}

/// By the system call that libc's `vfork` makes, which libuv tries before it starts a child: a
/// sandbox for programs on libuv allows that one. The child does not touch the
/// caller's stack.
///
/// # Safety
/// As [`vfork`]; `stack` must be the end of a stack.
#[cfg(target_arch = "x86_64")]
unsafe fn vfork_onto(stack: *mut c_void, entry: Main, argument: *mut c_void) -> Result<c_int> {
    let result: isize;
    // SAFETY: the child leaves the caller's stack before it writes anything, and does not come
    // back; registers are its own.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rsp, {stack}",
            "xor ebp, ebp",
            "call {entry}",
            "ud2",
            "2:",
            stack = in(reg) stack,
            entry = in(reg) entry,
            in("rdi") argument,
            inlateout("rax") libc::SYS_vfork as isize => result,
            // By `syscall` itself, before the others are used.
            out("rcx") _,
            out("r11") _,
        )
    };
    if result < 0 {
        Err(Errno::from_system(-result as c_int))
    } else {
        Ok(result as c_int)
    }
}

/// By `clone`, which is also what libc's `vfork` comes down to on aarch64.
///
/// # Safety
/// As [`vfork`]; `stack` must be the end of a stack.
#[cfg(target_arch = "aarch64")]
unsafe fn vfork_onto(stack: *mut c_void, entry: Main, argument: *mut c_void) -> Result<c_int> {
    unsafe extern "C" {
        /// By the name that ThreadSanitizer leaves alone: it takes every child for one with memory
        /// of its own.
        #[link_name = "__clone"]
        fn clone(
            entry: Main,
            stack: *mut c_void,
            flags: c_int,
            argument: *mut c_void,
            ...
        ) -> c_int;
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the caller vouches for all of it.
    cvt(unsafe { clone(entry, stack, flags, argument) })
}

/// Makes a child that has a copy of this process's memory and calls `entry`. The functions of
/// `pthread_atfork` run.
///
/// # Safety
/// `entry` must be async-signal-safe and end in `_exit` or `execve`, and `argument` be valid for it.
pub(crate) unsafe fn fork(entry: Main, argument: *mut c_void) -> Result<libc::pid_t> {
    // SAFETY: the child does only what the caller vouches for.
    let pid = cvt(unsafe { libc::fork() })?;
    if pid == 0 {
        let status = entry(argument);
        // SAFETY: nothing of the parent's runs at exit.
        unsafe { libc::_exit(status) };
    }
    Ok(pid)
}

/// Whether a library, or the program, has functions of its own in place of those that change a
/// process's user and groups, as fakeroot has. Found out once: to look takes as long as a child.
pub(crate) fn are_identity_functions_replaced() -> bool {
    const NOT_KNOWN: u8 = 0;
    const REPLACED: u8 = 1;
    const ITS_OWN: u8 = 2;
    static STATE: AtomicU8 = AtomicU8::new(NOT_KNOWN);
    if STATE.load(Relaxed) == NOT_KNOWN {
        let are_its_own = are_libcs_own(&[
            libc::setgroups as *const _,
            libc::setgid as *const _,
            libc::setuid as *const _,
        ]);
        STATE.store(if are_its_own { ITS_OWN } else { REPLACED }, Relaxed);
    }
    STATE.load(Relaxed) == REPLACED
}

/// Waits until a child has ended; somebody else may have heard of it already.
pub(crate) fn wait(pid: libc::pid_t) {
    // SAFETY: no status is asked for.
    let _ = retry(|| unsafe { libc::waitpid(pid, core::ptr::null_mut(), 0) });
}

/// How a child has ended, if it has.
pub(crate) fn try_wait(pid: libc::pid_t) -> Result<Option<c_int>> {
    let mut status = 0;
    // SAFETY: writes one int.
    match retry(|| unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) })? {
        0 => Ok(None),
        _ => Ok(Some(status)),
    }
}

pub(crate) fn kill(pid: libc::pid_t, signum: c_int) -> Result {
    // SAFETY: takes no memory.
    cvt(unsafe { libc::kill(pid, signum) }).map(drop)
}

/// Makes every open descriptor one that is closed when a program is executed; `UV_ENOSYS` where the
/// kernel cannot do that at once.
pub(crate) fn close_all_on_exec() -> Result {
    let (first, last) = (0u32, u32::MAX);
    // SAFETY: takes numbers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            last,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    cvt(result as c_int).map(drop)
}

/// Has `function` called in children made by `fork()`, as soon as they run.
///
/// `registered` says whether it was asked for already, in which case nothing is done; to ask twice
/// at once is harmless if `function` may be called twice.
pub(crate) fn call_after_fork(registered: &AtomicBool, function: unsafe extern "C" fn()) -> Result {
    if registered.load(Relaxed) {
        return Ok(());
    }
    // SAFETY: the caller gives a function for the child of a fork.
    match unsafe { libc::pthread_atfork(None, None, Some(function)) } {
        0 => registered.store(true, Relaxed),
        number => return Err(Errno::from_system(number)),
    }
    Ok(())
}

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks since the first loop lie between this process and the one that had it.
pub(crate) fn forks() -> u32 {
    FORKS.load(Relaxed)
}

/// In a forked child, before anything else runs there.
pub(crate) fn count_fork() {
    FORKS.fetch_add(1, Relaxed);
}

/// While this lives, a child may change its user and group though it shares memory.
///
/// The kernel then marks the memory as not to be dumped or traced, so that nobody with the child's
/// new rights gets at the parent's memory by way of the child, and leaves the mark in place. The
/// last such child gone, the mark is taken off again.
pub(crate) struct ChangingIdentity(());

/// How many [`ChangingIdentity`] there are, and whether memory was dumpable before the first.
static DUMPABLE: Locked<(u32, bool)> = Locked::new((0, false));

impl ChangingIdentity {
    /// All signals must be blocked as long as it lives. Fails where the mark cannot be asked for.
    pub(crate) fn begin() -> Result<ChangingIdentity> {
        DUMPABLE.with(|(count, was_dumpable)| {
            if *count == 0 {
                // SAFETY: asks for a number.
                *was_dumpable = cvt(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) })? == 1;
            }
            *count += 1;
            Ok(ChangingIdentity(()))
        })
    }

    /// In a forked child, which does not have the threads that have begun.
    pub(crate) fn reset_after_fork() {
        DUMPABLE.reset();
        DUMPABLE.with(|(count, _)| *count = 0);
    }
}

impl Drop for ChangingIdentity {
    fn drop(&mut self) {
        DUMPABLE.with(|(count, was_dumpable)| {
            *count = count.saturating_sub(1);
            if *count == 0 && *was_dumpable {
                // SAFETY: sets a flag of the process.
                unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stack_is_kept_for_the_next_child() {
        let [first, second] = [(); 2].map(|_| Stack::new().unwrap());
        let kept = first.base;
        assert_ne!(kept, second.base, "children of two threads");
        drop(first);
        drop(second);
        let next = Stack::new().unwrap();
        assert_eq!(next.base, kept);
        // SAFETY: the last word of a stack that nobody uses.
        unsafe { next.top().cast::<usize>().sub(1).write(1) };
        drop(next);
        Stack::forget_spare();
        assert!(SPARE.load(Acquire).is_null());
    }
}
