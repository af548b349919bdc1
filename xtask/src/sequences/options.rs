//! The options of the command.

use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub struct Options {
    /// How many sequences there are in each mode
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub seeds: u64,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub first: u64,
    /// How many calls a sequence has
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub operations: u64,
    /// With a sanitizer on both sides of the API
    #[arg(long, value_name = "NAME", value_parser = ["address", "thread"])]
    pub sanitizer: Option<String>,
    /// On the libuv.so.1 of this folder; not compared
    #[arg(long, value_name = "FOLDER")]
    pub library: Option<PathBuf>,
}
