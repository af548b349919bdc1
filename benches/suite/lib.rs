//! What `cargo bench` makes of its measurements: statistics, goals, the record and its charts.
//! Nothing here measures or starts anything, so that unit tests say whether it is right.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::disallowed_methods
)]

pub mod goals;
pub mod highlights;
pub mod options;
pub mod parse;
pub mod record;
pub mod report;
pub mod stats;
pub mod svg;

/// A message for the person at the terminal when it fails.
pub type Result<T> = std::result::Result<T, String>;
