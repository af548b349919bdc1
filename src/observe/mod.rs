//! Observing: reports events to an instrument, if one is loaded.
//!
//! The instruments are in an object of their own (`diagnose/`), which `driver/instruments.rs` loads
//! when the first loop is made, if a variable asks for it. Without it, each report is a load and a
//! branch.

mod events;

use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

pub(crate) use events::{Callback, EVENT_COUNT, Event, Phase, Report, Start};

/// The instrument's function, a [`Report`]; null without an instrument.
static REPORT: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// From here on events are reported to this function.
pub(crate) fn report_to(function: Report) {
    REPORT.store(function as *mut (), Relaxed);
}

/// Whether an instrument is loaded.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    !REPORT.load(Relaxed).is_null()
}

/// Reports an event, if an instrument is loaded. `events.rs` says what the arguments are.
#[inline(always)]
pub(crate) fn report<T>(event: Event, what: u32, object: *const T, detail: usize) {
    if is_on() {
        deliver(event, what, object.cast(), detail);
    }
}

#[cold]
#[inline(never)]
fn deliver(event: Event, what: u32, object: *const c_void, detail: usize) {
    let report = REPORT.load(Relaxed);
    // SAFETY: only a `Report` is stored, and it is not null, since the instrument stays.
    let report: Report = unsafe { core::mem::transmute(report) };
    // SAFETY: `what` and `detail` are those of the event.
    unsafe { report(event, what, object, detail) }
}

/// Calls a callback of the program, and reports its beginning and its end:
/// `call_back!(Timer: callback(self.raw()))`. The first argument is the object of the events.
macro_rules! call_back {
    ($kind:ident : $callback:ident ($object:expr $(, $argument:expr)* $(,)?)) => {{
        let object = $object;
        let kind = $crate::observe::Callback::$kind;
        $crate::observe::callback_begins(kind, object, $callback as *const ());
        $callback(object $(, $argument)*);
        $crate::observe::callback_ends(kind);
    }};
}
pub(crate) use call_back;

#[inline(always)]
pub(crate) fn callback_begins<T>(kind: Callback, object: *const T, callback: *const ()) {
    if is_on() {
        deliver_begin(kind, object.cast(), callback);
    }
}

#[inline(always)]
pub(crate) fn callback_ends(kind: Callback) {
    if is_on() {
        deliver_end(kind);
    }
}

// Each of these is one short call in many places.

#[cold]
#[inline(never)]
fn deliver_begin(kind: Callback, object: *const c_void, callback: *const ()) {
    deliver(Event::CallbackBegins, kind as u32, object, callback.addr());
}

#[cold]
#[inline(never)]
fn deliver_end(kind: Callback) {
    deliver(Event::CallbackEnds, kind as u32, core::ptr::null(), 0);
}
