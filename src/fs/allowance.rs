//! How many operations an iteration of the loop does inline.

/// Some 100 of them take as many microseconds; the rest of an iteration's go to the pool.
const ITERATION_OPERATIONS: u32 = 512;

/// What is left of the present iteration's budget.
pub(crate) struct Allowance {
    iteration: u64,
    left_operations: u32,
}

impl Allowance {
    pub(crate) fn new() -> Allowance {
        Allowance {
            iteration: 0,
            left_operations: ITERATION_OPERATIONS,
        }
    }

    /// Takes one operation's part of the budget; whether there was any left.
    pub(super) fn take(&mut self, iteration: u64) -> bool {
        if self.iteration != iteration {
            *self = Allowance {
                iteration,
                ..Allowance::new()
            };
        }
        let is_left = self.left_operations > 0;
        self.left_operations -= u32::from(is_left);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_iteration_has_its_budget() {
        let mut budget = Allowance::new();
        for iteration in 1..3 {
            for _ in 0..ITERATION_OPERATIONS {
                assert!(budget.take(iteration));
            }
            assert!(!budget.take(iteration));
        }
    }
}
