//! Spinning for a while before blocking.
//!
//! To block and be woken takes tens of microseconds, and more where the processor itself goes idle. A
//! loop or a pool whose next event is closer than that waits quicker, and cheaper, by spinning.
//! Each of them has a [`Waiter`]; `policy.rs` decides. Fewer threads spin at once than there are
//! processors, so that the thread that they wait for can run.
//!
//! Nothing here orders memory, on any processor. A thread that reads an old count spins for a window
//! that it would not have spun, or blocks earlier. What it waits for is the caller's to read: the
//! pool reads it again with its lock, the loop after it has said that it blocks.
//!
//! `OXUV_SPIN_US` is how long a wait spins at most, in microseconds; 0 turns spinning off.

mod policy;

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::sys::clock;
use crate::system::cpu;
use crate::system::settings::Setting;
use policy::{Policy, Wait};

/// How long a wait spins unless the environment says otherwise: as long as a blocked partner may
/// take to wake up.
const DEFAULT_WINDOW_US: usize = 50;
/// The longest window that the environment may ask for. The policy assumes of a wait beyond 200 µs
/// that its thread lost the processor.
const MAX_WINDOW_US: usize = 1000;

/// How many probes waiters of this process have begun.
static PROBES: AtomicU32 = AtomicU32::new(0);
/// How many threads of this process spin right now.
static SPINNERS: AtomicUsize = AtomicUsize::new(0);

/// How long a wait spins at most, in nanoseconds. It is 0 on a single processor.
pub(crate) fn window_ns() -> u64 {
    const UNKNOWN: u64 = u64::MAX;
    static SETTING: Setting = Setting::new(c"OXUV_SPIN_US", MAX_WINDOW_US, "50");
    static WINDOW_NS: AtomicU64 = AtomicU64::new(UNKNOWN);
    let known = WINDOW_NS.load(Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let asked = SETTING.value().unwrap_or(DEFAULT_WINDOW_US);
    let window = match cpu::processors() {
        0 | 1 => 0,
        _ => asked as u64 * 1000,
    };
    WINDOW_NS.store(window, Relaxed);
    window
}

/// In a forked child, which has none of the parent's other threads.
pub(crate) fn reset_after_fork() {
    SPINNERS.store(0, Relaxed);
}

/// What a loop, or the pool's workers together, know of their waits.
pub(crate) struct Waiter {
    policy: Policy,
    /// When the last wait ended, by the monotonic clock.
    ended_ns: u64,
    /// The events and jobs since then.
    events: u64,
}

/// What came of spinning.
#[derive(Clone, Copy)]
pub(crate) enum Spun {
    /// It was not tried, or too many others were spinning.
    Not,
    /// What the thread waits for came. It has spun since `since_ns` of the monotonic clock.
    Enough { since_ns: u64 },
    /// The window is over, after `ns` nanoseconds.
    InVain { ns: u64 },
}

impl Waiter {
    pub(crate) const fn new() -> Waiter {
        Waiter {
            policy: Policy::new(&PROBES),
            ended_ns: 0,
            events: 0,
        }
    }

    /// Whether the wait that begins now should spin first.
    #[inline]
    pub(crate) fn should_spin(&mut self) -> bool {
        window_ns() > 0 && self.policy.should_spin()
    }

    /// Counts jobs that were done, or events that were delivered.
    #[inline]
    pub(crate) fn count(&mut self, events: u64) {
        self.events += events;
    }

    /// The wait ended at `now_ns`, by the monotonic clock.
    pub(crate) fn waited(&mut self, now_ns: u64, spun: Spun) {
        let wait = match spun {
            Spun::Not => Wait::Blocked,
            Spun::InVain { ns } => Wait::Spun(ns),
            Spun::Enough { since_ns } => Wait::Spun(now_ns.saturating_sub(since_ns)),
        };
        let cycle_ns = now_ns.saturating_sub(self.ended_ns);
        self.policy.waited(cycle_ns, self.events, wait);
        (self.ended_ns, self.events) = (now_ns, 0);
    }
}

/// Spins until `is_there`, until the window is over, or until as many others spin as may. That is
/// asked after the first checks only: the others may be about to end.
pub(crate) fn spin(is_there: impl FnMut() -> bool) -> Spun {
    let mut is_counted = false;
    let spun = spin_for(window_ns(), is_there, || {
        is_counted = is_counted || may_spin();
        is_counted
    });
    if is_counted {
        SPINNERS.fetch_sub(1, Relaxed);
    }
    spun
}

/// Counts this thread among those that spin, if it may.
fn may_spin() -> bool {
    let most = cpu::processors() - 1;
    let more = |count| (count < most).then_some(count + 1);
    SPINNERS.fetch_update(Relaxed, Relaxed, more).is_ok()
}

/// Spins until `is_there`, for `window_ns` nanoseconds at most. After every few checks it asks whether
/// it `may_go_on`.
fn spin_for(
    window_ns: u64,
    mut is_there: impl FnMut() -> bool,
    mut may_go_on: impl FnMut() -> bool,
) -> Spun {
    let since_ns = clock::monotonic_ns();
    loop {
        // Reading the clock takes as long as some checks.
        for _ in 0..8 {
            if is_there() {
                return Spun::Enough { since_ns };
            }
            core::hint::spin_loop();
        }
        let ns = clock::monotonic_ns().saturating_sub(since_ns);
        if ns >= window_ns {
            return Spun::InVain { ns };
        }
        if !may_go_on() {
            return Spun::Not;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spinning_ends_with_the_event_or_the_window() {
        let mut count = 0;
        let mut hundredth = || {
            count += 1;
            count == 100
        };
        let spun = spin_for(u64::MAX, &mut hundredth, || true);
        assert!(matches!(spun, Spun::Enough { .. }));
        assert!(matches!(
            spin_for(0, || false, || true),
            Spun::InVain { .. }
        ));
    }

    #[test]
    fn the_first_checks_need_no_permission() {
        let mut count = 0;
        let mut third = || {
            count += 1;
            count == 3
        };
        let spun = spin_for(u64::MAX, &mut third, || false);
        assert!(matches!(spun, Spun::Enough { .. }));
        assert!(matches!(spin_for(u64::MAX, || false, || false), Spun::Not));
    }
}
