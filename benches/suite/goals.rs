//! The goals of the project, and whether a record meets them.

use crate::options::Regime;
use crate::record::{Record, Recorded};
use crate::stats::{Summary, geometric_mean};

/// The figure of a record that a goal is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// The goal is a least ratio to libuv: how many times better.
    TimesBetter,
    /// The goal is a greatest ratio to libuv's processor time.
    Cpu,
    /// The goal is a greatest geometric mean of all rows' ratios to libuv's processor time.
    MeanCpu,
}

pub struct Goal {
    pub what: &'static str,
    measure: Measure,
    limit: f64,
    /// Whether the goal is for all regimes, not only for the quiet one.
    in_every_regime: bool,
    /// Whole names, or beginnings of names that end with `*`.
    names: &'static [&'static str],
}

/// A goal's outcome under a regime.
pub struct Finding {
    pub wanted: String,
    /// Empty where nothing was measured.
    pub found: String,
    pub is_met: Option<bool>,
}

const fn quiet(
    what: &'static str,
    measure: Measure,
    limit: f64,
    names: &'static [&'static str],
) -> Goal {
    Goal {
        what,
        measure,
        limit,
        in_every_regime: false,
        names,
    }
}

const fn everywhere(
    what: &'static str,
    measure: Measure,
    limit: f64,
    names: &'static [&'static str],
) -> Goal {
    Goal {
        in_every_regime: true,
        ..quiet(what, measure, limit, names)
    }
}

/// The rates are wanted on a quiet machine whose processors go idle, where waiting is dear; idle
/// states differ tenfold between machines. In no regime may a row be slower than libuv.
pub const GOALS: &[Goal] = &[
    quiet(
        "an async handle from loop to loop and back",
        Measure::TimesBetter,
        8.0,
        &["async::async1"],
    ),
    quiet(
        "async handles of 2 to 8 pairs of loops",
        Measure::TimesBetter,
        1.2,
        &["async::async2", "async::async4", "async::async8"],
    ),
    quiet(
        "queue_work one at a time",
        Measure::TimesBetter,
        8.0,
        &["work::queue_work"],
    ),
    quiet(
        "TCP and pipe ping-pong, one connection",
        Measure::TimesBetter,
        1.5,
        &["ping_pong::tcp_1", "ping_pong::pipe_1"],
    ),
    quiet(
        "stat, one in flight",
        Measure::TimesBetter,
        6.0,
        &["fs::stat_1"],
    ),
    quiet(
        "open and readfile, one in flight",
        Measure::TimesBetter,
        3.0,
        &["fs::open_1", "fs::readfile_1"],
    ),
    quiet(
        "read at an offset, one in flight",
        Measure::TimesBetter,
        8.0,
        &["fs::read_1"],
    ),
    everywhere(
        "a million asyncs",
        Measure::TimesBetter,
        3.0,
        &["async::million_async"],
    ),
    everywhere(
        "ten million timers",
        Measure::TimesBetter,
        2.5,
        &["timers::ten_million_timers"],
    ),
    everywhere(
        "loop count",
        Measure::TimesBetter,
        5.0,
        &["loop::loop_count"],
    ),
    quiet(
        "memory per idle connection",
        Measure::TimesBetter,
        1.0,
        &["memory::per_connection"],
    ),
    everywhere("every row", Measure::TimesBetter, 0.95, &["*"]),
    everywhere(
        "pauses of 1 to 200 µs between events, processor time to libuv's: mean",
        Measure::MeanCpu,
        1.05,
        &["gap::*"],
    ),
    everywhere(
        "pauses of 1 to 200 µs between events, processor time to libuv's: worst",
        Measure::Cpu,
        1.25,
        &["gap::*"],
    ),
];

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

impl Measure {
    fn of(self, record: &Record) -> Option<Summary> {
        match self {
            Measure::TimesBetter => Some(record.ratio),
            Measure::Cpu | Measure::MeanCpu => record.cpu_ratio,
        }
    }

    fn more_is_better(self) -> bool {
        self == Measure::TimesBetter
    }
}

fn text(value: f64) -> String {
    crate::report::ratio(value)
}

impl Goal {
    /// The names that a goal speaks of, for `--list`.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| matches(pattern, name))
    }

    /// None where the goal does not apply to the regime.
    pub fn judge(&self, recorded: &Recorded, regime: Regime) -> Option<Finding> {
        if regime != Regime::Quiet && !self.in_every_regime {
            return None;
        }
        let records: Vec<&Record> = recorded
            .records
            .iter()
            .filter(|record| record.regime == regime && self.names(&record.facts.name))
            .collect();
        let sign = if self.measure.more_is_better() {
            "≥"
        } else {
            "≤"
        };
        let (found, is_met) = match self.measure {
            Measure::MeanCpu => self.mean(&records),
            _ => self.worst(&records),
        };
        Some(Finding {
            wanted: format!("{sign} {}", text(self.limit)),
            found,
            is_met,
        })
    }

    fn mean(&self, records: &[&Record]) -> (String, Option<bool>) {
        let ratios: Vec<f64> = records
            .iter()
            .filter_map(|record| Some(self.measure.of(record)?.median))
            .collect();
        match geometric_mean(&ratios) {
            Some(mean) => (
                format!("{} of {}", text(mean), ratios.len()),
                Some(mean <= self.limit),
            ),
            None => (String::new(), None),
        }
    }

    /// The worst is shown by name, with how many of all reach the goal.
    fn worst(&self, records: &[&Record]) -> (String, Option<bool>) {
        let reaches = |value: f64| {
            if self.measure.more_is_better() {
                value >= self.limit
            } else {
                value <= self.limit
            }
        };
        let mut found: Vec<(Summary, &str)> = records
            .iter()
            .filter_map(|record| Some((self.measure.of(record)?, record.facts.name.as_str())))
            .collect();
        found.sort_by(|a, b| a.0.median.total_cmp(&b.0.median));
        if !self.measure.more_is_better() {
            found.reverse();
        }
        let Some(&(worst, name)) = found.first() else {
            return (String::new(), None);
        };
        let met = found
            .iter()
            .filter(|(summary, _)| reaches(summary.median))
            .count();
        let mut words = crate::report::spread(worst);
        if found.len() > 1 {
            words = format!("worst {words} `{name}`; {met} of {} reach it", found.len());
        }
        (words, Some(met == found.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("fs::stat_1", "fs::stat_1"));
        assert!(!matches("fs::stat_1", "fs::stat_10"));
        assert!(matches("fs::stat_*", "fs::stat_10"));
        assert!(!matches("fs::*", "work::fs"));
    }

    #[test]
    fn nothing_measured_is_neither_met_nor_missed() {
        let finding = GOALS[0].judge(&Recorded::default(), Regime::Quiet).unwrap();
        assert_eq!(finding.is_met, None);
    }
}
