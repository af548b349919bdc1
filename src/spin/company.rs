//! The waiters of a process, as far as they try to look together.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Way;
use crate::system::cpu;

/// What waiters know of each other. All of it is hints.
pub(super) struct Company {
    /// How many trials loops have begun, times two, plus one if they yield in the last one: workers
    /// and other loops join them, since who looks for somebody that sleeps looks in vain for as long
    /// as that takes to wake up.
    trials: AtomicU32,
    /// The way of the next one.
    next_way: AtomicU32,
    /// How many waiters have had a reason to try.
    candidates: AtomicU32,
}

/// The one of this process.
pub(super) static PROCESS: Company = Company::new();

impl Company {
    pub(super) const fn new() -> Company {
        Company {
            trials: AtomicU32::new(0),
            next_way: AtomicU32::new(Way::Plain as u32),
            candidates: AtomicU32::new(0),
        }
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
        let are_many = self.candidates.load(Relaxed) as usize > cpu::processors();
        let next = match way {
            Way::Plain if are_many => Way::Yielding,
            _ => Way::Plain,
        };
        self.next_way.store(next as u32, Relaxed);
    }

    pub(super) fn candidate_comes(&self) {
        self.candidates.fetch_add(1, Relaxed);
    }

    pub(super) fn candidate_goes(&self) {
        self.candidates.fetch_sub(1, Relaxed);
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
        (0..=cpu::processors()).for_each(|_| company.candidate_comes());
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Yielding);
        assert_eq!(Way::of_trial(company.last_trial()), Way::Yielding);
        company.has_failed(Way::Yielding);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Plain);
        company.candidate_goes();
        company.has_failed(Way::Plain);
        assert_eq!(Way::of_trial(company.begin_trial()), Way::Plain);
    }
}
