//! Instruments for programs on libuv. The library loads this object when one of two variables is
//! set, and reports events to it:
//!
//! | variable | instrument | what it does |
//! |---|---|---|
//! | `OXUV_TRACE` | [`trace`] | records what a loop does, for a timeline |
//! | `OXUV_STALL_MS` | [`stall`] | names callbacks that take too long |
//!
//! The events are in `src/observe/events.rs` of the library, which is compiled into both.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

#[path = "../../src/observe/events.rs"]
pub mod events;

mod names;
mod objects;
mod probes;
pub mod stall;
mod symbols;
mod thread;
mod threads;
pub mod trace;

use core::ffi::c_void;

use events::{EVENT_COUNT, Event, Report};

/// Reads the variables; returns the function that events are reported to, `None` if no instrument
/// is wanted.
#[unsafe(no_mangle)]
pub extern "C" fn oxuv_diagnose_start(event_count: u32) -> Option<Report> {
    if event_count != EVENT_COUNT {
        eprintln!("oxuv: nothing is diagnosed: the instruments are those of another release");
        return None;
    }
    let is_any = [trace::start(), stall::start()].contains(&true);
    is_any.then_some(report)
}

/// Hands an event to the instruments that are in use. The program finds errno as it was.
unsafe extern "C" fn report(event: Event, what: u32, object: *const c_void, detail: usize) {
    // SAFETY: errno belongs to this thread.
    let errno = unsafe { *libc::__errno_location() };
    probes::fire(event, what, object, detail);
    trace::report(event, what, object, detail);
    stall::report(event, what, object, detail);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}
