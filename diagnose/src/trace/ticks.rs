//! The clock that records are stamped with: the processor's own counter where the kernel measures
//! time by it, which is read in a third of the time, and the kernel's clock elsewhere.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::thread;

static IS_COUNTER: AtomicBool = AtomicBool::new(false);

/// A moment by both clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) ticks: u64,
    pub(super) ns: u64,
}

/// Finds out whether the kernel trusts the counter: it is the same on all processors then.
pub(super) fn start() {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let is_trusted = std::fs::read_to_string(path).is_ok_and(|name| name.trim() == "tsc");
    IS_COUNTER.store(is_trusted && cfg!(target_arch = "x86_64"), Relaxed);
}

/// The time, in ticks.
#[inline]
pub(super) fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    if IS_COUNTER.load(Relaxed) {
        // SAFETY: every processor of this kind has the counter.
        return unsafe { core::arch::x86_64::_rdtsc() };
    }
    thread::now_ns()
}

/// The time by both clocks.
pub(super) fn moment() -> Moment {
    let before = now();
    let ns = thread::now_ns();
    Moment {
        ticks: before.midpoint(now()),
        ns,
    }
}

/// The nanoseconds at a time between two moments, or near them.
pub(super) fn to_ns(ticks: u64, from: Moment, to: Moment) -> u64 {
    let passed = i128::from(to.ticks) - i128::from(from.ticks);
    if passed <= 0 {
        return to.ns;
    }
    let passed_ns = i128::from(to.ns) - i128::from(from.ns);
    let since = i128::from(ticks) - i128::from(from.ticks);
    (i128::from(from.ns) + since * passed_ns / passed).max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_nanoseconds() {
        let moment = |ticks, ns| Moment { ticks, ns };
        let (from, to) = (moment(1_000, 50_000), moment(3_000, 51_000));
        assert_eq!(to_ns(1_000, from, to), 50_000);
        assert_eq!(to_ns(2_000, from, to), 50_500);
        assert_eq!(to_ns(3_000, from, to), 51_000);
        assert_eq!(to_ns(800, from, to), 49_900);
        assert_eq!(to_ns(5, from, from), 50_000);
    }

    #[test]
    fn both_clocks_go_on() {
        start();
        let from = moment();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let to = moment();
        assert!(to.ticks > from.ticks && to.ns > from.ns);
    }
}
