//! Spinning for a while before blocking.
//!
//! To block and be woken takes tens of microseconds, more where the processor itself goes idle. A
//! loop or a pool whose next event is closer than that waits quicker, and cheaper, by spinning.
//! [`Waiter`] is what each of them has; `policy.rs` decides. Fewer threads spin at once than there
//! are processors, so that whoever they wait for can run.
//!
//! `OXUV_SPIN_US` is how long a wait spins at most, in microseconds; 0 is never.

mod policy;

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::sys::clock;
use crate::system::cpu;
use crate::system::settings::Setting;
use policy::{Policy, Wait};

/// How long a wait spins unless the environment says otherwise: as long as a blocked partner may
/// take to wake up.
const DEFAULT_WINDOW_US: usize = 50;
/// The longest window that the environment may ask for. Beyond 200 µs the policy takes a wait for
/// one that lost the processor.
const MAX_WINDOW_US: usize = 1000;

/// The probes that waiters of this process have begun.
static PROBES: AtomicU32 = AtomicU32::new(0);
/// How many threads of this process spin right now.
static SPINNERS: AtomicUsize = AtomicUsize::new(0);

/// How long a wait spins at most, in nanoseconds; 0 for not at all, as on a single processor.
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

/// Who waits for one thing after the other: a loop, or the workers of the pool together.
pub(crate) struct Waiter {
    policy: Policy,
    /// When the last wait ended, by the monotonic clock, and how much was done since.
    ended_ns: u64,
    done: u64,
}

/// What came of spinning.
#[derive(Clone, Copy)]
pub(crate) enum Spun {
    /// It was not tried, or others do already.
    Not,
    /// It was enough, since then by the monotonic clock.
    Enough { since_ns: u64 },
    /// It was not, for so long.
    InVain { ns: u64 },
}

impl Waiter {
    pub(crate) const fn new() -> Waiter {
        Waiter {
            policy: Policy::new(&PROBES),
            ended_ns: 0,
            done: 0,
        }
    }

    /// Whether the wait that begins now should spin first.
    #[inline]
    pub(crate) fn should_spin(&mut self) -> bool {
        window_ns() > 0 && self.policy.should_spin()
    }

    /// So many jobs were done, or events delivered.
    #[inline]
    pub(crate) fn did(&mut self, count: u64) {
        self.done += count;
    }

    /// The wait ended at `now_ns`, by the monotonic clock.
    pub(crate) fn waited(&mut self, now_ns: u64, spun: Spun) {
        let wait = match spun {
            Spun::Not => Wait::Blocked,
            Spun::InVain { ns } => Wait::Missed(ns),
            Spun::Enough { since_ns } => Wait::Spun(now_ns.saturating_sub(since_ns)),
        };
        let cycle_ns = now_ns.saturating_sub(self.ended_ns);
        self.policy.waited(cycle_ns, self.done, wait);
        (self.ended_ns, self.done) = (now_ns, 0);
    }
}

/// Spins until `is_there`, or the window is over, or others spin, as many as may. The first looks are
/// free: the others may have just got what they wait for.
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

/// Looks until `is_there`, for `window_ns` nanoseconds at most; after the first few looks, and again
/// after every few, only while it `may_go_on`.
fn spin_for(
    window_ns: u64,
    mut is_there: impl FnMut() -> bool,
    mut may_go_on: impl FnMut() -> bool,
) -> Spun {
    let since_ns = clock::monotonic_ns();
    loop {
        // The clock takes as long as some looks: it is asked after several.
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
    fn spinning_ends_when_it_is_there_or_the_window_is_over() {
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
    fn the_first_looks_are_free() {
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
