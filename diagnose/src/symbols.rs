//! Names of functions by their address, for threads of the instruments: it takes memory and locks.

use core::ffi::{CStr, c_void};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a thread is within the crate that reads debug information.
static IS_BUSY: AtomicBool = AtomicBool::new(false);
/// In the child of a fork that came at such a time: that crate's lock stays locked.
static IS_UNUSABLE: AtomicBool = AtomicBool::new(false);

/// In the child of a fork.
pub(crate) fn reset_after_fork() {
    if IS_BUSY.load(Relaxed) {
        IS_UNUSABLE.store(true, Relaxed);
    }
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
/// source is told as well.
pub(crate) fn describe(address: usize) -> String {
    let mut text = String::new();
    if !IS_UNUSABLE.load(Relaxed) {
        IS_BUSY.store(true, Relaxed);
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
        IS_BUSY.store(false, Relaxed);
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
