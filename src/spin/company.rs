//! The waiters of a process, as far as they try to look together.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::Way;
use crate::sys::clock;
use crate::system::cpu;

/// What waiters know of each other. All of it is hints.
pub(super) struct Company {
    /// How many trials loops have begun, times two, plus one if they yield in the last one: workers
    /// and other loops join them, since who looks for somebody that sleeps looks in vain for as long
    /// as that takes to wake up.
    trials: AtomicU32,
    /// The way of the next one.
    next_way: AtomicU32,
    /// How many waiters have a reason to try.
    candidates: AtomicU32,
    /// Nobody yields before this time in nanoseconds, since who did got on more slowly.
    barred_until: AtomicU64,
    /// For how long yielding was barred the last time.
    bar: AtomicU64,
    /// How many found that since the time beside it.
    slow: AtomicU32,
    slow_since: AtomicU64,
}

/// So many who get on more slowly within so many nanoseconds say that others have the processor.
const SLOW: u32 = 3;
const SLOW_WITHIN: u64 = 100_000_000;
/// For how long yielding is barred then; doubled each time up to the second number.
const BAR: u64 = 20_000_000;
const LONGEST_BAR: u64 = 30_000_000_000;

/// The one of this process.
pub(super) static PROCESS: Company = Company::new();

impl Company {
    pub(super) const fn new() -> Company {
        Company {
            trials: AtomicU32::new(0),
            next_way: AtomicU32::new(Way::Plain as u32),
            candidates: AtomicU32::new(0),
            barred_until: AtomicU64::new(0),
            bar: AtomicU64::new(0),
            slow: AtomicU32::new(0),
            slow_since: AtomicU64::new(0),
        }
    }

    /// In a forked child: the waiters of the parent's other threads are not here.
    pub(super) fn forget(&self) {
        self.candidates.store(0, Relaxed);
        self.next_way.store(Way::Plain as u32, Relaxed);
    }

    /// The number of the last trial; see [`Way::of_trial`].
    #[inline]
    pub(super) fn last_trial(&self) -> u32 {
        self.trials.load(Relaxed)
    }

    /// Has others join a trial; its number. Should two begin at once, one of them is alone.
    pub(super) fn begin_trial(&self) -> u32 {
        let before = self.trials.load(Relaxed) & !1;
        let number = before.wrapping_add(2) | self.next_way.load(Relaxed);
        self.trials.store(number, Relaxed);
        number
    }

    /// Whoever began a trial has found looking in this way to be the dearer one.
    pub(super) fn has_failed(&self, way: Way) {
        // Fewer find their partner running often enough.
        let are_many = self.candidates.load(Relaxed) as usize >= 2 * cpu::processors();
        let may_yield = || self.barred_until.load(Relaxed) < clock::monotonic_ns();
        let next = match way {
            Way::Plain if are_many && may_yield() => Way::Yielding,
            _ => Way::Plain,
        };
        self.next_way.store(next as u32, Relaxed);
    }

    /// Somebody who yields gets on more slowly than when he slept. If there are several, somebody else
    /// has the processors that they leave to each other: then all stop yielding.
    pub(super) fn was_slow(&self, now: u64) {
        if now.saturating_sub(self.slow_since.load(Relaxed)) > SLOW_WITHIN {
            self.slow_since.store(now, Relaxed);
            self.slow.store(0, Relaxed);
        }
        if self.slow.fetch_add(1, Relaxed) + 1 == SLOW {
            let bar = (self.bar.load(Relaxed) * 2).clamp(BAR, LONGEST_BAR);
            self.bar.store(bar, Relaxed);
            self.barred_until.store(now.saturating_add(bar), Relaxed);
            self.next_way.store(Way::Plain as u32, Relaxed);
        }
    }

    /// Changes when yielding is barred.
    #[inline]
    pub(super) fn barred_until(&self) -> u64 {
        self.barred_until.load(Relaxed)
    }

    /// Yielding has paid for long.
    pub(super) fn has_kept(&self, way: Way) {
        if way == Way::Yielding {
            self.bar.store(0, Relaxed);
        }
    }

    pub(super) fn candidate_comes(&self) {
        self.candidates.fetch_add(1, Relaxed);
    }

    pub(super) fn candidate_goes(&self) {
        // Those of a forked process's parent are not counted any more.
        let one_less = |number: u32| number.checked_sub(1);
        let _ = self.candidates.fetch_update(Relaxed, Relaxed, one_less);
    }
}

impl Way {
    pub(super) fn of_trial(number: u32) -> Way {
        if number & 1 == Way::Plain as u32 {
            Way::Plain
        } else {
            Way::Yielding
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yielding_is_tried_when_plain_looks_have_failed_among_many() {
        let company = Company::new();
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Plain);
        (0..2 * cpu::processors()).for_each(|_| company.candidate_comes());
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Yielding);
        assert_eq!(Way::of_trial(company.last_trial()), Way::Yielding);
        company.has_failed(Way::Yielding);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Plain);
        company.candidate_goes();
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Plain);
    }

    #[test]
    fn yielding_is_barred_when_it_makes_several_slow() {
        let company = Company::new();
        (0..2 * cpu::processors()).for_each(|_| company.candidate_comes());
        let now = clock::monotonic_ns();
        (1..2 * SLOW).for_each(|i| company.was_slow(now + u64::from(2 * i) * SLOW_WITHIN));
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Yielding);
        (0..SLOW).for_each(|_| company.was_slow(now + 1000 * SLOW_WITHIN));
        assert_eq!(company.barred_until(), now + 1000 * SLOW_WITHIN + BAR);
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Plain);
        (0..SLOW).for_each(|_| company.was_slow(now + 2000 * SLOW_WITHIN));
        assert_eq!(company.barred_until(), now + 2000 * SLOW_WITHIN + 2 * BAR);
    }

    #[test]
    fn no_fewer_than_none_are_candidates() {
        let company = Company::new();
        company.candidate_comes();
        company.forget();
        company.candidate_goes();
        assert_eq!(company.candidates.load(Relaxed), 0);
    }
}
