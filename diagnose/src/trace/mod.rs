//! Records what loops do: `OXUV_TRACE=file.json`.
//!
//! Each thread puts its events into a ring of its own (`ring`), without a lock and without taking
//! memory. A thread of the trace takes them out, and writes them as trace events of Chrome and
//! Perfetto (`lines`). A child of a fork that goes on to run a loop writes to a file of its own.

mod lines;
mod ring;
mod threads;
mod ticks;
mod writer;

use core::ffi::c_void;
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::events::{Event, Phase};
use crate::{objects, symbols};
use ring::{Put, Record, Ring};

/// Nothing is recorded.
const OFF: u8 = 0;
/// Events are recorded.
const ON: u8 = 1;
/// A child of a fork, which has run no loop yet.
const FORKED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(OFF);
static PATH: OnceLock<PathBuf> = OnceLock::new();

/// Reads the variable; returns whether the instrument is in use.
pub(crate) fn start() -> bool {
    let Some(value) = std::env::var_os("OXUV_TRACE").filter(|value| !value.is_empty()) else {
        return false;
    };
    ticks::start();
    let path = std::path::absolute(&value).unwrap_or_else(|_| PathBuf::from(&value));
    if PATH.set(path).is_err() || !threads::RINGS.start() || !begin(false) {
        return false;
    }
    symbols::start();
    // SAFETY: the functions stay, since this object does.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
        libc::atexit(at_exit);
    }
    true
}

fn begin(is_child: bool) -> bool {
    let Some(path) = PATH.get() else {
        return false;
    };
    match writer::open(path, is_child) {
        Ok(file) => {
            let is_on = writer::start(file);
            STATE.store(if is_on { ON } else { OFF }, Release);
            is_on
        }
        Err(error) => {
            eprintln!("oxuv: OXUV_TRACE: nothing is recorded: {error}");
            false
        }
    }
}

/// Records nothing more.
fn stop() {
    STATE.store(OFF, Relaxed);
}

extern "C" fn at_exit() {
    if STATE.load(Acquire) == ON {
        writer::end();
        stop();
    }
}

unsafe extern "C" fn in_child() {
    if STATE.load(Relaxed) != OFF {
        threads::reset_after_fork();
        STATE.store(FORKED, Relaxed);
    }
}

/// In a child: begins a trace when it uses a loop.
#[cold]
fn begin_in_child(event: Event) -> bool {
    let uses_loop = matches!(
        event,
        Event::LoopForked | Event::LoopInitialised | Event::RunBegins
    );
    if uses_loop {
        stop();
    }
    uses_loop && begin(true)
}

/// Takes an event.
#[inline]
pub(crate) fn report(event: Event, what: u32, object: *const c_void, detail: usize) {
    match STATE.load(Relaxed) {
        ON => {}
        FORKED if begin_in_child(event) => {}
        _ => return,
    }
    match event {
        Event::PhaseBegins => begin_phase(what, object),
        Event::CallbackBegins => {
            // SAFETY: the object is live, since its callback begins.
            let kind = unsafe { objects::kind(what, object) };
            record(event, what | kind << 16, object.addr(), detail);
        }
        Event::JobQueued | Event::DoneInline => {
            // SAFETY: the request is live, since it is being submitted.
            let (kind, operation) = unsafe { objects::job(detail as *const c_void) };
            record(event, kind | operation << 16, object.addr(), detail);
        }
        Event::LoopInitialised
        | Event::LoopClosed
        | Event::RunBegins
        | Event::RunEnds
        | Event::BlockBegins
        | Event::BlockEnds
        | Event::CallbackEnds
        | Event::JobBegins
        | Event::JobEnds
        | Event::LoopWoken
        | Event::Received
        | Event::Sent => record(event, what, object.addr(), detail),
        _ => {}
    }
}

/// Of the phases in which nothing happens the first one is recorded, and the poll phase always is:
/// most phases are empty, and each record reads the clock.
fn begin_phase(phase: u32, object: *const c_void) {
    let Some(ring) = threads::own() else {
        return;
    };
    if phase != Phase::Poll as u32 && ring.ends_with_phase.load(Relaxed) {
        ring.phase.store(phase + 1, Relaxed);
        return;
    }
    ring.phase.store(0, Relaxed);
    put(
        ring,
        Event::PhaseBegins,
        phase,
        object.addr(),
        0,
        ticks::now(),
    );
    // After it the next phase is recorded, empty or not: it ends the time of polling.
    let is_poll = phase == Phase::Poll as u32;
    ring.ends_with_phase.store(!is_poll, Relaxed);
}

fn record(event: Event, what: u32, object: usize, detail: usize) {
    let Some(ring) = threads::own() else {
        return;
    };
    // Bytes come right after what brought them about.
    let has_own_time = !matches!(event, Event::Received | Event::Sent);
    let last_time = ring.last_time.load(Relaxed);
    let now = match has_own_time || last_time == 0 {
        true => ticks::now(),
        false => last_time,
    };
    let phase = ring.phase.load(Relaxed);
    if phase != 0 {
        ring.phase.store(0, Relaxed);
        put(ring, Event::PhaseBegins, phase - 1, 0, 0, now);
    }
    ring.ends_with_phase.store(false, Relaxed);
    put(ring, event, what, object, detail, now);
}

fn put(ring: &Ring, event: Event, what: u32, object: usize, detail: usize, time: u64) {
    ring.last_time.store(time, Relaxed);
    let record = Record {
        time_ns: time,
        event: event as u32,
        what,
        object,
        detail,
    };
    if ring.put(record) == Put::HalfFull {
        writer::wake();
    }
}
