//! Measures a benchmark on both libraries in alternation, and compares.

use crate::build::Library;
use crate::run::{Benchmark, Catalog, Outcome, Sample, Spinners};
use bench_results::Result;
use bench_results::options::{Options, Regime};
use bench_results::record::{Facts, Kind, Record, Side};
use bench_results::stats::{Summary, median, ratios};

pub enum Verdict {
    Compared(Box<Record>),
    Skipped(String),
}

/// The libraries to compare.
pub struct Libraries {
    pub ours: Library,
    pub upstream: Library,
}

/// The samples of a benchmark, pair by pair.
#[derive(Default)]
pub struct Samples {
    pub upstream: Vec<Sample>,
    pub ours: Vec<Sample>,
    pub bare: Vec<Sample>,
}

pub fn compare(
    benchmark: &Benchmark,
    regime: Regime,
    catalog: &Catalog,
    libraries: &Libraries,
    options: &Options,
) -> Result<Verdict> {
    let bare = benchmark.bare.as_ref().map(|name| &catalog.bare[name]);
    let _spinners = Spinners::start(regime);
    let mut samples = Samples::default();
    let pairs = if options.quick { 1 } else { options.pairs };
    for pair in 0..pairs {
        // Each goes first by turns, so that a drift of the machine favours neither.
        let mut sides = [(&libraries.upstream, true), (&libraries.ours, false)];
        if pair % 2 == 1 {
            sides.reverse();
        }
        for (library, is_upstream) in sides {
            match benchmark.run(Some(library), options)? {
                Outcome::Done(sample) if is_upstream => samples.upstream.push(sample),
                Outcome::Done(sample) => samples.ours.push(sample),
                Outcome::Skipped(reason) => return Ok(Verdict::Skipped(reason)),
            }
        }
        if let Some(bare) = bare {
            if let Outcome::Done(sample) = bare.run(None, options)? {
                samples.bare.push(sample);
            }
        }
    }
    samples
        .compare(&benchmark.facts, regime)
        .map(|record| Verdict::Compared(Box::new(record)))
        .ok_or_else(|| format!("{}: measured nothing", benchmark.facts.name))
}

impl Samples {
    /// None if a side has no samples.
    pub fn compare(&self, facts: &Facts, regime: Regime) -> Option<Record> {
        let better = |ours: &[Sample], other: &[Sample]| {
            let ratios = ratios(&values(ours), &values(other));
            match facts.kind {
                Kind::Rate => ratios,
                Kind::Bytes | Kind::Nanoseconds => ratios.iter().map(|ratio| 1.0 / ratio).collect(),
            }
        };
        let cpu = |other: &[Sample]| {
            let ratios = ratios(&processor_times(&self.ours)?, &processor_times(other)?);
            Summary::of(&ratios)
        };
        let bare_cost: Vec<f64> = better(&self.ours, &self.bare)
            .iter()
            .map(|ratio| 1.0 / ratio)
            .collect();
        Some(Record {
            facts: facts.clone(),
            regime,
            upstream: side(&self.upstream)?,
            ours: side(&self.ours)?,
            bare: side(&self.bare),
            ratio: Summary::of(&better(&self.ours, &self.upstream))?,
            cpu_ratio: cpu(&self.upstream),
            bare_cost: Summary::of(&bare_cost),
            bare_cpu_cost: cpu(&self.bare),
        })
    }
}

fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.value).collect()
}

fn processor_times(samples: &[Sample]) -> Option<Vec<f64>> {
    samples.iter().map(|sample| sample.cpu).collect()
}

fn side(samples: &[Sample]) -> Option<Side> {
    let of = |field: fn(&Sample) -> Option<f64>| {
        let values: Option<Vec<f64>> = samples.iter().map(field).collect();
        values.and_then(|values| median(&values))
    };
    Some(Side {
        value: median(&values(samples))?,
        cpu: of(|sample| sample.cpu),
        p50: of(|sample| sample.p50),
        p99: of(|sample| sample.p99),
    })
}
