//! What a loop does itself of the file operations that it could answer in place, and what it gives
//! to the pool.
//!
//! A thread needs less than half as long for an operation, since it may wait; but to wake it costs
//! as much as several operations in place. So a loop gives some away where very many are under way,
//! and else none; or as many as it can do, to a worker that looks for jobs instead of sleeping.
//! Whether that pays depends on what the program and other processes do with the processors, so it is
//! tried now and then ([`Trial`]): it is kept where the program gets on clearly faster, for processor
//! time that is about the same or less. Operations that only threads can do count in that, and are
//! looked for, too.

use crate::spin;
use crate::sys::clock;

/// How many bytes an iteration reads in place.
const SHARE: usize = 256 << 10;
/// What an operation counts for at least.
const LEAST: usize = 512;
/// From so many operations on paths in an iteration on, others are given to the pool.
const MANY: usize = 24;
/// The same while iteration follows iteration with more than `FEW`.
const FEW: usize = 4;
/// A queue of fewer jobs is done in no time.
const QUEUE: usize = 16;
/// A worker that looks is so far behind with this that the loop can do another one meanwhile.
const SHORT_QUEUE: usize = 5;

/// What a loop has done in place, and what it has learnt from that.
pub(crate) struct Share {
    present: Iteration,
    trial: Trial,
    /// The last iteration that gave something to a worker that looks.
    gave_in: u64,
}

/// What a loop has done in place in an iteration.
struct Iteration {
    number: u64,
    left: usize,
    /// Operations on paths so far.
    count: usize,
    /// The same, of the iterations before: the older, the less it counts.
    level: usize,
    are_many: bool,
}

impl Iteration {
    fn new(number: u64) -> Iteration {
        Iteration {
            number,
            left: SHARE,
            count: 0,
            level: 0,
            are_many: false,
        }
    }

    fn enter(&mut self, number: u64) {
        if self.number == number {
            return;
        }
        let is_next = self.number + 1 == number;
        let level = if is_next {
            self.count.max(self.level * 7 / 8)
        } else {
            0
        };
        let are_many = level >= MANY || self.are_many && level > FEW;
        *self = Iteration {
            level,
            are_many,
            ..Iteration::new(number)
        };
    }
}

impl Share {
    pub(crate) fn new() -> Share {
        Share {
            present: Iteration::new(0),
            trial: Trial::new(),
            gave_in: 0,
        }
    }

    /// Takes so many bytes of an iteration's share; whether there were as many left.
    pub(super) fn take(&mut self, iteration: u64, bytes: usize) -> bool {
        self.present.enter(iteration);
        let bytes = bytes.max(LEAST);
        let is_enough = bytes <= self.present.left;
        if is_enough {
            self.present.left -= bytes;
        }
        is_enough
    }

    /// Counts an operation that others could do as well. If the iteration has done its part of them:
    /// how many may be queued for others before the loop does another one, too.
    pub(super) fn has_done_its_part(&mut self, iteration: u64) -> Option<usize> {
        self.present.enter(iteration);
        self.present.count += 1;
        self.trial.count();
        let part = if self.present.are_many { FEW } else { MANY };
        if self.has_worker() {
            Some(SHORT_QUEUE)
        } else {
            (self.present.count > part).then_some(QUEUE)
        }
    }

    /// Whether a worker is to look for what the loop gives to the pool.
    fn has_worker(&self) -> bool {
        self.trial.is_together()
    }

    /// Something is given to the pool, which is counted unless it was; whether a worker should look
    /// for more.
    pub(super) fn gives(&mut self, iteration: u64, is_counted: bool) -> bool {
        if !is_counted {
            self.trial.count();
        }
        if self.has_worker() {
            self.gave_in = iteration;
        }
        self.has_worker()
    }

    /// Whether the loop waits for what it gave a worker in this iteration or the one before.
    pub(crate) fn awaits_worker(&self, iteration: u64) -> bool {
        self.has_worker() && iteration.wrapping_sub(self.gave_in) <= 1
    }

    /// The loop has looked for what a worker was to do, and slept in the end.
    pub(crate) fn looked_in_vain(&mut self) {
        self.trial.looked_in_vain();
    }
}

/// So many operations are a window, of which the cost is told.
const WINDOW: u32 = 128;
/// In windows of more nanoseconds the files are not what the program waits for.
const SLOW: u64 = WINDOW as u64 * 32_000;
/// So many windows are not timed after sharing has not paid; doubled each time up to the second
/// number.
const REST: u32 = 16;
const LONGEST_REST: u32 = 4096;
/// After so many windows of sharing, what it costs not to is found out once more.
const KEEP: u32 = 128;
/// So often may the loop look in vain within a window.
const MISSES: u32 = 4;
/// A window that has not paid is the reason for so many doubts, one that has removes one; more than
/// the second number end sharing.
const DOUBTS: u32 = 4;
const MOST_DOUBTS: u32 = 2 * DOUBTS;

