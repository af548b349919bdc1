//! Whether a waiter spins before it blocks, decided by the times of its waits alone.
//!
//! A *cycle* reaches from the end of one wait to the end of the next, work included. After a row of
//! short cycles the waiter *probes*: it spins for some waits. It goes on under two conditions. An
//! event takes clearly less time than it did when the waiter blocked. And spinning keeps a processor
//! busy for no longer than blocking and waking up does. So a waiter blocks that a timer or another
//! machine paces. The row before the next probe becomes longer after each failure: twice as long
//! where spinning paid for a while, four times as long where the probe itself failed.
//!
//! Both sides of a hand-over must spin to gain from it. So a waiter with a few short cycles joins the
//! probes of others, which the process counts.
//!
//! After Karlin, Li, Manasse and Owicki, "Empirical Studies of Competitive Spinning for a
//! Shared-Memory Multiprocessor", SOSP 1991.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Cycles above this are long: with a window of 50 µs there is no spinning through them.
const SHORT_CYCLE_NS: u64 = 100_000;
/// The longest mean time of spinning in a cycle. To block and to be woken keeps the processors of
/// both sides busy for 8 to 20 µs (`cargo bench`, `bare/threads`).
const BLOCKING_COST_NS: u64 = 12_000;
/// Short cycles before the first probe. A probe begins with as many waits, in which the other side
/// begins to spin as well; half as many again are measured.
const ROUND_WAITS: u32 = 32;
/// The most short cycles between two probes. On a busy machine a thread that spins loses its
/// processor for some 4 ms, which is a few hundredths of what this many cycles take.
const LONGEST_REST_WAITS: u32 = 32_768;
/// Spinning that has paid for longer than a time slice of the scheduler makes rests short again.
const PROVEN_NS: u64 = 50_000_000;

/// How a wait went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// It blocked at once.
    Blocked,
    /// It spun for this many nanoseconds, whether or not it blocked afterwards.
    Spun(u64),
}

enum State {
    /// It blocks; `short_cycles` is how many short cycles there were in a row.
    Blocking { short_cycles: u32 },
    /// It has spun in `waits` waits, whose cycles took `ns` nanoseconds together. `long` of them
    /// spun for longer than blocking takes.
    Spinning { waits: u32, long: u32, ns: u64 },
}

/// What one waiter has learnt.
pub(super) struct Policy {
    state: State,
    /// The process's count of probes, and its value when this waiter read it last.
    probes: &'static AtomicU32,
    seen_probes: u32,
    /// Short cycles before the next probe.
    rest_waits: u32,
    /// The mean time of an event in recent short cycles that blocked.
    blocked_cycle_ns: u64,
    /// The mean time of an event in recent cycles that spun.
    spun_cycle_ns: u64,
    /// The mean time of spinning in recent cycles that spun.
    spun_ns: u64,
}

/// The mean of the last `1 << weight` values, roughly.
fn mean(before: u64, value: u64, weight: u32) -> u64 {
    before - (before >> weight) + (value >> weight)
}

impl Policy {
    pub(super) const fn new(probes: &'static AtomicU32) -> Policy {
        Policy {
            state: State::Blocking { short_cycles: 0 },
            probes,
            seen_probes: 0,
            rest_waits: ROUND_WAITS,
            blocked_cycle_ns: 0,
            spun_cycle_ns: 0,
            spun_ns: 0,
        }
    }

    /// Whether the next wait begins with spinning.
    pub(super) fn should_spin(&mut self) -> bool {
        let State::Blocking { short_cycles } = self.state else {
            return true;
        };
        let probes = self.probes.load(Relaxed);
        let joins = probes != self.seen_probes && short_cycles >= self.rest_waits / 8;
        self.seen_probes = probes;
        if joins {
            self.start_spinning();
        }
        joins
    }

