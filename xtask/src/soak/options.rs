//! The options of the command.

use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub struct Options {
    /// How many minutes; without it one, after the mutants
    #[arg(long, value_name = "N")]
    pub minutes: Option<u64>,
    /// How many connections are kept open, within the limit of descriptors
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub connections: u64,
    /// Make another choice of messages
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Run on the libuv.so.1 of this folder, such as libuv's own
    #[arg(long, value_name = "FOLDER")]
    pub library: Option<PathBuf>,
    /// Put summary and plot into docs/reliability.md
    #[arg(long, requires = "minutes")]
    pub write: bool,
}
