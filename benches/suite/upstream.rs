//! Runs libuv's own benchmark runner, unmodified, on both libraries, and reads the rates it prints.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::build::Library;
use crate::measure::{Libraries, Samples};
use crate::run::{Sample, Spinners, output_within};
use bench_results::Result;
use bench_results::options::{Options, Regime};
use bench_results::parse::score;
use bench_results::record::{Facts, Kind, Record};
use bench_results::report;
use bench_results::stats::geometric_mean;

/// The runner, linked to the shared library, in the build folder of libuv.
const RUNNER: &str = "uv_run_benchmarks";

/// No further pair of a benchmark is begun after this time; the slowest take a minute on libuv.
const PAIRS_LIMIT: Duration = Duration::from_secs(10);

/// Prints sizes of structures, which the ABI has fixed.
const NO_BENCHMARK: &str = "sizes";

pub fn run(libraries: &Libraries, options: &Options) -> Result<(Vec<Record>, Vec<String>)> {
    check_library(libraries, &libraries.upstream)?;
    check_library(libraries, &libraries.ours)?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    println!("{}", report::HEADING);
    for name in names(libraries)? {
        let facts = Facts {
            name: format!("libuv::{name}"),
            kind: Kind::Rate,
            n: 0,
            series: None,
            text: String::new(),
        };
        if name == NO_BENCHMARK || !options.wants(&facts.name) {
            continue;
        }
        for &regime in &options.regimes {
            match compare(libraries, &name, &facts, regime, options) {
                Ok(Some(record)) => {
                    println!("{}", report::line(&record));
                    found.push(record);
                }
                Ok(None) => {
                    println!("{:<34} skipped: fails on libuv", facts.name);
                    break;
                }
                Err(error) => {
                    println!("{:<34} FAILED", facts.name);
                    failures.push(error);
                    break;
                }
            }
        }
    }
    for &regime in &options.regimes {
        summarize(&found, regime);
    }
    Ok((found, failures))
}

fn summarize(found: &[Record], regime: Regime) {
    let mut of_regime: Vec<&Record> = found
        .iter()
        .filter(|record| record.regime == regime)
        .collect();
    of_regime.sort_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median));
    let ratios: Vec<f64> = of_regime.iter().map(|record| record.ratio.median).collect();
    if let (Some(mean), Some(worst)) = (geometric_mean(&ratios), of_regime.first()) {
        println!(
            "{}: geometric mean of {} {}, worst {} ({})",
            regime.name(),
            ratios.len(),
            report::ratio(mean),
            report::ratio(worst.ratio.median),
            worst.facts.name
        );
    }
}

fn runner(libraries: &Libraries, library: &Library) -> Command {
    let mut command = Command::new(libraries.upstream.built.join(RUNNER));
    command.current_dir(crate::build::scratch());
    command.env("LD_LIBRARY_PATH", &library.folder);
    command.env_remove("UV_THREADPOOL_SIZE");
    command
}

/// The libraries that the loader says it would map.
fn check_library(libraries: &Libraries, library: &Library) -> Result<()> {
    let output = runner(libraries, library)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .map_err(|error| {
            format!("{RUNNER}: {error}; `cargo xtask upstream` links it to the shared library")
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mapped = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("libuv.so.1 => "))
        .and_then(|rest| std::fs::canonicalize(rest.split(" (").next()?).ok());
    if mapped.as_deref() == Some(&library.file) {
        return Ok(());
    }
    Err(format!(
        "{RUNNER} would run on {mapped:?}, not on {}",
        library.file.display()
    ))
}

fn names(libraries: &Libraries) -> Result<Vec<String>> {
    let output = runner(libraries, &libraries.upstream)
        .arg("--list")
        .output()
        .map_err(|error| format!("{RUNNER}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| Some(line.split_whitespace().next()?.to_string()))
        .collect())
}

/// None where libuv itself fails.
fn compare(
    libraries: &Libraries,
    name: &str,
    facts: &Facts,
    regime: Regime,
    options: &Options,
) -> Result<Option<Record>> {
    let _spinners = Spinners::start(regime);
    let mut samples = Samples::default();
    let began = Instant::now();
    for pair in 0..options.pairs {
        if pair > 0 && began.elapsed() >= PAIRS_LIMIT {
            break;
        }
        // Its time limits are too short for some of the benchmarks on some machines.
        let Some((upstream, ours)) = measure_pair(libraries, name, pair % 2 == 0)? else {
            break;
        };
        samples.upstream.push(upstream);
        samples.ours.push(ours);
    }
    if samples.upstream.is_empty() {
        return Ok(None);
    }
    samples
        .compare(facts, regime)
        .map(Some)
        .ok_or_else(|| format!("{name}: measured nothing"))
}

/// One run on each library; none if it fails on libuv.
fn measure_pair(
    libraries: &Libraries,
    name: &str,
    upstream_first: bool,
) -> Result<Option<(Sample, Sample)>> {
    let on_upstream = || measure(libraries, &libraries.upstream, name).ok();
    let on_ours = || measure(libraries, &libraries.ours, name);
    if upstream_first {
        let Some(upstream) = on_upstream() else {
            return Ok(None);
        };
        return Ok(Some((upstream, on_ours()?)));
    }
    let ours = on_ours();
    match on_upstream() {
        Some(upstream) => Ok(Some((upstream, ours?))),
        None => Ok(None),
    }
}

fn measure(libraries: &Libraries, library: &Library, name: &str) -> Result<Sample> {
    let mut command = runner(libraries, library);
    command.arg(name);
    let output = output_within(command, Duration::from_secs(600))
        .map_err(|error| format!("{name}: {error}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name}: {}\n{text}", output.status));
    }
    let value = score(name, &text).ok_or_else(|| format!("{name}: no rate in\n{text}"))?;
    Ok(Sample {
        value,
        ..Sample::default()
    })
}
