//! What waiting costs.

/// How many waits are a window, of which the cost is told.
pub(super) const WINDOW: u32 = 32;

/// What some waits have cost, and brought.
#[derive(Clone, Copy, Default)]
pub(super) struct Bill {
    /// Processor time in nanoseconds.
    pub(super) cost: u64,
    pub(super) work: u64,
    /// How long it took from the first to the last, in nanoseconds.
    pub(super) time: u64,
}

impl Bill {
    pub(super) const NOTHING: Bill = Bill {
        cost: 0,
        work: 0,
        time: 0,
    };

    /// What so many waits cost at the prices of this bill, which is for `WINDOW` waits.
    pub(super) fn price(self, waits: u32) -> u64 {
        self.cost * u64::from(waits) / u64::from(WINDOW)
    }

    /// The same, or what so much work costs, where the work for each wait has become another. Who
    /// wakes a sleeper pays for that as well, which is no part of this bill: so if it has become less,
    /// that counts for more.
    pub(super) fn price_of_work(self, waits: u32, work: u64) -> u64 {
        let by_waits = self.price(waits);
        if self.work == 0 || work == 0 {
            return by_waits;
        }
        let by_work = (u128::from(self.cost) * u128::from(work) / u128::from(self.work)) as u64;
        by_waits.min(by_work.saturating_mul(3) / 2).max(by_work)
    }

    /// How long so many waits take by this bill, or so much work if that is longer.
    pub(super) fn usual_time(self, waits: u32, work: u64) -> u64 {
        let by_waits = self.time * u64::from(waits) / u64::from(WINDOW);
        if self.work == 0 {
            return by_waits;
        }
        let by_work = u128::from(self.time) * u128::from(work) / u128::from(self.work);
        by_waits.max(by_work as u64)
    }

    /// The mean with the next bill; just that if there was none.
    pub(super) fn mean(self, next: Bill) -> Bill {
        if self.cost == 0 {
            return next;
        }
        Bill {
            cost: self.cost.midpoint(next.cost),
            work: self.work.midpoint(next.work),
            time: self.time.midpoint(next.time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_for_waits_or_work() {
        let bill = Bill {
            cost: 3200,
            work: 64,
            time: 320,
        };
        assert_eq!(bill.price(WINDOW / 2), 1600);
        assert_eq!(bill.usual_time(WINDOW / 2, 0), 160);
        assert_eq!(bill.usual_time(WINDOW / 2, 64), 320);
        assert_eq!(bill.price_of_work(WINDOW, 64), 3200);
        assert_eq!(bill.price_of_work(WINDOW, 128), 6400);
        assert_eq!(bill.price_of_work(WINDOW, 48), 3200);
        assert_eq!(bill.price_of_work(WINDOW / 2, 64), 3200);
        assert_eq!(bill.price_of_work(WINDOW, 16), 1200);
        assert_eq!(bill.price_of_work(WINDOW, 0), 3200);
        assert_eq!(Bill { work: 0, ..bill }.price_of_work(WINDOW, 16), 3200);
        let mean = Bill::default().mean(bill).mean(Bill::default());
        assert_eq!((mean.cost, mean.work, mean.time), (1600, 32, 160));
    }
}
