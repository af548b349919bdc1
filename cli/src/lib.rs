//! The command `oxuv`: runs programs on the library and proves that it took, tells what a file
//! needs of it, which settings are in force, and what a trace shows.

pub mod check;
pub mod differences;
pub mod elf;
pub mod library;
pub mod line;
mod mapped;
pub mod report;
mod run;
pub mod settings;

use std::process::ExitCode;

use line::{Command, Line};

/// The exit status where the command itself fails, as of env(1): the program was not run.
const FAILED: u8 = 125;

/// Does what a command line asks for.
pub fn run(line: &Line) -> ExitCode {
    let outcome = match &line.command {
        Command::Run(options) => run::run(options),
        Command::Check(options) => check::run(options),
        Command::Env => Ok(settings::run()),
        Command::Report(options) => report::run(options),
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("oxuv: {message}");
        ExitCode::from(FAILED)
    })
}
