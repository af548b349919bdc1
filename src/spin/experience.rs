//! What a waiter has learnt of looking and of sleeping.

use super::bill::{Bill, WINDOW};
use super::company::{self, Company};
use super::{How, Way};
use crate::sys::clock;

/// Waits below this many nanoseconds are short.
const SHORT: u64 = 100_000;
/// So many short waits in a row are worth a trial.
const PROMISING: u32 = 64;
/// How many waits are slept through before a trial, to know what that costs now.
const BEFORE_TRIAL: u32 = 2 * WINDOW;
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
/// So many nanoseconds of others who have the processor end a trial of yielding.
const LATE: u64 = 8_000_000;
/// Who yields may be behind by so many nanoseconds.
const MOST_DELAY: u64 = 30_000_000;
/// In one of so many waits looking may be in vain; four times as often for those who yield.
const HITS_PER_MISS: u32 = 16;

/// When the first looks of a trial are all in vain, so many are enough to know.
const VAIN: u32 = 3;

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
    /// When that was.
    began_at: u64,
    /// For how long others have had the processor since then that kept it for long.
    late: u64,
    /// How far behind yielding has brought the waiter, who makes up for it in between.
    delay: u64,
    way: Way,
    /// How often the thread had lost the processor to others when that was asked last.
    preemptions: u64,
    /// How often the waiter has slept in this window, which ends with `WINDOW` times.
    sleeps: u32,
    /// What such windows cost lately; nothing where that is not known.
    sleeping: Bill,
    company: &'static Company,
    /// Counted as one who has a reason to try.
    is_candidate: bool,
    /// Until when the company barred yielding, as it was when this trial began.
    barred_until: u64,
    /// Long waits in a row.
    long_waits: u32,
    rest: u32,
    /// The trials of loops that this waiter knows of.
    trials: u32,
    /// The window of the trial under way counts: all have had the time to join.
    is_warm: bool,
    /// The trial under way is another one's.
    has_joined: bool,
    /// The last wait was a long one.
    was_long: bool,
    is_loop: bool,
}

impl Spin {
    pub(crate) fn of_loop() -> Spin {
        Spin::new(true, &company::PROCESS)
    }

    pub(crate) fn of_worker() -> Spin {
        Spin::new(false, &company::PROCESS)
    }

