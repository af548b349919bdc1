//! What a loop may do inline: how many operations in an iteration, and whether any.

/// The number of operations that a loop does inline in one iteration; the others go to the pool. A
/// few are done before a worker would have begun, and with eight in flight all of them should be.
/// Many are done sooner by the workers and the loop together: with 64 in flight, nearly twice as
/// many `open` as with 512 inline (`cargo bench`, `fs`).
const OPERATIONS_PER_ITERATION: u32 = 8;

pub(crate) struct Allowance {
    iteration: u64,
    left_operations: u32,
    /// When the thread was last checked for supervision, in the loop's time (milliseconds). A check
    /// takes some 10 µs, a hundredth of that unit.
    asked_at: Option<u64>,
    supervision: Supervision,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Supervision {
    None,
    Unknown,
    /// Final: a filter cannot be taken off again.
    Found,
}

impl Allowance {
    pub(crate) fn new() -> Allowance {
        Allowance {
            iteration: 0,
            left_operations: OPERATIONS_PER_ITERATION,
            asked_at: None,
            supervision: Supervision::Unknown,
        }
    }

    /// Takes one operation from what the iteration may do; `false` if there is none left.
    pub(super) fn take(&mut self, iteration: u64) -> bool {
        if self.iteration != iteration {
            self.iteration = iteration;
            self.left_operations = OPERATIONS_PER_ITERATION;
        }
        let is_left = self.left_operations > 0;
        self.left_operations -= u32::from(is_left);
        is_left
    }

    /// Whether the thread is to be checked for supervision now.
    pub(super) fn should_ask(&self, now_ms: u64) -> bool {
        self.supervision != Supervision::Found && self.asked_at != Some(now_ms)
    }

    /// Has the next operation check again: the loop's time stands still from here on, and the
    /// program may install a filter meanwhile.
    pub(crate) fn forget_answer(&mut self) {
        self.asked_at = None;
    }

    /// Keeps the answer, `None` if there is none, and the time it is valid for, `None` if it is not
    /// to be used again.
    pub(super) fn set_answer(&mut self, is_supervised: Option<bool>, now_ms: Option<u64>) {
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
            for _ in 0..OPERATIONS_PER_ITERATION {
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
        allowance.set_answer(Some(false), None);
        assert!(allowance.is_unsupervised());
        assert!(allowance.should_ask(5));
        allowance.set_answer(Some(false), Some(5));
        assert!(!allowance.should_ask(5));
        assert!(allowance.should_ask(6));
        allowance.forget_answer();
        assert!(allowance.should_ask(5));
    }

    #[test]
    fn supervision_stays_and_no_answer_does_not() {
        let mut allowance = Allowance::new();
        allowance.set_answer(None, Some(0));
        assert!(!allowance.is_unsupervised());
        assert!(!allowance.should_ask(0));
        assert!(allowance.should_ask(1));
        allowance.set_answer(Some(true), Some(1));
        assert!(!allowance.is_unsupervised());
        assert!(!allowance.should_ask(2));
    }
}