/// What a window cost, in nanoseconds; or, of a moment, what the clocks say.
#[derive(Clone, Copy)]
struct Bill {
    time: u64,
    /// Of the loop's thread.
    cpu: u64,
}

impl Bill {
    fn now() -> Bill {
        Bill {
            time: clock::monotonic_ns(),
            cpu: clock::thread_cpu_ns(),
        }
    }

    fn since(self, start: Bill) -> Bill {
        Bill {
            time: self.time.saturating_sub(start.time),
            cpu: self.cpu.saturating_sub(start.cpu),
        }
    }

    /// Whether this is quicker by a quarter, and not dearer by more than a half, with a worker that
    /// used a processor all the time. In truth it mostly is cheaper: what a worker that sleeps and
    /// wakes up costs without it is in no bill.
    fn is_worth(self, alone: Bill) -> bool {
        let cpu = self.cpu + self.time;
        self.time <= alone.time / 4 * 3 && cpu <= alone.cpu / 2 * 3
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is timed for so many windows more.
    Resting(u32),
    /// The window is timed, for comparison.
    Alone,
    /// A worker is given operations for the first time, and comes to look for them.
    Beginning,
    /// The same, and the window is timed.
    Trying,
    /// Sharing pays, and is looked at anew after so many windows more.
    Together(u32),
}

/// Whether it pays to share with a worker that looks.
struct Trial {
    phase: Phase,
    operations: u32,
    misses: u32,
    doubts: u32,
    start: Bill,
    alone: Bill,
    rest: u32,
}

impl Trial {
    const fn new() -> Trial {
        const NOTHING: Bill = Bill { time: 0, cpu: 0 };
        Trial {
            phase: Phase::Resting(REST),
            operations: 0,
            misses: 0,
            doubts: 0,
            start: NOTHING,
            alone: NOTHING,
            rest: REST,
        }
    }

    fn is_together(&self) -> bool {
        matches!(
            self.phase,
            Phase::Beginning | Phase::Trying | Phase::Together(_)
        )
    }

    fn count(&mut self) {
        self.operations += 1;
        if self.operations < WINDOW {
            return;
        }
        match self.phase {
            Phase::Resting(left) if left > 0 => self.enter(Phase::Resting(left - 1)),
            // Nobody looks for anything.
            Phase::Resting(_) if spin::limit() == 0 => self.enter(Phase::Resting(REST)),
            _ => self.end_window(Bill::now()),
        }
    }

    fn end_window(&mut self, now: Bill) {
        let bill = now.since(self.start);
        self.start = now;
        match self.phase {
            Phase::Resting(_) => self.enter(Phase::Alone),
            Phase::Alone if bill.time > SLOW => self.enter(Phase::Resting(REST)),
            Phase::Alone => {
                self.alone = bill;
                self.enter(Phase::Beginning);
            }
            Phase::Beginning => self.enter(Phase::Trying),
            Phase::Trying if bill.is_worth(self.alone) => {
                self.rest = REST;
                self.doubts = 0;
                self.enter(Phase::Together(KEEP));
            }
            Phase::Trying => self.give_up(),
            Phase::Together(left) => self.go_on(left, bill),
        }
    }

    /// Goes on sharing, if the last window says nothing against it; or not only the last one, since
    /// the processor may be taken away for a moment.
    fn go_on(&mut self, left: u32, bill: Bill) {
        self.doubts = if bill.is_worth(self.alone) {
            self.doubts.saturating_sub(1)
        } else {
            self.doubts + DOUBTS
        };
        if self.doubts > MOST_DOUBTS {
            self.give_up();
        } else if left > 0 {
            self.enter(Phase::Together(left - 1));
        } else {
            self.enter(Phase::Alone);
        }
    }

