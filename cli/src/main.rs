//! The command `oxuv`.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    oxuv_cli::run(&oxuv_cli::line::Line::parse())
}
