//! `cargo xtask soak`: thousands of connections for a long time. Two processes (`xtask/soak/`) talk to
//! each other over random messages, half-closes and resets, and have files, children, watches and jobs
//! beside. They verify every byte. From outside, this command watches that memory and descriptors do
//! not grow.

mod mutants;
mod options;
mod pair;
mod plot;
mod process;
mod program;
mod report;
mod verdict;

use std::path::Path;

use crate::Outcome;
use crate::tools;
use pair::{Bench, Extent};

pub use options::Options;

pub fn run(root: &Path, options: &Options) -> Outcome {
    tools::need(&[("cc", "gcc")])?;
    let bench = Bench::build(root, options.library.as_deref())?;
    if options.minutes.is_none() {
        let found = mutants::check_all(&bench)?;
        println!("{found} mutants of the library are found");
    }
    let limit = pair::limit_of_descriptors();
    let extent = Extent {
        connections: pair::within(limit, options.connections),
        ..Extent::long(options.minutes.unwrap_or(1), options.seed)
    };
    println!(
        "{} connections (a process may have {limit} descriptors) for {} s",
        extent.connections, extent.seconds
    );
    let samples = bench.run(&extent, None, true)?;
    let growth = verdict::judge(&samples, extent.seconds);
    let summary = report::summary(&extent, limit, &samples, &growth);
    println!("{summary}");
    if options.write {
        report::write(root, options.library.is_some(), &summary, &samples)?;
    }
    growth.map(drop)
}
