//! What the library has once for the whole process: what a fork resets, and what the end releases.
//!
//! Every static is listed here; a test compares the list with the sources.
//!
//! | static | protected by | in a forked child |
//! |---|---|---|
//! | `alloc`: `MALLOC`, `REALLOC`, `CALLOC`, `FREE` | atomic; `uv_replace_allocator` comes before any other call | stays |
//! | `driver/instruments`: `WAS_ASKED` | atomic | stays |
//! | `driver/lifecycle`: `DEFAULT_LOOP`, `DEFAULT_LOOP_MEMORY` | atomic; memory of the thread that uses the default loop | stays |
//! | `driver/process_wide`: `IS_REGISTERED`, `AT_EXIT` | atomic; constant | stays |
//! | `error_names`: `TEXTS` | constant | stays |
//! | `fs/changes`: `IN_PROGRESS` | atomic | none is in progress |
//! | `fs/inline`: `MODE`, `SETTING` | atomic; what it keeps does not change | stays |
//! | `fs/mounts`: `MOUNTS` | atomic; each slot is one word | stays |
//! | `lib`: `NOTE` | constant | stays |
//! | `observe`: `REPORT` | atomic | stays |
//! | `panic/handler`: `REPORTING`, `MEMORY` | atomic; constant | stays |
//! | `panic/hook`: `PREVIOUS`, `INSTALL` | `OnceLock`; constant | stays |
//! | `process/child`: `DEFAULT_ACTION` | constant | stays |
//! | `process/launch`: `MEMORY_SHARING` | atomic | stays |
//! | `signal/registry`: `REGISTRY` | `Locked`, with all signals blocked | the lock is free, no handle is registered, and the kernel's actions are not known |
//! | `spin`: `PROBES`, `SPINNERS`, `SETTING`, `WINDOW_NS` | atomic | no thread spins |
//! | `stream/tty_reset`: `GLOBAL` | its lock, which signal handlers only try | the lock is free |
//! | `sys/nonblocking_fs`: `HAS_NO_UNIQUE` | atomic | stays |
//! | `sys/process`: `SPARE_STACK`, `STATE`, `FORKS`, `OWN_PID`, `DUMPABLE` | atomic; `Locked`, with all signals blocked | the fork is counted, and no thread changes its identity |
//! | `sys/random`: `IS_SEEDED` | atomic | stays |
//! | `sys/stat`: `HAS_NO_STATX` | atomic | stays |
//! | `system/cpu`: `KNOWN` | atomic; what it keeps does not change | stays |
//! | `system/title`: `TITLE`, `IS_TAKEN` | `Locked`; atomic | the lock is free |
//! | `work/pool`: `POOL`, `BLOCKED`, `THREADS`, `HAS_STARTED`, `IS_FORKED`, `HINTS` | the pool's lock; atomic | there is no worker and no job |
//! | `work/worker`: `SEMAPHORES` | each belongs to one worker | made anew with its worker |

use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::errors::{Errno, Result};
use crate::fs::changes;
use crate::signal;
use crate::spin;
use crate::stream;
use crate::sys::process::{self, ChangingIdentity, Stack};
use crate::sys::signal::AllBlocked;
use crate::system::title;
use crate::work::pool;

static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

/// Has children made by `fork()` call [`reset_after_fork`] before anything else of the library runs
/// there. Children inherit the registration. `UV_ENOMEM` where there is no memory for it.
pub(super) fn register() -> Result {
    // A child of another call than `fork()` is not noted otherwise.
    process::note_process();
    if IS_REGISTERED.load(SeqCst) {
        return Ok(());
    }
    // SAFETY: the function does only what is allowed in the child of a fork. Two threads may both
    // register it, which is harmless.
    match unsafe { libc::pthread_atfork(None, None, Some(reset_after_fork)) } {
        0 => IS_REGISTERED.store(true, SeqCst),
        number => return Err(Errno::from_system(number)),
    }
    Ok(())
}

/// In a forked child, which has one thread: other threads of the parent may have held any lock.
///
/// The count of forks comes first, since it shows other code that a loop is the parent's. The pool
/// is next, because a handler of the program's may submit work.
unsafe extern "C" fn reset_after_fork() {
    let _blocked = AllBlocked::new();
    process::count_fork();
    pool::reset_after_fork();
    changes::reset_after_fork();
    spin::reset_after_fork();
    signal::reset_after_fork();
    ChangingIdentity::reset_after_fork();
    stream::reset_after_fork();
    title::reset_after_fork();
}

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

/// Runs at exit, and in `dlclose`, before the functions that are registered for forks go.
///
/// Not the exported function: with two libuvs in a process, its name may be the other one's.
#[cfg(not(test))]
extern "C" fn at_exit() {
    release();
}

/// Releases what the library has for the process: threads first, since their jobs may use the rest.
/// If it has nothing, no memory is written to: most processes load the library and end.
fn release() {
    pool::shut_down();
    title::forget();
    Stack::forget_spare();
}

// C entry points

/// Releases what the library has for the whole process. It ends the threads of the pool after the
/// queued work, resets the process title, and unmaps the stack for children. This happens by
/// itself at exit, and when the library is unloaded. Call it once, when no loop is active and no
/// request is in progress. Use nothing of the library afterwards.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_library_shutdown>
#[unsafe(no_mangle)]
pub extern "C" fn uv_library_shutdown() {
    release();
}
