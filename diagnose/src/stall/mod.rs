//! Names callbacks that take too long: `OXUV_STALL_MS`.
//!
//! Each thread notes when its outermost callback began (`watched`). A thread of its own looks at
//! these notes. It names a callback that takes too long while that still runs, and finds out where
//! it is (`frames`). Callbacks of jobs are left out: workers may take their time.

mod frames;
mod watched;

use core::ffi::c_void;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
use std::collections::HashMap;
use std::time::Duration;

use crate::events::{Callback, Event};
use crate::symbols::{Symbols, describe};
use crate::thread::{self, Semaphore};
use crate::{names, objects, symbols};
use watched::Seen;

const OFF: u8 = 0;
const ON: u8 = 1;
/// A child of a fork, which has run no loop yet.
const FORKED: u8 = 2;

/// The largest value of the variable, in milliseconds: an hour.
const MOST_MS: u64 = 3_600_000;
/// How often the watcher looks while a callback may take too long.
const LOOKS: u64 = 4;

/// How long a process that exits waits for the summary, in milliseconds.
const END_MS: u64 = 5_000;

static STATE: AtomicU8 = AtomicU8::new(OFF);
static LIMIT_NS: AtomicU64 = AtomicU64::new(0);
static IS_ENDING: AtomicBool = AtomicBool::new(false);
static WAKEUP: Semaphore = Semaphore::new();
static ENDED: Semaphore = Semaphore::new();

/// Reads the variable; returns whether the instrument is in use.
pub(crate) fn start() -> bool {
    let Some(value) = std::env::var_os("OXUV_STALL_MS").filter(|value| !value.is_empty()) else {
        return false;
    };
    let number = value
        .to_str()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let Some(limit) = number.filter(|number| (1..=MOST_MS).contains(number)) else {
        eprintln!(
            "oxuv: OXUV_STALL_MS={}: stalls are not watched for: it must be from 1 to {MOST_MS}",
            value.to_string_lossy()
        );
        return false;
    };
    LIMIT_NS.store(limit * 1_000_000, Relaxed);
    if !watched::ALL.start() {
        return false;
    }
    frames::start();
    symbols::start();
    // SAFETY: the functions stay, since this object does.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
        libc::atexit(at_exit);
    }
    begin()
}

fn begin() -> bool {
    WAKEUP.init();
    ENDED.init();
    IS_ENDING.store(false, Relaxed);
    let is_on = thread::spawn("oxuv-stall", || Watcher::default().run());
    STATE.store(if is_on { ON } else { OFF }, Release);
    is_on
}

unsafe extern "C" fn in_child() {
    if STATE.load(Relaxed) != OFF {
        watched::reset_after_fork();
        STATE.store(FORKED, Relaxed);
    }
}

extern "C" fn at_exit() {
    if STATE.load(Acquire) == ON {
        IS_ENDING.store(true, Release);
        WAKEUP.post();
        ENDED.wait(END_MS);
        STATE.store(OFF, Relaxed);
    }
}

/// Takes an event.
#[inline]
pub(crate) fn report(event: Event, what: u32, object: *const c_void, detail: usize) {
    match STATE.load(Relaxed) {
        ON => {}
        FORKED if matches!(event, Event::LoopForked | Event::RunBegins) => {
            if !begin() {
                return;
            }
        }
        _ => return,
    }
    let is_callback = matches!(event, Event::CallbackBegins | Event::CallbackEnds);
    if !is_callback || what == Callback::Work as u32 {
        return;
    }
    let Some(own) = watched::ALL.own() else {
        return;
    };
    let now = thread::now_ns();
    match event {
        Event::CallbackBegins => {
            // SAFETY: the object is live, since its callback begins.
            let kind = unsafe { objects::kind(what, object) };
            own.begin(now, what | kind << 16, object.addr(), detail);
        }
        _ => own.end(now, LIMIT_NS.load(Relaxed)),
    }
}