    fn looked_in_vain(&mut self) {
        self.misses += 1;
        if self.misses > MISSES {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.enter(Phase::Resting(self.rest));
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.operations = 0;
        self.misses = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iteration_does_its_part_of_many_operations() {
        let mut share = Share::new();
        let mut of_iteration = |iteration, operations| {
            (0..operations)
                .filter(|_| share.has_done_its_part(iteration).is_none())
                .count()
        };
        assert_eq!(of_iteration(1, MANY), MANY);
        assert_eq!(of_iteration(2, 2 * MANY), FEW, "many, as in the one before");
        assert_eq!(of_iteration(3, MANY), FEW);
        for iteration in 4..40 {
            of_iteration(iteration, 1);
        }
        assert_eq!(of_iteration(40, MANY), MANY, "few for long");
        assert_eq!(of_iteration(50, MANY + 1), MANY, "after a pause");
    }

    #[test]
    fn each_iteration_has_its_share() {
        let mut share = Share::new();
        assert!(share.take(1, SHARE - LEAST));
        assert!(share.take(1, 1));
        assert!(!share.take(1, 0));
        assert!(!share.take(2, SHARE + 1));
        assert!(share.take(2, SHARE));
        for _ in 0..SHARE / LEAST {
            assert!(share.take(3, 0));
        }
        assert!(!share.take(3, 0));
        assert!(!share.take(4, usize::MAX));
    }

    #[test]
    fn a_worker_that_looks_is_given_everything() {
        let mut share = Share::new();
        assert!(!share.gives(1, true) && !share.awaits_worker(1));
        assert_eq!(share.has_done_its_part(1), None);
        share.trial.enter(Phase::Together(KEEP));
        assert_eq!(share.has_done_its_part(2), Some(SHORT_QUEUE));
        assert!(share.gives(2, false));
        let awaited = [2, 3, 4].map(|iteration| share.awaits_worker(iteration));
        assert_eq!(awaited, [true, true, false]);
    }

    /// Ends windows that cost so much, until it makes a difference.
    fn windows(trial: &mut Trial, number: u32, time: u64, cpu: u64) {
        for _ in 0..number {
            let start = trial.start;
            trial.end_window(Bill {
                time: start.time + time,
                cpu: start.cpu + cpu,
            });
        }
    }

    fn about_to_try() -> Trial {
        let mut trial = Trial::new();
        trial.enter(Phase::Alone);
        windows(&mut trial, 1, 1000, 1000);
        assert_eq!(trial.phase, Phase::Beginning);
        // To start a thread takes as long as it takes.
        windows(&mut trial, 1, 5000, 5000);
        assert_eq!(trial.phase, Phase::Trying);
        trial
    }

    #[test]
    fn sharing_is_kept_where_it_is_quicker_and_hardly_dearer() {
        for (time, cpu, is_kept) in [
            (750, 750, true),
            (751, 100, false),
            (400, 1101, false),
            (400, 400, true),
        ] {
            let mut trial = about_to_try();
            windows(&mut trial, 1, time, cpu);
            assert_eq!(trial.is_together(), is_kept, "{time} {cpu}");
            if is_kept {
                windows(&mut trial, KEEP, time, cpu);
                assert_eq!(trial.phase, Phase::Together(0));
                windows(&mut trial, 1, time, cpu);
                assert_eq!(trial.phase, Phase::Alone, "what it would cost by now");
            }
        }
    }

    #[test]
    fn sharing_ends_when_it_pays_no_more() {
        let mut trial = about_to_try();
        windows(&mut trial, 2, 500, 500);
        assert!(trial.is_together());
        windows(&mut trial, 2, 900, 300);
        windows(&mut trial, 1, 500, 500);
        assert!(trial.is_together(), "two bad windows are no more than that");
        windows(&mut trial, 1, 900, 300);
        assert_eq!(trial.phase, Phase::Resting(REST));
        let mut trial = about_to_try();
        (0..=MISSES).for_each(|_| trial.looked_in_vain());
        assert_eq!(trial.phase, Phase::Resting(REST));
    }

    #[test]
    fn trials_in_vain_become_rare() {
        let mut trial = about_to_try();
        let mut rests = std::vec::Vec::new();
        for _ in 0..12 {
            windows(&mut trial, 1, 1000, 1000);
            let Phase::Resting(rest) = trial.phase else {
                panic!("{:?}", trial.phase);
            };
            rests.push(rest);
            trial.enter(Phase::Trying);
        }
        assert_eq!(rests[..3], [REST, 2 * REST, 4 * REST]);
        assert_eq!(rests[11], LONGEST_REST);
    }

    #[test]
    fn who_waits_for_something_else_does_not_try() {
        let mut trial = Trial::new();
        for _ in 0..(REST * WINDOW) {
            trial.count();
        }
        assert_eq!(trial.phase, Phase::Resting(0));
        windows(&mut trial, 1, 1000, 1000);
        assert_eq!(trial.phase, Phase::Alone);
        windows(&mut trial, 1, SLOW + 1, 1000);
        assert_eq!(trial.phase, Phase::Resting(REST));
    }
}
