//! Probes for tracers such as bpftrace and perf: `usdt:liboxuv_diagnose.so:oxuv:callback__begin`.
//! Each is an instruction that does nothing, until a tracer puts another one in its place.

use core::ffi::c_void;

use probe::probe;

use crate::events::Event;

/// Passes an event on to tracers.
#[inline]
pub(crate) fn fire(event: Event, what: u32, object: *const c_void, detail: usize) {
    match event {
        Event::PhaseBegins => probe!(oxuv, phase__begin, object, what),
        Event::CallbackBegins => probe!(oxuv, callback__begin, object, what, detail),
        Event::CallbackEnds => probe!(oxuv, callback__end, what),
        Event::JobQueued => probe!(oxuv, job__queue, object, detail),
        Event::JobBegins => probe!(oxuv, job__begin, object),
        Event::JobEnds => probe!(oxuv, job__end, object),
        Event::LoopWoken => probe!(oxuv, loop__wake, object, detail),
        _ => {}
    }
}
