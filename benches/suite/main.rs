//! `cargo bench`: measures this library beside libuv. See `--help`, and `docs/performance.md` for
//! what is measured and how.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

mod build;
#[allow(dead_code)]
mod measure;
mod options;
mod report;
mod run;
#[allow(dead_code)]
mod stats;

use std::process::ExitCode;

use build::{Library, Programs};
use measure::{Comparison, Libraries, Verdict};
use options::Options;
use run::Catalog;

/// A message for the person at the terminal when it fails.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| start(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is as it should be.
fn start(options: &Options) -> Result<bool> {
    if options.help {
        println!("{}", options::HELP);
        return Ok(true);
    }
    let ours = Library::ours()?;
    let programs = Programs::build(&ours)?;
    let catalog = Catalog::of(&programs, &ours)?;
    if options.list {
        for benchmark in &catalog.benchmarks {
            println!("{:<34} {}", benchmark.name, benchmark.text);
        }
        return Ok(true);
    }
    let libraries = Libraries {
        ours,
        upstream: Library::upstream()?,
    };
    let (_, failures) = measure_all(&catalog, &libraries, options);
    for failure in &failures {
        eprintln!("FAILED {failure}");
    }
    Ok(failures.is_empty())
}

/// What was found, and what failed.
fn measure_all(
    catalog: &Catalog,
    libraries: &Libraries,
    options: &Options,
) -> (Vec<Comparison>, Vec<String>) {
    let mut found = Vec::new();
    let mut failures = Vec::new();
    if !options.quick {
        println!("{}", report::HEADING);
    }
    let wanted = catalog
        .benchmarks
        .iter()
        .filter(|benchmark| options.wants(&benchmark.name));
    for benchmark in wanted {
        for &regime in &options.regimes {
            match measure::compare(benchmark, regime, catalog, libraries, options) {
                Ok(Verdict::Compared(comparison)) => {
                    if options.quick {
                        println!("{:<34} runs", benchmark.name);
                    } else {
                        println!("{}", report::line(&comparison));
                    }
                    found.push(*comparison);
                }
                Ok(Verdict::Skipped(reason)) => {
                    println!("{:<34} skipped: {reason}", benchmark.name);
                    break;
                }
                Err(error) => {
                    println!("{:<34} FAILED", benchmark.name);
                    failures.push(error);
                    break;
                }
            }
            if options.quick {
                break;
            }
        }
    }
    (found, failures)
}
