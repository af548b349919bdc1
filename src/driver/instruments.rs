//! Loading the instruments, an object of their own (`diagnose/`), if a variable asks for them.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::observe::{self, EVENT_COUNT, Start};
use crate::sys::plugin;

/// Whether the variables were read.
static WAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Each of these loads the instruments, which read its value.
const VARIABLES: [&CStr; 2] = [c"OXUV_TRACE", c"OXUV_STALL_MS"];

/// Loads the instruments, the first time, if a variable asks for them. A process with more rights
/// than its user ignores the variables.
pub(super) fn start() {
    if WAS_ASKED.swap(true, Relaxed) || !VARIABLES.iter().any(|name| plugin::is_asked_for(name)) {
        return;
    }
    let Some(function) = plugin::load(c"oxuv_diagnose_start") else {
        return;
    };
    // SAFETY: the object is of this release, where the function has this type.
    let start: Start = unsafe { core::mem::transmute(function) };
    // SAFETY: the function has no condition but the type of its argument.
    if let Some(report) = unsafe { start(EVENT_COUNT) } {
        observe::report_to(report);
    }
}