    fn new(is_loop: bool, company: &'static Company) -> Spin {
        Spin {
            state: State::Idle,
            waits: 0,
            misses: 0,
            began: 0,
            work: 0,
            began_at: 0,
            late: 0,
            delay: 0,
            way: Way::Plain,
            preemptions: 0,
            sleeps: 0,
            sleeping: Bill::NOTHING,
            company,
            is_candidate: false,
            barred_until: 0,
            long_waits: 0,
            rest: REST,
            trials: 0,
            is_warm: true,
            has_joined: false,
            was_long: false,
            is_loop,
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

    /// How to look; plainly when that is not for this experience to say.
    fn way(&self) -> Way {
        if self.should_look() {
            self.way
        } else {
            Way::Plain
        }
    }

    /// Takes part in a trial that some loop has begun.
    #[inline]
    pub(crate) fn join_trials(&mut self) {
        if self.way() == Way::Yielding && self.company.barred_until() != self.barred_until {
            self.enter(State::Sleeping);
        }
        let trials = self.company.last_trial();
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
        let way = Way::of_trial(trials);
        let is_idle = self.is_loop && self.was_long;
        let may_join = match self.state {
            // Who does not yield to the others spoils it for them.
            State::TryLooking | State::Looking => way == Way::Yielding && self.way == Way::Plain,
            // A worker has no long waits of its own: it waits for loops.
            State::Idle => !self.is_loop,
            State::TrySleeping => true,
            State::Sleeping if way == Way::Yielding => !is_idle,
            State::Sleeping => self.waits >= self.rest / REST_BEFORE_JOINING && !is_idle,
        };
        if may_join && is_known {
            self.has_joined = true;
            self.try_looking(way);
        }
    }

    fn begin_trial(&mut self) {
        let mut way = Way::Plain;
        if self.is_loop {
            self.trials = self.company.begin_trial();
            way = Way::of_trial(self.trials);
        }
        self.has_joined = false;
        self.try_looking(way);
    }

    fn try_looking(&mut self, way: Way) {
        self.way = way;
        self.enter(State::TryLooking);
        self.preemptions = clock::preemptions();
        self.is_warm = way == Way::Plain;
        self.barred_until = self.company.barred_until();
        self.delay = 0;
    }

    fn enter(&mut self, state: State) {
        let is_other_way = state == State::TryLooking;
        if self.state == State::Looking && !is_other_way || state == State::TrySleeping {
            // What sleeping did cost before says nothing of now.
            self.sleeping = Bill::NOTHING;
        }
        self.set_state(state);
        self.waits = 0;
        self.misses = 0;
        self.end_window();
    }

    fn set_state(&mut self, state: State) {
        self.state = state;
        self.be_candidate(state != State::Idle);
    }

    fn be_candidate(&mut self, is_one: bool) {
        match (self.is_candidate, is_one) {
            (false, true) => self.company.candidate_comes(),
            (true, false) => self.company.candidate_goes(),
            _ => {}
        }
        self.is_candidate = is_one;
    }

    /// Looks until `look` finds something or the time is over; whether it found something.
    pub(crate) fn look(&mut self, began: u64, limit: u64, look: impl FnMut() -> bool) -> bool {
        match self.way() {
            Way::Plain => super::until(began, limit, look),
            Way::Yielding => {
                let (is_found, late) = super::until_yielding(began, limit, look);
                self.late += late;
                is_found
            }
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
        self.misses += u32::from(how == How::LookedInVain);
        self.was_long = nanoseconds > SHORT;
        if self.was_long {
            self.waited_long();
            return;
        }
        self.long_waits = 0;
        self.waits += 1;
        match self.state {
            State::Idle if self.waits >= PROMISING => self.enter(State::TrySleeping),
            State::TrySleeping if self.waits >= BEFORE_TRIAL && self.sleeping.cost > 0 => {
                self.begin_trial();
            }
            State::Sleeping if self.waits >= self.rest => self.enter(State::TrySleeping),
            State::TryLooking => self.judge(),
            State::Looking => self.watch(),
            _ => {}
        }
    }

    fn waited_long(&mut self) {
        self.long_waits = self.long_waits.saturating_add(1);
        match self.state {
            State::Idle | State::TrySleeping => {
                self.set_state(State::Idle);
                self.waits = 0;
            }
            State::Sleeping if self.is_loop && self.long_waits == PROMISING => {
                self.be_candidate(false);
            }
            State::Sleeping => {}
            // Who yields gets the processor back late now and then. How long the waits are on the
            // whole is seen at the end of the window.
            State::TryLooking if self.bears_long_waits() => {
                self.waits += 1;
                self.judge();
            }
            State::Looking if self.bears_long_waits() => {
                self.waits += 1;
                self.watch();
            }
            State::TryLooking | State::Looking if self.way == Way::Yielding => self.give_up(),
            // Long waits say nothing against what others try.
            State::TryLooking if self.has_joined => self.enter(State::Sleeping),
            State::TryLooking => self.give_up(),
            State::Looking => self.doubt(),
        }
    }

    /// Whether a long wait is none too many. Who does not yield should have none at all.
    fn bears_long_waits(&self) -> bool {
        let most = match self.state {
            State::TryLooking => LATE,
            _ => MOST_DELAY,
        };
        self.way == Way::Yielding && self.late <= most
    }

    /// Counts towards what sleeping costs.
    fn slept(&mut self) {
        self.sleeps += 1;
        if self.sleeps >= WINDOW
            && let Some(bill) = self.end_window()
        {
            self.sleeping = self.sleeping.mean(bill);
        }
    }

    /// What the window cost and brought, if there was one; the next one begins.
    fn end_window(&mut self) -> Option<Bill> {
        let (now, now_at) = (clock::thread_cpu_ns(), clock::monotonic_ns());
        let bill = (self.began > 0).then(|| self.bill(now, now_at));
        self.began = now;
        self.work = 0;
        self.began_at = now_at;
        self.late = 0;
        self.sleeps = 0;
        bill
    }

    /// What the window has cost and brought, by what the thread's clock and the other one say.
    fn bill(&self, now: u64, now_at: u64) -> Bill {
        Bill {
            cost: now.saturating_sub(self.began),
            work: self.work,
            time: now_at.saturating_sub(self.began_at),
        }
    }

    /// Compares looking with sleeping; early, when it is much dearer.
    fn judge(&mut self) {
        let is_over = self.waits >= WINDOW;
        if !self.is_warm {
            if is_over {
                self.is_warm = true;
                self.enter(State::TryLooking);
            }
            return;
        }
        if self.way == Way::Plain && self.misses == VAIN && self.waits == VAIN {
            self.give_up();
            return;
        }
        if !is_over && !self.waits.is_multiple_of(WINDOW / 4) {
            return;
        }
        let bill = self.bill(clock::thread_cpu_ns(), clock::monotonic_ns());
        let price = self.sleeping.price_of_work(self.waits, self.work);
        let most = match self.way {
            Way::Plain => 2 * price,
            Way::Yielding => 3 * price,
        };
        let is_dear = bill.cost > most || is_over && !self.is_cheap(bill, self.waits);
        let is_bad = match self.way {
            Way::Plain => self.misses > WINDOW / 8 || is_over && self.is_in_the_way(WINDOW),
            Way::Yielding => bill.time > self.fair_time(bill, self.waits) + LATE,
        };
        if is_dear || is_bad {
            self.give_up();
        } else if is_over {
            self.enter(State::Looking);
        }
    }

    /// Sees whether looking still is the cheaper way, and now and then what sleeping costs by now.
    fn watch(&mut self) {
        if self.waits >= KEEP {
            self.company.has_kept(self.way);
            self.rest = REST;
            self.enter(State::TrySleeping);
            return;
        }
        let late = self.late;
        if self.waits.is_multiple_of(WATCH)
            && let Some(bill) = self.end_window()
        {
            // Waits for what nobody has sent yet are nobody's fault.
            let fair = self.fair_time(bill, WATCH);
            self.delay = (self.delay + bill.time.min(fair + late)).saturating_sub(fair);
            if !self.is_cheap(bill, WATCH) || self.is_behind() || self.is_in_the_way(WATCH) {
                self.give_up();
                return;
            }
        }
        self.doubt();
    }

    /// Whether looking at that cost is cheaper than sleeping: clearly, for one window is not like the
    /// next. Yielding may be dearer by a half, which is what the others save who need not wake
    /// anybody.
    fn is_cheap(&self, bill: Bill, waits: u32) -> bool {
        let price = self.sleeping.price_of_work(waits, bill.work);
        match self.way {
            Way::Plain => bill.cost <= price - price / MARGIN,
            Way::Yielding => bill.cost <= price * 3 / 2,
        }
    }

    /// How long so many waits may take.
    fn fair_time(&self, bill: Bill, waits: u32) -> u64 {
        self.sleeping.usual_time(waits, bill.work) * 3 / 2
    }

    fn is_behind(&self) -> bool {
        self.way == Way::Yielding && self.delay > MOST_DELAY
    }

    /// Whether others needed the processor in so many waits; counts anew from here on.
    fn is_in_the_way(&mut self, waits: u32) -> bool {
        if self.way == Way::Yielding {
            // They get it.
            return false;
        }
        let now = clock::preemptions();
        let times = now.saturating_sub(core::mem::replace(&mut self.preemptions, now));
        times > u64::from(waits * PREEMPTIONS_PER_WAIT)
    }

    fn doubt(&mut self) {
        let hits_per_miss = match self.way {
            Way::Plain => HITS_PER_MISS,
            Way::Yielding => HITS_PER_MISS / 4,
        };
        if self.misses > 4 + self.waits / hits_per_miss {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        if !self.has_joined {
            self.company.has_failed(self.way);
        }
        if self.late > LATE || self.is_behind() {
            self.company.was_slow(clock::monotonic_ns());
        }
        self.enter(State::Sleeping);
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        self.be_candidate(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> &'static Company {
        std::boxed::Box::leak(std::boxed::Box::new(Company::new()))
    }

    fn a_loop() -> Spin {
        Spin::new(true, company())
    }

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
        let mut spin = a_loop();
        for _ in 0..1000 {
            wait(&mut spin, PROMISING - 1, 1000, How::Slept);
            wait(&mut spin, 1, SHORT + 1, How::Slept);
            assert_eq!(spin.state, State::Idle);
        }
    }

    #[test]
    fn looking_is_kept_while_it_is_cheaper() {
        let mut spin = a_loop();
        wait(&mut spin, PROMISING, 1000, How::Slept);
        assert_eq!(spin.state, State::TrySleeping);
        for _ in 0..BEFORE_TRIAL {
            burn();
            spin.waited(1000, How::Slept);
        }
        assert!(spin.state == State::TryLooking && spin.should_look());
        wait(&mut spin, WINDOW, 1000, How::Found);
        assert!(spin.state == State::Looking && spin.should_look());
        wait(&mut spin, KEEP, 1000, How::Found);
        assert_eq!(spin.state, State::TrySleeping);
    }

    #[test]
    fn looking_is_given_up_when_it_is_dearer() {
        let mut spin = a_loop();
        wait(&mut spin, PROMISING + BEFORE_TRIAL, 1000, How::Slept);
        assert_eq!(spin.state, State::TryLooking);
        for _ in 0..WINDOW {
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
        let mut spin = a_loop();
        spin.enter(State::Looking);
        wait(&mut spin, 4, SHORT + 1, How::LookedInVain);
        assert_eq!(spin.state, State::Looking);
        wait(&mut spin, 1, SHORT + 1, How::LookedInVain);
        assert_eq!(spin.state, State::Sleeping);
    }

    #[test]
    fn a_trial_all_in_vain_ends_soon() {
        let mut spin = a_loop();
        wait(&mut spin, PROMISING, 1000, How::Slept);
        for _ in 0..BEFORE_TRIAL {
            burn();
            spin.waited(1000, How::Slept);
        }
        wait(&mut spin, VAIN - 1, 1000, How::LookedInVain);
        assert_eq!(spin.state, State::TryLooking);
        wait(&mut spin, 1, 1000, How::LookedInVain);
        assert_eq!(spin.state, State::Sleeping);
    }

    #[test]
    fn loops_try_together_unless_they_are_idle_or_rest() {
        let company = company();
        let rested = |was_long: bool, waits: u32| {
            let mut spin = Spin::new(true, company);
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
        let mut spin = a_loop();
        spin.enter(State::TrySleeping);
        Spin::new(true, spin.company).begin_trial();
        spin.join_trials();
        assert_eq!(spin.state, State::TrySleeping);
        for _ in 0..WINDOW {
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
        let mut spin = a_loop();
        spin.sleeping.cost = u64::MAX / 1024;
        wait(&mut spin, PROMISING, 1000, How::Slept);
        assert_eq!(spin.state, State::TrySleeping);
        wait(&mut spin, BEFORE_TRIAL, 1000, How::Slept);
        assert!(spin.state == State::TryLooking && spin.sleeping.cost < 1_000_000_000);
    }

    #[test]
    fn looking_ends_when_it_has_become_dearer() {
        let mut spin = a_loop();
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
            let mut spin = a_loop();
            spin.enter(State::TrySleeping);
            for _ in 0..BEFORE_TRIAL {
                burn();
                spin.worked(1000);
                spin.waited(1000, How::Slept);
            }
            assert_eq!(spin.state, State::TryLooking);
            for _ in 0..WINDOW {
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
    fn workers_join_the_trials_of_loops() {
        let mut its_loop = a_loop();
        let mut worker = Spin::new(false, its_loop.company);
        its_loop.begin_trial();
        worker.join_trials();
        assert_eq!(
            worker.state,
            State::Idle,
            "it does not know what sleeping costs"
        );
        for _ in 0..2 * WINDOW {
            burn();
            worker.waited(SHORT + 1, How::Slept);
        }
        assert!(worker.sleeping.cost > 0);
        its_loop.begin_trial();
        worker.join_trials();
        assert_eq!(worker.state, State::TryLooking);
    }

    /// As many as take part in a trial of yielding, all of which know what sleeping costs.
    fn crowd() -> std::vec::Vec<Spin> {
        let company = company();
        let mut all: std::vec::Vec<Spin> = (0..2 * crate::system::cpu::processors())
            .map(|_| Spin::new(true, company))
            .collect();
        for spin in &mut all {
            spin.enter(State::Sleeping);
            spin.sleeping = Bill {
                cost: 1_000_000,
                work: 0,
                time: 1000 * u64::from(WINDOW),
            };
        }
        // Plain looks in vain by one of them.
        all[0].begin_trial();
        all[0].give_up();
        all
    }

    #[test]
    fn too_many_who_look_try_to_yield() {
        let mut all = crowd();
        all[1].enter(State::Looking);
        all[1].sleeping.cost = 1;
        all[0].begin_trial();
        for spin in &mut all {
            spin.join_trials();
            assert!(spin.state == State::TryLooking && spin.way() == Way::Yielding);
        }
    }

    #[test]
    fn yielding_is_judged_when_all_have_had_the_time_to_join() {
        let mut all = crowd();
        let spin = &mut all[0];
        spin.begin_trial();
        burn();
        wait(spin, WINDOW / 2, SHORT + 1, How::Found);
        wait(spin, WINDOW / 2, 1000, How::Found);
        assert!(spin.state == State::TryLooking && spin.is_warm);
        wait(spin, WINDOW, 1000, How::Found);
        assert_eq!(spin.state, State::Looking);
        // The processor comes back late for once.
        wait(spin, 1, SHORT + 1, How::Found);
        wait(spin, WATCH, 1000, How::Found);
        assert_eq!(spin.state, State::Looking);
    }

    #[test]
    fn yielding_ends_where_the_processor_comes_back_late_all_the_time() {
        let mut all = crowd();
        let spin = &mut all[0];
        spin.begin_trial();
        spin.late = LATE + 1;
        wait(spin, 1, SHORT + 1, How::Found);
        assert_eq!(spin.state, State::Sleeping);
        spin.begin_trial();
        assert_eq!(
            spin.way(),
            Way::Plain,
            "the next trial is one of the other way"
        );
    }

    #[test]
    fn all_stop_yielding_when_the_company_bars_it() {
        let mut all = crowd();
        all[0].begin_trial();
        all[1].join_trials();
        assert_eq!(all[1].way(), Way::Yielding);
        for _ in 0..4 {
            all[0].company.was_slow(clock::monotonic_ns());
        }
        for spin in &mut all[..2] {
            spin.join_trials();
            assert_eq!(spin.state, State::Sleeping);
        }
    }

    #[test]
    fn who_is_behind_by_others_fault_stops_yielding() {
        for (late, is_kept) in [(0, true), (MOST_DELAY / 2 + 1, false)] {
            let mut all = crowd();
            let spin = &mut all[0];
            spin.begin_trial();
            spin.enter(State::Looking);
            spin.sleeping = Bill {
                cost: u64::MAX / u64::from(4 * WATCH),
                work: 0,
                time: 1000,
            };
            for _ in 0..2 {
                // As if the window had begun long ago.
                spin.began_at -= 2 * MOST_DELAY;
                spin.late = late;
                wait(spin, WATCH, 1000, How::Found);
            }
            assert_eq!(spin.state == State::Looking, is_kept, "{late}");
        }
    }

    #[test]
    fn no_trial_begins_before_it_is_known_what_sleeping_costs() {
        let mut spin = a_loop();
        for _ in 0..1000 {
            wait(&mut spin, WINDOW - 1, 1000, How::Slept);
            spin.looked(1000, How::Found);
        }
        assert_eq!(spin.state, State::TrySleeping);
    }
}
