//! Spinning for a while before blocking.
//!
//! To block and be woken takes tens of microseconds, more where the processor itself goes idle. A
//! loop or a worker whose next event is closer than that waits quicker, and cheaper, by spinning.
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

/// A thread that waits for one thing after the other.
pub(crate) struct Waiter {
    policy: Policy,
    /// When the last wait ended, by the monotonic clock.
    ended_ns: u64,
    /// When this one began to spin, if that was enough; else for how long it spun. 0 if it did not.
    found_since_ns: u64,
    missed_ns: u64,
}

impl Waiter {
    pub(crate) const fn new() -> Waiter {
        Waiter {
            policy: Policy::new(&PROBES),
            ended_ns: 0,
            found_since_ns: 0,
            missed_ns: 0,
        }
    }

    /// Whether the wait that begins now should spin first.
    #[inline]
    pub(crate) fn should_spin(&mut self) -> bool {
        window_ns() > 0 && self.policy.should_spin()
    }

    /// Spins until `is_there` or the window is over; whether it is there. Does nothing where as
    /// many threads spin as may.
    pub(crate) fn spin(&mut self, mut is_there: impl FnMut() -> bool) -> bool {
        if SPINNERS.fetch_add(1, Relaxed) + 1 < cpu::processors() {
            let began_ns = clock::monotonic_ns();
            match spin_until(began_ns.saturating_add(window_ns()), &mut is_there) {
                None => self.found_since_ns = began_ns,
                Some(now_ns) => self.missed_ns = now_ns.saturating_sub(began_ns),
            }
        }
        SPINNERS.fetch_sub(1, Relaxed);
        self.found_since_ns > 0
    }

    /// The wait ended at `now_ns`, by the monotonic clock.
    pub(crate) fn waited(&mut self, now_ns: u64) {
        let wait = match (self.found_since_ns, self.missed_ns) {
            (0, 0) => Wait::Blocked,
            (0, missed_ns) => Wait::Missed(missed_ns),
            (since_ns, _) => Wait::Spun(now_ns.saturating_sub(since_ns)),
        };
        let cycle_ns = now_ns.saturating_sub(self.ended_ns);
        (self.ended_ns, self.found_since_ns, self.missed_ns) = (now_ns, 0, 0);
        self.policy.waited(cycle_ns, wait);
    }
}

/// Spins until `is_there`; or until the clock has reached `end_ns`, and says what it shows then.
fn spin_until(end_ns: u64, is_there: &mut impl FnMut() -> bool) -> Option<u64> {
    loop {
        // The clock takes as long as some looks: it is asked after several.
        for _ in 0..16 {
            if is_there() {
                return None;
            }
            core::hint::spin_loop();
        }
        let now_ns = clock::monotonic_ns();
        if now_ns >= end_ns {
            return Some(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spinning_ends_when_it_is_there_or_the_window_is_over() {
        let mut count = 0;
        let found = spin_until(u64::MAX, &mut || {
            count += 1;
            count == 100
        });
        assert_eq!(found, None);
        assert!(spin_until(0, &mut || false).is_some());
    }
}