    /// A wait is over, and with it a cycle of `cycle_ns` nanoseconds with `events` events or jobs.
    pub(super) fn waited(&mut self, cycle_ns: u64, events: u64, wait: Wait) {
        let events = events.max(1);
        match (&self.state, wait) {
            (State::Blocking { short_cycles }, Wait::Blocked) => {
                self.blocked(cycle_ns, events, *short_cycles);
            }
            (State::Spinning { .. }, Wait::Spun(ns)) => self.spun(cycle_ns, events, ns),
            // Too many others were spinning. That proves nothing.
            _ => {}
        }
    }

    fn blocked(&mut self, cycle_ns: u64, events: u64, short_cycles: u32) {
        let is_short = cycle_ns < SHORT_CYCLE_NS;
        let short_cycles = if is_short { short_cycles + 1 } else { 0 };
        self.blocked_cycle_ns = match short_cycles {
            0 | 1 => cycle_ns / events,
            _ => mean(self.blocked_cycle_ns, cycle_ns / events, 3),
        };
        self.state = State::Blocking { short_cycles };
        if short_cycles >= self.rest_waits {
            self.probes.fetch_add(1, Relaxed);
            self.start_spinning();
        }
    }

    fn start_spinning(&mut self) {
        let (waits, long, ns) = (0, 0, 0);
        self.state = State::Spinning { waits, long, ns };
    }

    fn spun(&mut self, cycle_ns: u64, events: u64, spun_ns: u64) {
        let State::Spinning { waits, long, ns } = &mut self.state else {
            return;
        };
        // A pause of the program is no slow cycle.
        let cycle_ns = cycle_ns.min(SHORT_CYCLE_NS);
        *waits = waits.saturating_add(1);
        *long = long.saturating_add((spun_ns > BLOCKING_COST_NS).into());
        *ns += cycle_ns;
        if *ns > PROVEN_NS {
            self.rest_waits = ROUND_WAITS;
        }
        let is_probe = *waits < ROUND_WAITS * 3 / 2;
        let weight = if *waits <= ROUND_WAITS { 0 } else { 4 };
        self.spun_cycle_ns = mean(self.spun_cycle_ns, cycle_ns / events, weight);
        self.spun_ns = mean(self.spun_ns, spun_ns, weight);
        let is_in_vain = match is_probe {
            true => *long > ROUND_WAITS / 4,
            false => !self.pays(),
        };
        // A wait that spun for so long has lost its processor meanwhile.
        if is_in_vain || spun_ns > 2 * SHORT_CYCLE_NS {
            let growth = if is_probe { 4 } else { 2 };
            self.rest_waits = (self.rest_waits * growth).min(LONGEST_REST_WAITS);
            self.state = State::Blocking { short_cycles: 0 };
        }
    }

