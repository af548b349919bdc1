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
//! `OXUV_SPIN_US` is the longest look in microseconds, 0 turns it off. It is off on one processor.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::sys::clock;
use crate::system::{cpu, environment};

/// The longest look unless the environment says otherwise.
const DEFAULT_MICROSECONDS: usize = 50;
/// No look is longer than this, whatever the environment says.
const MOST_MICROSECONDS: usize = 1000;
/// Waits below this many nanoseconds are short.
const SHORT: u64 = 100_000;
/// So many short waits in a row are worth a trial.
const PROMISING: u32 = 64;
/// How many waits are a window, of which the cost is told.
const TRIAL: u32 = 32;
/// How many waits are slept through before a trial, to know what that costs now.
const BEFORE_TRIAL: u32 = 2 * TRIAL;
/// Who looks compares again after so many waits.
const WATCH: u32 = 256;
/// How many waits a trial counts for that was won by looking.
const KEEP: u32 = 32768;
/// The same when sleeping won; doubled each time up to the second number.
const REST: u32 = 256;
const LONGEST_REST: u32 = 65536;
/// After so much of its rest a waiter joins the trials of others.
const REST_BEFORE_JOINING: u32 = 8;
/// Looking must be cheaper by one part in so many: one window is not like the next.
const MARGIN: u64 = 16;
/// Whoever looks may lose the processor so often in a wait: where two wake each other on one it is
/// once. More says that there are too many of them.
const PREEMPTIONS_PER_WAIT: u32 = 1;
/// In one of so many waits looking may be in vain.
const HITS_PER_MISS: u32 = 16;
/// So many looks from one look at the clock to the next.
const ROUNDS: u32 = 16;

/// What a waiter is at, and since how many waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Sleeping, for want of a reason to try anything else.
    Idle,
    /// Sleeping, to see what that costs now.
    TrySleeping,
    /// Looking, to see what that costs.
    TryLooking,
    Looking,
    /// Sleeping, which was the cheaper way when it was tried last.
    Sleeping,
}

/// How a wait went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Slept,
    LookedInVain,
    Found,
}

/// How many trials loops have begun: workers and other loops join them, since who looks for somebody
/// that sleeps looks in vain for as long as that takes to wake up.
static TRIALS: AtomicU32 = AtomicU32::new(0);

/// What some waits have cost, and brought.
#[derive(Clone, Copy, Default)]
struct Bill {
    /// Processor time in nanoseconds.
    cost: u64,
    work: u64,
}

impl Bill {
    /// What so many waits cost at the prices of this bill, which is for `TRIAL` waits.
    fn price(self, waits: u32) -> u64 {
        self.cost * u64::from(waits) / u64::from(TRIAL)
    }

    /// The same, or what so much work costs if that is less. Work is dearer than the bill says, since
    /// whoever wakes a sleeper pays for that as well.
    fn price_of_work(self, waits: u32, work: u64) -> u64 {
        let by_waits = self.price(waits);
        if self.work == 0 || work == 0 {
            return by_waits;
        }
        let by_work = u128::from(self.cost) * u128::from(work) * 3 / (2 * u128::from(self.work));
        by_work.min(u128::from(by_waits)) as u64
    }

    /// The mean with the next bill; just that if there was none.
    fn mean(self, next: Bill) -> Bill {
        if self.cost == 0 {
            return next;
        }
        Bill {
            cost: self.cost.midpoint(next.cost),
            work: self.work.midpoint(next.work),
        }
    }
}

/// The experience of one waiter.
pub(crate) struct Spin {
    state: State,
    /// Short waits in this state.
    waits: u32,
    /// How often looking was in vain in this state.
    misses: u32,
    /// The thread's processor time when the present window began; 0 before the first one.
    began: u64,
    /// What was done since then.
    work: u64,
    /// How often the thread had lost the processor to others when that was asked last.
    preemptions: u64,
    /// How often the waiter has slept in this window, which ends with `TRIAL` times.
    sleeps: u32,
    /// What such windows cost lately; nothing where that is not known.
    sleeping: Bill,
    rest: u32,
    /// The trials of loops that this waiter knows of.
    trials: u32,
    /// The trial under way is another one's.
    has_joined: bool,
    /// The last wait was a long one.
    was_long: bool,
    is_loop: bool,
}

impl Spin {
    pub(crate) const fn of_loop() -> Spin {
        Spin {
            is_loop: true,
            ..Spin::of_worker()
        }
    }

    pub(crate) const fn of_worker() -> Spin {
        Spin {
            state: State::Idle,
            waits: 0,
            misses: 0,
            began: 0,
            work: 0,
            preemptions: 0,
            sleeps: 0,
            sleeping: Bill { cost: 0, work: 0 },
            rest: REST,
            trials: 0,
            has_joined: false,
            was_long: false,
            is_loop: false,
        }
    }

