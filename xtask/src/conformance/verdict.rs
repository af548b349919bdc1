//! The verdict on this library by two sides' runs of one test.

use super::tap::Outcome;

/// The runs of one test on one side, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub skipped: usize,
    pub failed: usize,
}

impl Tally {
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }

    fn runs(self) -> usize {
        self.passed + self.skipped + self.failed
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing differs.
    Same,
    /// It fails on libuv too, in this place.
    FailsOnBoth,
    /// It runs and passes here, and does not on libuv.
    BetterHere,
    /// It failed beside other tests, and passed each time when run again alone.
    PassedAgain,
    /// It fails now and then on either side, or too rarely here to be sure.
    Unsteady,
    /// It passes on libuv and says here that it cannot run.
    SkippedHere,
    /// It passes on libuv and fails here.
    FailsHere,
}

impl Verdict {
    /// Whether this is a fault of the library, unless there is a reason for it.
    pub fn counts(self) -> bool {
        matches!(self, Verdict::SkippedHere | Verdict::FailsHere)
    }

    pub fn text(self) -> &'static str {
        match self {
            Verdict::Same => "same",
            Verdict::FailsOnBoth => "fails on libuv too",
            Verdict::BetterHere => "passes only here",
            Verdict::PassedAgain => "passed when run again",
            Verdict::Unsteady => "unsteady",
            Verdict::SkippedHere => "SKIPPED HERE",
            Verdict::FailsHere => "FAILS HERE",
        }
    }
}

/// How often a test is run again on both sides before it counts.
pub const FIRST_RUNS: usize = 5;
/// How often a test is run again on both sides when the first runs disagree with each other.
pub const MOST_RUNS: usize = 20;

/// Whether the first runs are enough for a verdict.
pub fn is_clear(libuv: Tally, ours: Tally) -> bool {
    let failed = libuv.failed + ours.failed;
    failed == 0 && (ours.skipped == 0 || libuv.passed == 0)
}

/// The verdict of the first runs where they are enough.
pub fn of_clear(libuv: Tally, ours: Tally) -> Verdict {
    if ours.passed > 0 && libuv.passed == 0 {
        Verdict::BetterHere
    } else {
        Verdict::Same
    }
}

/// How many more runs it takes after these ones, which were made alone.
pub fn more_runs(libuv: Tally, ours: Tally) -> usize {
    let always = |tally: Tally| tally.failed == tally.runs() || tally.failed == 0;
    match ours.runs() {
        0 => FIRST_RUNS,
        FIRST_RUNS if !(always(ours) && always(libuv)) => MOST_RUNS - FIRST_RUNS,
        _ => 0,
    }
}

/// The verdict of the runs that were made again, alone.
pub fn of_runs_again(libuv: Tally, ours: Tally) -> Verdict {
    if ours.failed == 0 {
        return match (libuv.passed > 0, ours.skipped > 0) {
            (true, true) => Verdict::SkippedHere,
            (true, false) => Verdict::PassedAgain,
            (false, true) => Verdict::Same,
            (false, false) => Verdict::BetterHere,
        };
    }
    if libuv.passed == 0 {
        return Verdict::FailsOnBoth;
    }
    let always = ours.failed == ours.runs();
    if always || ours.failed > 2 * libuv.failed + 2 {
        Verdict::FailsHere
    } else {
        Verdict::Unsteady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: usize, skipped: usize, failed: usize) -> Tally {
        Tally {
            passed,
            skipped,
            failed,
        }
    }

    #[test]
    fn counts_outcomes() {
        let mut runs = Tally::default();
        runs.add(&Outcome::Passed);
        runs.add(&Outcome::Skipped(String::new()));
        runs.add(&Outcome::Failed(String::new()));
        assert_eq!(runs, tally(1, 1, 1));
    }

    #[test]
    fn what_needs_no_second_query() {
        assert!(is_clear(tally(1, 0, 0), tally(1, 0, 0)));
        assert!(is_clear(tally(0, 1, 0), tally(0, 1, 0)));
        assert!(!is_clear(tally(1, 0, 0), tally(0, 1, 0)));
        assert!(!is_clear(tally(0, 0, 1), tally(0, 0, 1)));
        assert!(!is_clear(tally(10, 0, 0), tally(9, 0, 1)));
        assert_eq!(of_clear(tally(1, 0, 0), tally(1, 0, 0)), Verdict::Same);
        assert!(!is_clear(tally(0, 0, 1), tally(1, 0, 0)));
        let better = Verdict::BetterHere;
        assert_eq!(of_clear(tally(0, 1, 0), tally(1, 0, 0)), better);
        assert_eq!(of_clear(tally(0, 1, 0), tally(0, 1, 0)), Verdict::Same);
    }

    #[test]
    fn disagreeing_runs_ask_for_more() {
        assert_eq!(more_runs(Tally::default(), Tally::default()), FIRST_RUNS);
        assert_eq!(more_runs(tally(5, 0, 0), tally(0, 0, 5)), 0);
        assert_eq!(more_runs(tally(5, 0, 0), tally(5, 0, 0)), 0);
        assert_eq!(
            more_runs(tally(5, 0, 0), tally(4, 0, 1)),
            MOST_RUNS - FIRST_RUNS
        );
        assert_eq!(more_runs(tally(20, 0, 0), tally(19, 0, 1)), 0);
    }

    #[test]
    fn a_real_failure_fails_every_time_or_clearly_more_often() {
        let fails = Verdict::FailsHere;
        assert_eq!(of_runs_again(tally(5, 0, 0), tally(0, 0, 5)), fails);
        assert_eq!(of_runs_again(tally(1, 0, 4), tally(0, 0, 5)), fails);
        assert_eq!(of_runs_again(tally(20, 0, 0), tally(17, 0, 3)), fails);
        assert!(fails.counts());
    }

    #[test]
    fn others_are_distinguished() {
        let unsteady = Verdict::Unsteady;
        assert_eq!(of_runs_again(tally(20, 0, 0), tally(18, 0, 2)), unsteady);
        assert_eq!(of_runs_again(tally(15, 0, 5), tally(12, 0, 8)), unsteady);
        let again = Verdict::PassedAgain;
        assert_eq!(of_runs_again(tally(5, 0, 0), tally(5, 0, 0)), again);
        let both = Verdict::FailsOnBoth;
        assert_eq!(of_runs_again(tally(0, 0, 5), tally(0, 0, 5)), both);
        let better = Verdict::BetterHere;
        assert_eq!(of_runs_again(tally(0, 0, 5), tally(5, 0, 0)), better);
        let skipped = Verdict::SkippedHere;
        assert_eq!(of_runs_again(tally(5, 0, 0), tally(0, 5, 0)), skipped);
        assert!(skipped.counts());
        assert!(!unsteady.counts() && !again.counts() && !both.counts());
    }
}
