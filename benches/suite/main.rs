//! `cargo bench`: measures this library beside libuv. See `--help`, and `docs/performance.md` for
//! what is measured and how.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::disallowed_methods
)]

mod build;
#[path = "../../tests/c_tests/compile.rs"]
mod compile;
mod document;
mod measure;
mod run;
mod upstream;

use std::process::ExitCode;

use bench_results::goals::GOALS;
use bench_results::options::{self, Options};
use bench_results::record::{Record, Recorded};
use bench_results::{Result, report};

use terminal::{Progress, say};

use build::{Library, Programs};
use measure::{Libraries, Verdict};
use run::Catalog;

fn main() -> ExitCode {
    let options: Options = match terminal::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(code) => return code,
    };
    match start(&options) {
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
    let path = build::root().join("benches/recorded.tsv");
    if options.rewrite {
        document::write(&Recorded::read(&path)?, build::root())?;
        return Ok(true);
    }
    let ours = Library::ours()?;
    let programs = Programs::build(&ours)?;
    let catalog = Catalog::of(&programs, &ours)?;
    if options.list {
        list(&catalog);
        return Ok(true);
    }
    let libraries = Libraries {
        ours,
        upstream: Library::upstream()?,
    };
    let (found, mut failures) = if options.upstream_suite {
        upstream::run(&libraries, options)?
    } else {
        measure_all(&catalog, &libraries, options)
    };
    if options.check {
        failures.extend(check(&found, &Recorded::read(&path)?));
    }
    if options.write {
        write(&found, &catalog, &path)?;
    }
    if !options.quick {
        show_goals(&found);
    }
    for failure in &failures {
        eprintln!("FAILED {failure}");
    }
    Ok(failures.is_empty())
}

fn list(catalog: &Catalog) {
    for benchmark in &catalog.benchmarks {
        let facts = &benchmark.facts;
        println!("{:<34} {}", facts.name, facts.text);
        for goal in GOALS.iter().filter(|goal| goal.names(&facts.name)) {
            println!("{:<34}   goal: {}", "", goal.what);
        }
    }
}

/// The rows that are worse than recorded, by more than the spread of either.
fn check(found: &[Record], recorded: &Recorded) -> Vec<String> {
    found
        .iter()
        .filter_map(|new| {
            let old = recorded.find(&new.facts.name, new.regime)?;
            (new.ratio.high < 0.95 * old.ratio.low).then(|| {
                format!(
                    "{} ({}): {} was {}",
                    new.facts.name,
                    new.regime.name(),
                    report::spread(new.ratio),
                    report::spread(old.ratio)
                )
            })
        })
        .collect()
}

/// Records what was measured now beside what was measured before, and writes the page anew.
fn write(found: &[Record], catalog: &Catalog, path: &std::path::Path) -> Result<()> {
    let mut recorded = Recorded::read(path)?;
    let mut order: Vec<String> = catalog
        .benchmarks
        .iter()
        .map(|benchmark| benchmark.facts.name.clone())
        .collect();
    for record in recorded.records.iter().chain(found) {
        if !order.contains(&record.facts.name) {
            order.push(record.facts.name.clone());
        }
    }
    recorded.update(found, &order);
    recorded.machine = document::machine();
    recorded.write(path)?;
    document::write(&recorded, build::root())
}

/// The goals that what was measured now says something of.
fn show_goals(found: &[Record]) {
    let recorded = Recorded {
        records: found.to_vec(),
        ..Recorded::default()
    };
    for goal in GOALS {
        for regime in options::Regime::ALL {
            let Some(finding) = goal.judge(&recorded, regime) else {
                continue;
            };
            let Some(is_met) = finding.is_met else {
                continue;
            };
            println!(
                "{:<6} {:<5}  {}: wanted {}, found {}",
                if is_met { "met" } else { "MISSED" },
                regime.name(),
                goal.what,
                finding.wanted,
                finding.found
            );
        }
    }
}

/// The records of this run, and the benchmarks that failed.
fn measure_all(
    catalog: &Catalog,
    libraries: &Libraries,
    options: &Options,
) -> (Vec<Record>, Vec<String>) {
    let mut found = Vec::new();
    let mut failures = Vec::new();
    if !options.quick {
        say(report::HEADING);
    }
    let wanted: Vec<_> = catalog
        .benchmarks
        .iter()
        .filter(|benchmark| options.wants(&benchmark.facts.name))
        .collect();
    let progress = Progress::new(wanted.len());
    for benchmark in wanted {
        for &regime in &options.regimes {
            match measure::compare(benchmark, regime, catalog, libraries, options) {
                Ok(Verdict::Compared(record)) => {
                    if options.quick {
                        say(format_args!("{:<34} runs", benchmark.facts.name));
                    } else {
                        say(report::line(&record));
                    }
                    found.push(*record);
                }
                Ok(Verdict::Skipped(reason)) => {
                    say(format_args!(
                        "{:<34} skipped: {reason}",
                        benchmark.facts.name
                    ));
                    break;
                }
                Err(error) => {
                    say(format_args!("{:<34} FAILED", benchmark.facts.name));
                    failures.push(error);
                    break;
                }
            }
            if options.quick {
                break;
            }
        }
        progress.step("");
    }
    (found, failures)
}
