//! What the project set out to reach, and whether it did.

use crate::options::Regime;
use crate::record::{Record, Recorded};
use crate::stats::{Summary, geometric_mean};

/// What of a record a goal is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// At least so many times better than libuv.
    TimesBetter,
    /// At most so many times the cost of the bare system calls.
    BareCost,
    /// The same of processor time.
    BareCpu,
    /// At most so much of libuv's processor time.
    Cpu,
    /// The geometric mean of how many times better.
    Mean,
}

pub struct Goal {
    pub what: &'static str,
    measure: Measure,
    /// In the quiet regime, and in the awake one; none where it does not apply.
    quiet: f64,
    awake: Option<f64>,
    /// Whole names, or beginnings of names that end with `*`.
    names: &'static [&'static str],
}

/// What became of a goal under a regime.
pub struct Finding {
    pub wanted: String,
    /// Empty where nothing was measured.
    pub found: String,
    pub is_met: Option<bool>,
}

/// This suite's counterparts of libuv's own list.
pub const LIBUV_LIST: &[&str] = &[
    "loop::loop_count",
    "loop::loop_count_timed",
    "loop::loop_alive",
    "ping_pong::tcp_1",
    "udp::*",
    "pump::tcp_*",
    "pump::pipe_pump_*",
    "pound::*",
    "accept::tcp_multi_accept2",
    "accept::tcp_multi_accept4",
    "accept::tcp_multi_accept8",
    "system::getaddrinfo",
    "fs::stat_*",
    "async::async1",
    "async::async2",
    "async::async4",
    "async::async8",
    "async::async_pummel_*",
    "work::queue_work",
    "system::spawn",
    "system::thread_create",
    "async::million_async",
    "timers::ten_million_timers",
];

const fn goal(
    what: &'static str,
    measure: Measure,
    quiet: f64,
    awake: f64,
    names: &'static [&'static str],
) -> Goal {
    Goal {
        what,
        measure,
        quiet,
        awake: Some(awake),
        names,
    }
}

const CACHED: &[&str] = &["fs::stat_1", "fs::open_1", "fs::read_1"];

pub const GOALS: &[Goal] = &[
    goal(
        "cached asynchronous stat, open, read of 4 KiB, one in flight, to libuv",
        Measure::TimesBetter,
        15.0,
        4.0,
        CACHED,
    ),
    goal(
        "the same, to the bare synchronous system call",
        Measure::BareCost,
        3.0,
        3.0,
        CACHED,
    ),
    goal(
        "the same, eight in flight, to libuv",
        Measure::TimesBetter,
        4.0,
        2.5,
        &["fs::stat_8", "fs::open_8", "fs::read_8"],
    ),
    goal(
        "queue_work one at a time",
        Measure::TimesBetter,
        4.0,
        2.0,
        &["work::queue_work"],
    ),
    goal(
        "async wake-ups 1–8, pummel",
        Measure::TimesBetter,
        2.0,
        1.2,
        &[
            "async::async1",
            "async::async2",
            "async::async4",
            "async::async8",
            "async::async_pummel_*",
        ],
    ),
    goal(
        "a million asyncs",
        Measure::TimesBetter,
        3.0,
        3.0,
        &["async::million_async"],
    ),
    goal(
        "ten million timers",
        Measure::TimesBetter,
        2.5,
        2.5,
        &["timers::ten_million_timers"],
    ),
    goal(
        "loop count",
        Measure::TimesBetter,
        5.0,
        5.0,
        &["loop::loop_count"],
    ),
    goal(
        "TCP and pipe ping-pong, one connection",
        Measure::TimesBetter,
        2.0,
        1.0,
        &["ping_pong::tcp_1", "ping_pong::pipe_1"],
    ),
    goal(
        "echo with 100 and 10,000 connections",
        Measure::TimesBetter,
        1.03,
        1.03,
        &["echo::tcp_100", "echo::tcp_10000"],
    ),
    goal(
        "the same, processor time to the bare epoll loop",
        Measure::BareCpu,
        1.05,
        1.05,
        &["echo::tcp_100", "echo::tcp_10000"],
    ),
    goal(
        "pump, pound, accept, write batch, UDP, spawn, getaddrinfo, thread create",
        Measure::TimesBetter,
        1.0,
        1.0,
        &[
            "pump::*",
            "pound::*",
            "accept::*",
            "udp::*",
            "system::spawn",
            "system::getaddrinfo",
            "system::thread_create",
        ],
    ),
    goal(
        "libuv's benchmark list, as written here: geometric mean",
        Measure::Mean,
        2.5,
        1.5,
        LIBUV_LIST,
    ),
    goal(
        "the same: worst",
        Measure::TimesBetter,
        0.97,
        0.97,
        LIBUV_LIST,
    ),
    goal(
        "libuv's own benchmark runner: geometric mean",
        Measure::Mean,
        2.5,
        1.5,
        &["libuv::*"],
    ),
    goal(
        "the same: worst",
        Measure::TimesBetter,
        0.97,
        0.97,
        &["libuv::*"],
    ),
    Goal {
        what: "memory per idle connection",
        measure: Measure::TimesBetter,
        quiet: 1.0,
        awake: None,
        names: &["memory::per_connection"],
    },
    goal(
        "pauses of 1 to 200 µs between events: processor time to libuv's",
        Measure::Cpu,
        1.05,
        1.05,
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
            Measure::TimesBetter | Measure::Mean => Some(record.ratio),
            Measure::BareCost => record.bare_cost,
            Measure::BareCpu => record.bare_cpu_cost,
            Measure::Cpu => record.cpu_ratio,
        }
    }

    fn more_is_better(self) -> bool {
        matches!(self, Measure::TimesBetter | Measure::Mean)
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
        let limit = match regime {
            Regime::Quiet => self.quiet,
            Regime::Awake => self.awake?,
        };
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
            Measure::Mean => self.mean(&records, limit),
            _ => self.worst(&records, limit),
        };
        Some(Finding {
            wanted: format!("{sign} {}", text(limit)),
            found,
            is_met,
        })
    }

    fn mean(&self, records: &[&Record], limit: f64) -> (String, Option<bool>) {
        let ratios: Vec<f64> = records.iter().map(|record| record.ratio.median).collect();
        match geometric_mean(&ratios) {
            Some(mean) => (
                format!("{} of {}", text(mean), ratios.len()),
                Some(mean >= limit),
            ),
            None => (String::new(), None),
        }
    }

    /// The worst is shown by name, with how many of all reach the goal.
    fn worst(&self, records: &[&Record], limit: f64) -> (String, Option<bool>) {
        let reaches = |value: f64| {
            if self.measure.more_is_better() {
                value >= limit
            } else {
                value <= limit
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