    /// Counts what was done since the last wait, in bytes or whatever compares with them.
    #[inline]
    pub(crate) fn worked(&mut self, amount: u64) {
        self.work = self.work.wrapping_add(amount);
    }

    /// Whether the next wait should begin with looking.
    #[inline]
    pub(crate) fn should_look(&self) -> bool {
        matches!(self.state, State::TryLooking | State::Looking)
    }

    /// Takes part in a trial that some loop has begun.
    #[inline]
    pub(crate) fn join_trials(&mut self) {
        let trials = TRIALS.load(Relaxed);
        if trials != self.trials {
            self.consider(trials);
        }
    }

    fn consider(&mut self, trials: u32) {
        let is_known = self.sleeping.cost > 0;
        if self.state == State::TrySleeping && !is_known {
            // It will be soon.
            return;
        }
        self.trials = trials;
        let may_join = match self.state {
            State::TryLooking | State::Looking => false,
            // A worker has no long waits of its own: it waits for loops.
            State::Idle => !self.is_loop,
            State::TrySleeping => true,
            State::Sleeping => {
                self.waits >= self.rest / REST_BEFORE_JOINING && !(self.is_loop && self.was_long)
            }
        };
        if may_join && is_known {
            self.has_joined = true;
            self.enter(State::TryLooking);
        }
    }

    fn begin_trial(&mut self) {
        if self.is_loop {
            self.trials = TRIALS.fetch_add(1, Relaxed).wrapping_add(1);
        }
        self.has_joined = false;
        self.enter(State::TryLooking);
    }

    fn enter(&mut self, state: State) {
        if self.state == State::Looking || state == State::TrySleeping {
            // What sleeping did cost before says nothing of now.
            self.sleeping = Bill::default();
        }
        self.state = state;
        self.waits = 0;
        self.misses = 0;
        self.end_window();
        if state == State::TryLooking {
            self.preemptions = clock::preemptions();
        }
    }

    /// A wait is over that began with looking, perhaps for another reason than this experience, of
    /// which it is no part then.
    pub(crate) fn looked(&mut self, nanoseconds: u64, how: How) {
        if self.should_look() {
            self.waited(nanoseconds, how);
        } else {
            // The window's cost would be that of this wait as well.
            self.began = 0;
        }
    }

    /// A wait is over that took so many nanoseconds.
    pub(crate) fn waited(&mut self, nanoseconds: u64, how: How) {
        if how == How::Slept {
            if self.should_look() {
                // Somebody else looked meanwhile: this says nothing.
                return;
            }
            self.slept();
        }
        self.was_long = nanoseconds > SHORT;
        if self.was_long {
            self.waited_long();
            return;
        }
        self.waits += 1;
        self.misses += u32::from(how == How::LookedInVain);
        match self.state {
            State::Idle if self.waits >= PROMISING => self.enter(State::TrySleeping),
            State::TrySleeping if self.waits >= BEFORE_TRIAL => self.begin_trial(),
            State::Sleeping if self.waits >= self.rest => self.enter(State::TrySleeping),
            State::TryLooking => self.judge(),
            State::Looking => self.watch(),
            _ => {}
        }
    }

    fn waited_long(&mut self) {
        match self.state {
            State::Idle | State::TrySleeping => {
                self.state = State::Idle;
                self.waits = 0;
            }
            State::Sleeping => {}
            // Long waits say nothing against what others try.
            State::TryLooking if self.has_joined => self.enter(State::Sleeping),
            State::TryLooking => self.give_up(),
            State::Looking => {
                self.misses += 1;
                self.doubt();
            }
        }
    }

    /// Counts towards what sleeping costs.
    fn slept(&mut self) {
        self.sleeps += 1;
        if self.sleeps >= TRIAL
            && let Some(bill) = self.end_window()
        {
            self.sleeping = self.sleeping.mean(bill);
        }
    }

    /// What the window cost and brought, if there was one; the next one begins.
    fn end_window(&mut self) -> Option<Bill> {
        let now = clock::thread_cpu_ns();
        let bill = (self.began > 0).then(|| Bill {
            cost: now.saturating_sub(self.began),
            work: self.work,
        });
        self.began = now;
        self.work = 0;
        self.sleeps = 0;
        bill
    }

    /// Compares looking with sleeping; early, when it is much dearer.
    fn judge(&mut self) {
        let is_over = self.waits >= TRIAL;
        if !is_over && !self.waits.is_multiple_of(TRIAL / 4) {
            return;
        }
        let cost = clock::thread_cpu_ns().saturating_sub(self.began);
        let is_dear = cost > 2 * self.sleeping.price(self.waits)
            || is_over && !self.is_cheap(cost, self.waits, self.work);
        if self.misses > TRIAL / 8 || is_dear || is_over && self.is_in_the_way(TRIAL) {
            self.give_up();
        } else if is_over {
            self.enter(State::Looking);
        }
    }

