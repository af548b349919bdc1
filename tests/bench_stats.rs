//! Runs the unit tests of the benchmarks' pure parts: `cargo bench` itself has no test harness.

#![allow(clippy::disallowed_types, clippy::disallowed_macros, missing_docs)]

#[allow(dead_code)]
#[path = "../benches/suite/stats.rs"]
mod stats;
