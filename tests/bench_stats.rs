//! Runs the unit tests of the benchmarks' pure parts: `cargo bench` itself has no test harness.

#![allow(clippy::disallowed_types, clippy::disallowed_macros, dead_code)]

#[path = "../benches/suite/goals.rs"]
mod goals;
#[path = "../benches/suite/options.rs"]
mod options;
#[path = "../benches/suite/parse.rs"]
mod parse;
#[path = "../benches/suite/record.rs"]
mod record;
#[path = "../benches/suite/report.rs"]
mod report;
#[path = "../benches/suite/stats.rs"]
mod stats;
#[path = "../benches/suite/svg.rs"]
mod svg;

/// As in `benches/suite/main.rs`.
type Result<T> = std::result::Result<T, String>;
