//! What a loop may do inline: how many operations in an iteration, and whether any.

/// Operations of an iteration; the rest of them go to the pool. They take about a millisecond, the
/// unit of the loop's time.
const ITERATION_OPERATIONS: u32 = 512;
pub(crate) struct Allowance {
    iteration: u64,
    left_operations: u32,
    /// When it was asked whether the thread is supervised, in the loop's time. That takes some 10 µs,
    /// a hundredth of its unit.
    asked_at: Option<u64>,
    supervision: Supervision,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Supervision {
    None,
    Unknown,
    /// For good: a filter cannot be taken off again.
    Found,
}

impl Allowance {
    pub(crate) fn new() -> Allowance {
        Allowance {
            iteration: 0,
            left_operations: ITERATION_OPERATIONS,
            asked_at: None,
            supervision: Supervision::Unknown,
        }
    }

    /// Takes one operation's part of what the iteration may do; whether there was any left.
    pub(super) fn take(&mut self, iteration: u64) -> bool {
        if self.iteration != iteration {
            self.iteration = iteration;
            self.left_operations = ITERATION_OPERATIONS;
        }
        let is_left = self.left_operations > 0;
        self.left_operations -= u32::from(is_left);
        is_left
    }

    /// Whether it is to be asked, or asked again, if the thread is supervised.
    pub(super) fn should_ask(&self, now_ms: u64) -> bool {
        self.supervision != Supervision::Found && self.asked_at != Some(now_ms)
    }

    /// From here on the loop's time stands still, and the program may do what it likes.
    pub(crate) fn forget_answer(&mut self) {
        self.asked_at = None;
    }

    /// Keeps the answer, `None` if there was none, and when it was asked, should that be of use.
    pub(super) fn answered(&mut self, is_supervised: Option<bool>, now_ms: Option<u64>) {
        self.asked_at = now_ms;
        self.supervision = match is_supervised {
            Some(true) => Supervision::Found,
            Some(false) => Supervision::None,
            None => Supervision::Unknown,
        };
    }

    pub(super) fn is_unsupervised(&self) -> bool {
        self.supervision == Supervision::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_iteration_has_its_operations() {
        let mut allowance = Allowance::new();
        for iteration in 1..3 {
            for _ in 0..ITERATION_OPERATIONS {
                assert!(allowance.take(iteration));
            }
            assert!(!allowance.take(iteration));
        }
    }

    #[test]
    fn supervision_is_asked_for_once_a_millisecond() {
        let mut allowance = Allowance::new();
        assert!(allowance.should_ask(5));
        assert!(!allowance.is_unsupervised());
        allowance.answered(Some(false), None);
        assert!(allowance.is_unsupervised());
        assert!(allowance.should_ask(5));
        allowance.answered(Some(false), Some(5));
        assert!(!allowance.should_ask(5));
        assert!(allowance.should_ask(6));
        allowance.forget_answer();
        assert!(allowance.should_ask(5));
    }

    #[test]
    fn supervision_stays_and_no_answer_does_not() {
        let mut allowance = Allowance::new();
        allowance.answered(None, Some(0));
        assert!(!allowance.is_unsupervised());
        assert!(!allowance.should_ask(0));
        assert!(allowance.should_ask(1));
        allowance.answered(Some(true), Some(1));
        assert!(!allowance.is_unsupervised());
        assert!(!allowance.should_ask(2));
    }
}
