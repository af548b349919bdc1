//! The command line. The man page and the completions are made of it (`cargo xtask headers`).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

/// Run programs on oxuv, libuv rebuilt in Rust, and see what they do there
#[derive(Parser)]
#[command(name = "oxuv", version, disable_help_subcommand = true)]
pub struct Line {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a program on the library, and prove that it took
    #[command(long_about = "Run a program on the library, and prove that it took.

When the program has ended, a line on the standard error stream says which libuv it had mapped. If it had none, the line says whether it has a libuv of its own, linked into it, or needs none.

The exit status is the program's. If a signal ended the program, the same signal ends this command. The status is 125 if the command itself fails, 126 if the program cannot be run, and 127 if it is not found.")]
    Run(RunOptions),
    /// Tell which libuv functions a file needs, and which behave otherwise here
    #[command(
        long_about = "Tell which libuv functions a program, an addon or a library needs, and which of them behave otherwise here than in libuv.

The exit status is 1 if this library lacks a function that the file needs, and 125 if the file cannot be read."
    )]
    Check(CheckOptions),
    /// List the variables that the library reads, with the values in force
    #[command(
        long_about = "List the variables that the library reads, with the values in force.

Each has its value, and whether it comes from the environment or is the default. The exit status is 1 if a value is wrong; the library then uses the default."
    )]
    Env,
    /// Make a page that shows what a trace has recorded
    #[command(long_about = "Make a page that shows what a trace has recorded.

The trace is a file that OXUV_TRACE or `oxuv run --trace` has made. The page is one file that loads nothing from elsewhere. It has a timeline to zoom into, the longest callbacks, how long jobs waited for the pool, and how late the loops were.")]
    Report(ReportOptions),
}

#[derive(Args)]
pub struct RunOptions {
    /// Record what loops do into a file (OXUV_TRACE), for `oxuv report`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
    /// Name callbacks that take longer than this many milliseconds (OXUV_STALL_MS)
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..))]
    pub stall: Option<u32>,
    /// The folder of the library, instead of the one that is installed with this command
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub library: Option<PathBuf>,
    /// Say nothing about which libuv the program ran on, if it was this one
    #[arg(long, short)]
    pub quiet: bool,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true,
        value_name = "PROGRAM", value_hint = ValueHint::CommandWithArguments)]
    pub program: Vec<OsString>,
}

#[derive(Args)]
pub struct CheckOptions {
    /// A program, an addon or a library
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

#[derive(Args)]
pub struct ReportOptions {
    /// The trace
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where to put the page; by default beside the trace, with the ending .html
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn options_after_the_program_are_the_programs() {
        let line = Line::parse_from(["oxuv", "run", "--quiet", "--", "node", "--quiet", "x.js"]);
        let Command::Run(options) = line.command else {
            panic!("not run");
        };
        assert!(options.quiet);
        assert_eq!(options.program, ["node", "--quiet", "x.js"]);
    }

    #[test]
    fn no_stall_is_shorter_than_a_millisecond() {
        assert!(Line::try_parse_from(["oxuv", "run", "--stall", "1", "a"]).is_ok());
        assert!(Line::try_parse_from(["oxuv", "run", "--stall", "0", "a"]).is_err());
    }
}