    /// Sees whether looking still is the cheaper way, and now and then what sleeping costs by now.
    fn watch(&mut self) {
        if self.waits >= KEEP {
            self.rest = REST;
            self.enter(State::TrySleeping);
        } else if self.waits.is_multiple_of(WATCH)
            && let Some(bill) = self.end_window()
            && (!self.is_cheap(bill.cost, WATCH, bill.work) || self.is_in_the_way(WATCH))
        {
            self.give_up();
        } else {
            self.doubt();
        }
    }

    /// Whether looking at that cost is clearly cheaper than sleeping.
    fn is_cheap(&self, cost: u64, waits: u32, work: u64) -> bool {
        let price = self.sleeping.price_of_work(waits, work);
        cost <= price - price / MARGIN
    }

    /// Whether others needed the processor in so many waits; counts anew from here on.
    fn is_in_the_way(&mut self, waits: u32) -> bool {
        let now = clock::preemptions();
        let times = now.saturating_sub(core::mem::replace(&mut self.preemptions, now));
        times > u64::from(waits * PREEMPTIONS_PER_WAIT)
    }

    fn doubt(&mut self) {
        if self.misses > 4 + self.waits / HITS_PER_MISS {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.enter(State::Sleeping);
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }
}

/// The longest look in nanoseconds; 0 for none.
pub(crate) fn limit() -> u64 {
    const UNKNOWN: u64 = u64::MAX;
    static LIMIT: AtomicU64 = AtomicU64::new(UNKNOWN);
    let known = LIMIT.load(Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let asked = environment::number(c"OXUV_SPIN_US").unwrap_or(DEFAULT_MICROSECONDS);
    let limit = if cpu::are_several() {
        asked.min(MOST_MICROSECONDS) as u64 * 1000
    } else {
        0
    };
    LIMIT.store(limit, Relaxed);
    limit
}

/// Looks until `look` finds something or the time is over; whether it found something.
pub(crate) fn until(began: u64, limit: u64, mut look: impl FnMut() -> bool) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(spin: &mut Spin, times: u32, nanoseconds: u64, how: How) {
        for _ in 0..times {
            spin.waited(nanoseconds, how);
        }
    }

    /// Uses processor time: more than nothing, by the thread's own clock.
    fn burn() {
        let start = clock::thread_cpu_ns();
        while clock::thread_cpu_ns() - start < 20_000 {}
    }

    #[test]
    fn long_waits_are_never_looked_through() {
        let mut spin = Spin::of_loop();
        for _ in 0..1000 {
            wait(&mut spin, PROMISING - 1, 1000, How::Slept);
            wait(&mut spin, 1, SHORT + 1, How::Slept);
            assert_eq!(spin.state, State::Idle);
        }
    }

    #[test]
    fn looking_is_kept_while_it_is_cheaper() {
        let mut spin = Spin::of_loop();
        wait(&mut spin, PROMISING, 1000, How::Slept);
        assert_eq!(spin.state, State::TrySleeping);
        for _ in 0..BEFORE_TRIAL {
            burn();
            spin.waited(1000, How::Slept);
        }
        assert!(spin.state == State::TryLooking && spin.should_look());
        wait(&mut spin, TRIAL, 1000, How::Found);
        assert!(spin.state == State::Looking && spin.should_look());
        wait(&mut spin, KEEP, 1000, How::Found);
        assert_eq!(spin.state, State::TrySleeping);
    }

    #[test]
    fn looking_is_given_up_when_it_is_dearer() {
        let mut spin = Spin::of_loop();
        wait(&mut spin, PROMISING + BEFORE_TRIAL, 1000, How::Slept);
        assert_eq!(spin.state, State::TryLooking);
        for _ in 0..TRIAL {
            if spin.state != State::TryLooking {
                break;
            }
            burn();
            spin.waited(1000, How::Found);
        }
        assert_eq!(spin.state, State::Sleeping);
        let rest = spin.rest;
        wait(&mut spin, rest, 1000, How::Slept);
        assert_eq!(spin.state, State::TrySleeping);
    }

    #[test]
    fn looking_in_vain_ends_it() {
        let mut spin = Spin::of_loop();
        spin.enter(State::Looking);
        wait(&mut spin, 4, SHORT + 1, How::LookedInVain);
        assert_eq!(spin.state, State::Looking);
        wait(&mut spin, 1, SHORT + 1, How::LookedInVain);
        assert_eq!(spin.state, State::Sleeping);
    }

    #[test]
    fn loops_try_together_unless_they_are_idle_or_rest() {
        let rested = |was_long: bool, waits: u32| {
            let mut spin = Spin::of_loop();
            spin.enter(State::Sleeping);
            spin.sleeping.cost = 1;
            spin.was_long = was_long;
            spin.waits = waits;
            spin
        };
        let mut others = [rested(false, REST), rested(true, REST), rested(false, 0)];
        rested(false, REST).begin_trial();
        for other in &mut others {
            other.join_trials();
        }
        assert_eq!(
            others.map(|other| other.should_look()),
            [true, false, false]
        );
    }

    #[test]
    fn a_loop_that_is_about_to_know_what_sleeping_costs_joins_then() {
        let mut spin = Spin::of_loop();
        spin.enter(State::TrySleeping);
        Spin::of_loop().begin_trial();
        spin.join_trials();
        assert_eq!(spin.state, State::TrySleeping);
        for _ in 0..TRIAL {
            burn();
            spin.waited(1000, How::Slept);
        }
        spin.join_trials();
        assert_eq!(spin.state, State::TryLooking);
        let rest = spin.rest;
        spin.waited(SHORT + 1, How::LookedInVain);
        assert!(spin.state == State::Sleeping && spin.rest == rest);
    }

    #[test]
    fn what_sleeping_did_cost_once_counts_no_more() {
        let mut spin = Spin::of_loop();
        spin.sleeping.cost = u64::MAX / 1024;
        wait(&mut spin, PROMISING, 1000, How::Slept);
        assert_eq!(spin.state, State::TrySleeping);
        wait(&mut spin, BEFORE_TRIAL, 1000, How::Slept);
        assert!(spin.state == State::TryLooking && spin.sleeping.cost < 1_000_000_000);
    }

    #[test]
    fn looking_ends_when_it_has_become_dearer() {
        let mut spin = Spin::of_loop();
        spin.enter(State::Looking);
        spin.sleeping.cost = 1;
        wait(&mut spin, WATCH - 1, 1000, How::Found);
        assert_eq!(spin.state, State::Looking);
        burn();
        spin.waited(1000, How::Found);
        assert_eq!(spin.state, State::Sleeping);
    }

    #[test]
    fn looking_that_finds_less_at_a_time_is_judged_by_the_work() {
        for (found, kept) in [(1000, State::Looking), (100, State::Sleeping)] {
            let mut spin = Spin::of_loop();
            spin.enter(State::TrySleeping);
            for _ in 0..BEFORE_TRIAL {
                burn();
                spin.worked(1000);
                spin.waited(1000, How::Slept);
            }
            assert_eq!(spin.state, State::TryLooking);
            for _ in 0..TRIAL {
                // A quarter of what sleeping costs.
                if spin.waits.is_multiple_of(4) {
                    burn();
                }
                spin.worked(found);
                spin.waited(1000, How::Found);
            }
            assert_eq!(spin.state, kept);
        }
    }

    #[test]
    fn a_bill_is_for_waits_or_work() {
        let bill = Bill {
            cost: 3200,
            work: 64,
        };
        assert_eq!(bill.price(TRIAL / 2), 1600);
        assert_eq!(bill.price_of_work(TRIAL, 64), 3200);
        assert_eq!(bill.price_of_work(TRIAL / 2, 64), 1600);
        assert_eq!(bill.price_of_work(TRIAL, 16), 1200);
        assert_eq!(bill.price_of_work(TRIAL, 0), 3200);
        assert_eq!(Bill { work: 0, ..bill }.price_of_work(TRIAL, 16), 3200);
        let mean = Bill::default().mean(bill).mean(Bill { cost: 0, work: 0 });
        assert_eq!((mean.cost, mean.work), (1600, 32));
    }

    #[test]
    fn workers_join_the_trials_of_loops() {
        let mut worker = Spin::of_worker();
        let mut its_loop = Spin::of_loop();
        its_loop.begin_trial();
        worker.join_trials();
        assert_eq!(
            worker.state,
            State::Idle,
            "it does not know what sleeping costs"
        );
        for _ in 0..2 * TRIAL {
            burn();
            worker.waited(SHORT + 1, How::Slept);
        }
        assert!(worker.sleeping.cost > 0);
        its_loop.begin_trial();
        worker.join_trials();
        assert_eq!(worker.state, State::TryLooking);
    }

    #[test]
    fn looks_end_when_something_is_found_or_the_time_is_over() {
        let mut count = 0;
        let began = clock::monotonic_ns();
        assert!(until(began, u64::MAX, || {
            count += 1;
            count == 100
        }));
        assert!(!until(began, 0, || false));
    }
}