/// What callbacks of one function took that took too long.
#[derive(Default, Clone, Copy)]
struct Sum {
    count: u64,
    longest_ns: u64,
}

impl Sum {
    fn add(&mut self, length_ns: u64) {
        self.count += 1;
        self.longest_ns = self.longest_ns.max(length_ns);
    }
}

#[derive(Default)]
struct Watcher {
    symbols: Symbols,
    /// By the threads' numbers: the beginning of the callback that was named last.
    named: HashMap<i32, u64>,
    /// By the callbacks' addresses.
    sums: HashMap<usize, Sum>,
    /// Those that ended before the one before was looked at.
    missed: u64,
}

fn ms(ns: u64) -> u64 {
    ns / 1_000_000
}

/// What a callback is: `timer callback`.
fn kind_of(what: u32) -> &'static str {
    match names::callback(what & 0xffff) {
        "phase" => names::handle(what >> 16),
        name => name,
    }
}

impl Watcher {
    fn run(mut self) {
        let limit_ns = LIMIT_NS.load(Relaxed);
        let pause = Duration::from_nanos(limit_ns / LOOKS).as_millis().max(1) as u64;
        while !IS_ENDING.load(Acquire) {
            WAKEUP.wait(pause);
            self.look(limit_ns);
        }
        self.look(limit_ns);
        self.sum_up(limit_ns);
        ENDED.post();
    }

    fn look(&mut self, limit_ns: u64) {
        for watched in watched::ALL.all() {
            let thread = watched.thread.load(Relaxed);
            let (slow, missed) = watched.take_slow();
            self.missed += u64::from(missed);
            if let Some(slow) = slow {
                self.tell_end(thread, &slow);
            }
            let running = watched.running(thread::now_ns());
            let Some(seen) = running.filter(|seen| seen.length_ns >= limit_ns) else {
                continue;
            };
            if self.named.get(&thread) != Some(&seen.begin_ns) {
                self.named.insert(thread, seen.begin_ns);
                self.tell_running(thread, &seen);
            }
        }
    }

    fn tell_running(&mut self, thread: i32, seen: &Seen) {
        let object = seen.object;
        // First: it may end at any moment.
        let lines = frames::of_thread(thread);
        let name = self.symbols.name(seen.callback);
        let mut text = format!(
            "oxuv: stall: the {} callback {name} has run for {} ms, on {object:#x}, thread {thread}\n",
            kind_of(seen.what),
            ms(seen.length_ns),
        );
        for line in lines {
            text.push_str(&format!("oxuv:   {line}\n"));
        }
        eprint!("{text}");
    }

    fn tell_end(&mut self, thread: i32, slow: &Seen) {
        self.sums
            .entry(slow.callback)
            .or_default()
            .add(slow.length_ns);
        let name = self.symbols.name(slow.callback);
        eprintln!(
            "oxuv: stall: the {} callback {name} took {} ms, thread {thread}",
            kind_of(slow.what),
            ms(slow.length_ns),
        );
    }

    fn sum_up(&mut self, limit_ns: u64) {
        let count: u64 = self.sums.values().map(|sum| sum.count).sum::<u64>() + self.missed;
        let longest = self
            .sums
            .values()
            .map(|sum| sum.longest_ns)
            .max()
            .unwrap_or(0);
        let limit = ms(limit_ns);
        let mut text = match count {
            0 => format!("oxuv: stalls of {limit} ms or more: none\n"),
            _ => format!(
                "oxuv: stalls of {limit} ms or more: {count}, the longest took {} ms\n",
                ms(longest)
            ),
        };
        let mut all: Vec<(&usize, &Sum)> = self.sums.iter().collect();
        all.sort_by_key(|(_, sum)| core::cmp::Reverse((sum.longest_ns, sum.count)));
        for (callback, sum) in all {
            let name = describe(*callback);
            let longest = ms(sum.longest_ns);
            text.push_str(&format!(
                "oxuv:   {} x {name}, at most {longest} ms\n",
                sum.count
            ));
        }
        eprint!("{text}");
    }
}
