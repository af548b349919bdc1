//! Looking for a while before going to sleep.
//!
//! To sleep and be woken costs several microseconds of processor time, more where the processor
//! itself goes idle; when the next event is closer than that, looking for it is the cheaper way to
//! wait. Whether it is cannot be known beforehand, so whoever waits ([`Spin`]: a loop, or a worker
//! of the pool) tries both, now and then, and takes the one that used less processor time for the
//! same number of waits, and for the same amount of work: who is woken at once by each of many small
//! pieces has more to do than who finds them together when it wakes up. Who loses the processor to
//! others all the time while it looks stops. Long waits keep it from trying at all: an idle program
//! never looks.
//!
//! Where many more waiters than processors look at once, each keeps those from running that it waits
//! for. They may let each other have the processor between two looks instead ([`Way::Yielding`]): that is
//! tried when looking has failed among so many. Who yields to somebody that is busy gets the
//! processor back late; so it must not take longer on the whole, and where it does for several, all
//! waiters of the process stop yielding for a while.
//!
//! `OXUV_SPIN_US` is the longest look in microseconds, 0 turns it off. It is off on one processor.

mod bill;
mod company;
mod experience;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::clock;
use crate::system::cpu;
use crate::system::settings::Setting;

pub(crate) use experience::Spin;

/// The longest look unless the environment says otherwise.
const DEFAULT_MICROSECONDS: usize = 50;
/// The longest look that the environment may ask for.
const MOST_MICROSECONDS: usize = 1000;
/// So many looks from one look at the clock to the next.
const ROUNDS: u32 = 16;
/// Waiters that look let each other have the processor for less than so many nanoseconds.
const LONG_AWAY: u64 = 1_000_000;

/// What to do between two looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Plain = 0,
    /// Let others have the processor.
    Yielding = 1,
}

/// How a wait went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Slept,
    LookedInVain,
    Found,
}

/// The longest look in nanoseconds; 0 for none.
pub(crate) fn limit() -> u64 {
    const UNKNOWN: u64 = u64::MAX;
    static LIMIT: AtomicU64 = AtomicU64::new(UNKNOWN);
    static SETTING: Setting = Setting::new(c"OXUV_SPIN_US", MOST_MICROSECONDS, "50");
    let known = LIMIT.load(Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let asked = SETTING.value().unwrap_or(DEFAULT_MICROSECONDS);
    let limit = if cpu::processors() > 1 {
        asked as u64 * 1000
    } else {
        0
    };
    LIMIT.store(limit, Relaxed);
    limit
}

/// Looks until `look` finds something or the time is over; whether it found something.
fn until(began: u64, limit: u64, mut look: impl FnMut() -> bool) -> bool {
    let mut round = 0u32;
    loop {
        if look() {
            return true;
        }
        round += 1;
        if round.is_multiple_of(ROUNDS) && clock::monotonic_ns().saturating_sub(began) >= limit {
            return false;
        }
        for _ in 0..2 {
            core::hint::spin_loop();
        }
    }
}

/// The same, letting others have the processor between two looks; and for how many nanoseconds they
/// had it when that was long.
fn until_yielding(began: u64, limit: u64, mut look: impl FnMut() -> bool) -> (bool, u64) {
    let (mut before, mut late) = (began, 0);
    loop {
        if look() {
            return (true, late);
        }
        // SAFETY: takes no arguments.
        unsafe { libc::sched_yield() };
        let now = clock::monotonic_ns();
        let away = now.saturating_sub(before);
        late += if away > LONG_AWAY { away } else { 0 };
        if now.saturating_sub(began) >= limit {
            return (false, late);
        }
        before = now;
    }
}

/// In a forked child.
pub(crate) fn forget_parent() {
    company::PROCESS.forget();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_end_when_something_is_found_or_the_time_is_over() {
        let mut count = 0;
        let began = clock::monotonic_ns();
        assert!(until(began, u64::MAX, || {
            count += 1;
            count == 100
        }));
        assert!(!until(began, 0, || false));
        assert!(!until_yielding(began, 0, || false).0);
        assert_eq!(until_yielding(began, 0, || true), (true, 0));
    }
}
