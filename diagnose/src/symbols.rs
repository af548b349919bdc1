//! Names of functions by their address, for threads of the instruments: it takes memory and locks.

use core::ffi::{CStr, c_void};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

/// Held by the thread that is within the crate which reads debug information, and by one that
/// forks: the crate has a lock of its own, which must be free in the child.
static LOCK: AtomicBool = AtomicBool::new(false);
/// Whether the thread that forks got the lock.
static IS_HELD: AtomicBool = AtomicBool::new(false);
/// In a child: that crate's lock stays locked, so it is not used.
static IS_UNUSABLE: AtomicBool = AtomicBool::new(false);

/// How long a fork waits for the lock, in milliseconds.
const FORK_MS: u32 = 1_000;

fn try_lock() -> bool {
    LOCK.compare_exchange(false, true, Acquire, Relaxed).is_ok()
}

fn unlock() {
    LOCK.store(false, Release);
}

fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

/// Has forks leave this usable in the child. Call it once, or more often.
pub(crate) fn start() {
    static IS_STARTED: AtomicBool = AtomicBool::new(false);
    if !IS_STARTED.swap(true, Relaxed) {
        // SAFETY: the functions stay, since this object does.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) };
    }
}

unsafe extern "C" fn before_fork() {
    let is_free = (0..FORK_MS).any(|_| {
        let is_free = try_lock();
        if !is_free {
            pause();
        }
        is_free
    });
    IS_HELD.store(is_free, Relaxed);
}

unsafe extern "C" fn in_parent() {
    if IS_HELD.load(Relaxed) {
        unlock();
    }
}

unsafe extern "C" fn in_child() {
    if !IS_HELD.load(Relaxed) {
        IS_UNUSABLE.store(true, Relaxed);
    }
    unlock();
}

/// The names that were asked for, since each costs much.
#[derive(Default)]
pub(crate) struct Symbols(HashMap<usize, String>);

impl Symbols {
    /// The function at an address, and where it is in its file: `on_read (server+0x12f0)`.
    pub(crate) fn name(&mut self, address: usize) -> &str {
        self.0.entry(address).or_insert_with(|| describe(address))
    }
}

/// The function at an address, and where it is in its file. With debug information the line of
/// source is named as well.
pub(crate) fn describe(address: usize) -> String {
    let mut text = String::new();
    if !IS_UNUSABLE.load(Relaxed) {
        while !try_lock() {
            pause();
        }
        // The crate takes addresses that calls return to, and looks before them.
        let after = address.wrapping_add(1) as *mut c_void;
        backtrace::resolve(after, |symbol| {
            if !text.is_empty() {
                return;
            }
            if let Some(name) = symbol.name() {
                let _ = write!(text, "{name:#}");
            }
            if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
                let _ = write!(text, " at {}:{line}", file.display());
            }
        });
        unlock();
    }
    let (function, place) = by_linker(address);
    if text.is_empty() {
        text = function.unwrap_or_default();
    }
    match text.is_empty() {
        true => place,
        false => format!("{text} ({place})"),
    }
}

/// What the dynamic linker knows: an exported function, and the place in the file.
fn by_linker(address: usize) -> (Option<String>, String) {
    // SAFETY: a struct of pointers, for which zeros are a value.
    let mut info = unsafe { core::mem::MaybeUninit::<libc::Dl_info>::zeroed().assume_init() };
    // SAFETY: dladdr does not access memory at the address.
    if unsafe { libc::dladdr(address as *const c_void, &mut info) } == 0 {
        return (None, format!("{address:#x}"));
    }
    let text = |text: *const core::ffi::c_char| {
        // SAFETY: null, or a name of a loaded object.
        (!text.is_null()).then(|| {
            unsafe { CStr::from_ptr(text) }
                .to_string_lossy()
                .into_owned()
        })
    };
    let file = text(info.dli_fname).unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    let offset = address.wrapping_sub(info.dli_fbase.addr());
    (text(info.dli_sname), format!("{file}+{offset:#x}"))
}
