//! Processes: making them without copying memory, waiting for them, signalling them.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{
    AtomicI32, AtomicPtr, AtomicU8, AtomicU32, Ordering::AcqRel, Ordering::Acquire,
    Ordering::Relaxed,
};

use super::lock::Locked;
use super::replaced::are_libcs_own;
use super::{cvt, large, retry, typed};
use crate::errors::{Errno, Result};

/// A stack for a child that shares this process's memory.
pub(crate) struct Stack {
    base: *mut c_void,
}

/// A spare stack, or null. Making one takes two system calls and page faults. Unmapping one after a
/// child on another processor also takes an interrupt there.
static SPARE_STACK: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

impl Stack {
    /// The size of a stack, in bytes. The child's own code needs a page or two; functions that
    /// interpose `execve` run on it as well.
    const SIZE_BYTES: usize = 256 << 10;
    /// The size of the guard below a stack, in bytes: an overflow faults there, on the largest
    /// pages as well.
    const GUARD_BYTES: usize = 64 << 10;

    pub(crate) fn new() -> Result<Stack> {
        let base = SPARE_STACK.swap(core::ptr::null_mut(), AcqRel);
        if base.is_null() {
            Stack::map()
        } else {
            Ok(Stack { base })
        }
    }

    /// Maps a stack by `mmap` alone, which every sandbox that allows threads and processes allows.
    fn map() -> Result<Stack> {
        let base = map(
            core::ptr::null_mut(),
            Self::GUARD_BYTES + Self::SIZE_BYTES,
            libc::PROT_NONE,
        )?;
        let usable = base.wrapping_byte_add(Self::GUARD_BYTES);
        map(usable, Self::SIZE_BYTES, libc::PROT_READ | libc::PROT_WRITE)
            .inspect_err(|_| Stack::unmap(base))?;
        Ok(Stack { base })
    }

    /// Unmaps a stack that is not used any more.
    fn unmap(base: *mut c_void) {
        // SAFETY: it is in no `Stack`, and not in `SPARE_STACK`.
        unsafe { libc::munmap(base, Self::GUARD_BYTES + Self::SIZE_BYTES) };
    }

    /// Releases the spare stack.
    pub(crate) fn forget_spare() {
        if SPARE_STACK.load(Relaxed).is_null() {
            return;
        }
        let base = SPARE_STACK.swap(core::ptr::null_mut(), AcqRel);
        if !base.is_null() {
            Stack::unmap(base);
        }
    }

    fn top(&self) -> *mut c_void {
        self.base
            .wrapping_byte_add(Self::GUARD_BYTES + Self::SIZE_BYTES)
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
        let kept = SPARE_STACK.compare_exchange(nothing, self.base, AcqRel, Acquire);
        if kept.is_err() {
            Stack::unmap(self.base);
        }
    }
}

/// A child's main function. It gets an argument, and ends the child.
pub(crate) type Main = extern "C" fn(*mut c_void) -> c_int;

/// Makes a child that calls `entry` and uses this process's memory. The calling thread blocks until
/// the child executes a program or ends. No `pthread_atfork` function runs.
///
/// # Safety
/// `entry` must be async-signal-safe and end in `_exit` or `execve`, and `argument` be valid for
/// it. All signals must be blocked. Where the system copies the memory nevertheless, the child must
/// not outlive its use of the stack, which it has a copy of.
pub(crate) unsafe fn vfork(
    stack: &Stack,
    entry: Main,
    argument: *mut c_void,
) -> Result<libc::pid_t> {
    // SAFETY: the stack is large enough and unused; the caller vouches for the rest.
    unsafe { vfork_onto(stack.top(), entry, argument) }
}

/// Makes a child by the system call of libc's `vfork`. libuv tries that one before it starts a
/// child, so a sandbox for programs on libuv allows it. The child does not touch the caller's
/// stack.
///
/// # Safety
/// The requirements of [`vfork`] apply; `stack` must be the end of a stack.
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
            // Written by `syscall` itself, before the other registers are used.
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

/// Makes a child by `clone`, which libc's `vfork` uses as well on aarch64.
///
/// # Safety
/// The requirements of [`vfork`] apply; `stack` must be the end of a stack.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn vfork_onto(stack: *mut c_void, entry: Main, argument: *mut c_void) -> Result<c_int> {
    unsafe extern "C" {
        /// The name that ThreadSanitizer does not replace: it assumes that every child has memory
        /// of its own.
        #[cfg_attr(target_env = "gnu", link_name = "__clone")]
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
/// `entry` must be async-signal-safe and end in `_exit` or `execve`, and `argument` be valid for
/// it.
pub(crate) unsafe fn fork(entry: Main, argument: *mut c_void) -> Result<libc::pid_t> {
    // SAFETY: the child does only what the caller vouches for.
    let pid = cvt(unsafe { libc::fork() })?;
    if pid == 0 {
        let status = entry(argument);
        // Nothing of the parent's runs at exit.
        typed::_exit(status);
    }
    Ok(pid)
}

/// Whether a library, or the program, has functions of its own in place of those that change a
/// process's user and groups, as fakeroot has. Determined once: it takes as long as starting a
/// child.
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

/// Waits until a child has ended; other code may have waited for it already.
pub(crate) fn wait(pid: libc::pid_t) {
    let _ = retry(|| typed::waitpid(pid, None, 0));
}

/// The status of a child, if it has ended.
pub(crate) fn try_wait(pid: libc::pid_t) -> Result<Option<c_int>> {
    let mut status = 0;
    match retry(|| typed::waitpid(pid, Some(&mut status), libc::WNOHANG))? {
        0 => Ok(None),
        _ => Ok(Some(status)),
    }
}

pub(crate) fn kill(pid: libc::pid_t, signum: c_int) -> Result {
    cvt(typed::kill(pid, signum)).map(drop)
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

static FORKS: AtomicU32 = AtomicU32::new(0);

/// The number of forks between the process that made the first loop and this one.
pub(crate) fn forks() -> u32 {
    FORKS.load(Relaxed)
}

/// Counts a fork, in the child, before anything else runs there.
pub(crate) fn count_fork() {
    FORKS.fetch_add(1, Relaxed);
    note_process();
}

/// The id of the process, 0 before [`note_process`].
static OWN_PID: AtomicI32 = AtomicI32::new(0);

/// Notes the id of this process, for [`is_new_child`].
pub(crate) fn note_process() {
    OWN_PID.store(typed::getpid(), Relaxed);
}

/// Whether this is a forked child in which nothing is reset yet. Async-signal-safe.
pub(crate) fn is_new_child() -> bool {
    OWN_PID.load(Relaxed) != typed::getpid()
}

/// While a value of this type lives, a child that shares memory may change its user and group.
///
/// The kernel then marks the memory as not to be dumped or traced: otherwise a process with the
/// child's new rights could read the parent's memory through the child. The mark stays. It is taken
/// off when the last such child is gone.
pub(crate) struct ChangingIdentity(());

/// The number of [`ChangingIdentity`] values, and whether memory was dumpable before the first.
static DUMPABLE: Locked<(u32, bool)> = Locked::new((0, false));

impl ChangingIdentity {
    /// All signals must be blocked as long as the value lives. Fails where the mark cannot be
    /// queried.
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

    /// Resets the count in a forked child, which does not have the threads that have begun.
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
        // SAFETY: the last word of a stack that is not in use.
        unsafe { next.top().cast::<usize>().sub(1).write(1) };
        drop(next);
        Stack::forget_spare();
        assert!(SPARE_STACK.load(Acquire).is_null());
    }
}