    /// Whether spinning is much cheaper than blocking, or costs no more and makes cycles clearly
    /// shorter.
    fn pays(&self) -> bool {
        self.spun_ns <= BLOCKING_COST_NS / 4
            || self.spun_ns <= BLOCKING_COST_NS
                && self.spun_cycle_ns * 5 <= self.blocked_cycle_ns * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKED_NS: u64 = 30_000;

    fn policy() -> Policy {
        Policy::new(std::boxed::Box::leak(std::boxed::Box::default()))
    }

    /// Lets `policy` wait `waits` times. A cycle takes `BLOCKED_NS` where it blocks, and `cycle_ns`
    /// where it spins.
    fn wait(policy: &mut Policy, waits: u32, cycle_ns: u64, spun: Wait) {
        for _ in 0..waits {
            if policy.should_spin() {
                policy.waited(cycle_ns, 1, spun);
            } else {
                policy.waited(BLOCKED_NS, 1, Wait::Blocked);
            }
        }
    }

    /// A policy that has probed with success.
    fn spinning() -> Policy {
        let mut policy = policy();
        wait(&mut policy, 100, 2_000, Wait::Spun(1_000));
        assert!(policy.should_spin());
        policy
    }

    #[test]
    fn long_cycles_are_no_reason_to_probe() {
        let mut policy = policy();
        for cycle in 0..10_000 {
            let ns = if cycle % 20 == 0 {
                SHORT_CYCLE_NS
            } else {
                1000
            };
            policy.waited(ns, 1, Wait::Blocked);
            assert!(!policy.should_spin());
        }
    }

    #[test]
    fn shorter_cycles_keep_it_spinning() {
        let mut policy = spinning();
        policy.rest_waits = LONGEST_REST_WAITS;
        wait(&mut policy, 100_000, 2_000, Wait::Spun(1_000));
        assert!(policy.should_spin());
        assert_eq!(policy.rest_waits, ROUND_WAITS);
    }

    #[test]
    fn a_waiter_paced_by_others_blocks() {
        let mut policy = policy();
        let mut spins = 0;
        for _ in 0..1_000_000 {
            spins += u32::from(policy.should_spin());
            wait(&mut policy, 1, BLOCKED_NS, Wait::Spun(10_000));
        }
        assert!(spins < 5_000, "{spins} of a million waits");
        assert_eq!(policy.rest_waits, LONGEST_REST_WAITS);
    }

    /// A waiter that spins gets one event at a time, where blocking would let many come together.
    #[test]
    fn shorter_cycles_with_fewer_events_do_not_pay() {
        let mut policy = policy();
        for _ in 0..100_000 {
            match policy.should_spin() {
                true => policy.waited(5_000, 1, Wait::Spun(4_000)),
                false => policy.waited(BLOCKED_NS, 60, Wait::Blocked),
            }
        }
        assert!(policy.rest_waits > ROUND_WAITS);
    }

    #[test]
    fn spinning_that_costs_more_than_blocking_ends() {
        let mut policy = spinning();
        wait(
            &mut policy,
            60,
            15_000,
            Wait::Spun(BLOCKING_COST_NS + 1_000),
        );
        assert!(!policy.should_spin());
    }

    #[test]
    fn a_failed_probe_ends_soon() {
        for spun in [Wait::Spun(50_000), Wait::Spun(BLOCKING_COST_NS + 1)] {
            let mut policy = policy();
            let mut spins = 0;
            for _ in 0..ROUND_WAITS + 20 {
                spins += u32::from(policy.should_spin());
                wait(&mut policy, 1, 40_000, spun);
            }
            assert_eq!(spins, ROUND_WAITS / 4 + 1);
        }
    }

    #[test]
    fn a_pause_now_and_then_does_not_end_it() {
        let mut policy = spinning();
        for _ in 0..100 {
            wait(&mut policy, 1, 10_000_000, Wait::Spun(50_000));
            wait(&mut policy, 60, 2_000, Wait::Spun(1_000));
            assert!(policy.should_spin());
        }
        wait(&mut policy, 5, 10_000_000, Wait::Spun(50_000));
        assert!(!policy.should_spin());
    }

    #[test]
    fn a_waiter_that_loses_the_processor_while_it_spins_blocks() {
        let mut policy = spinning();
        for _ in 0..20 {
            wait(&mut policy, 1, 4_000_000, Wait::Spun(4_000_000));
            assert!(!policy.should_spin());
            while !policy.should_spin() {
                policy.waited(2_500, 1, Wait::Blocked);
            }
            // A time slice.
            wait(&mut policy, 1_500, 1_200, Wait::Spun(600));
        }
        assert_eq!(policy.rest_waits, LONGEST_REST_WAITS);
    }

    #[test]
    fn one_probe_makes_others_probe() {
        let mut first = policy();
        let mut second = Policy::new(first.probes);
        let mut idle = Policy::new(first.probes);
        wait(&mut second, 4, 0, Wait::Blocked);
        assert!(!second.should_spin());
        wait(&mut first, ROUND_WAITS, 0, Wait::Blocked);
        assert!(first.should_spin() && second.should_spin());
        assert!(!idle.should_spin());
    }
}
