//! Measures a benchmark on both libraries in alternation, and compares.

use crate::Result;
use crate::build::Library;
use crate::options::{Options, Regime};
use crate::run::{Benchmark, Catalog, Kind, Outcome, Sample, Spinners};
use crate::stats::{Summary, median, ratios};

/// One side of a comparison: medians of its samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side {
    pub value: f64,
    pub cpu: Option<f64>,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

/// A benchmark under one regime.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub benchmark: Benchmark,
    pub regime: Regime,
    pub upstream: Side,
    pub ours: Side,
    pub bare: Option<Side>,
    /// How many times better ours is, in pairs.
    pub ratio: Summary,
    /// Processor time of an operation, ours to libuv's: less is better.
    pub cpu_ratio: Option<Summary>,
    /// What ours costs of the bare work's cost: less is better.
    pub bare_cost: Option<Summary>,
    /// The same of processor time.
    pub bare_cpu_cost: Option<Summary>,
}

pub enum Verdict {
    Compared(Box<Comparison>),
    Skipped(String),
}

/// The libraries to compare.
pub struct Libraries {
    pub ours: Library,
    pub upstream: Library,
}

#[derive(Default)]
struct Samples {
    upstream: Vec<Sample>,
    ours: Vec<Sample>,
    bare: Vec<Sample>,
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
        // Who goes first takes turns, so that a drift of the machine favours neither.
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
        if let Some(bare) = bare
            && let Outcome::Done(sample) = bare.run(None, options)?
        {
            samples.bare.push(sample);
        }
    }
    samples
        .compare(benchmark, regime)
        .map(|comparison| Verdict::Compared(Box::new(comparison)))
        .ok_or_else(|| format!("{}: measured nothing", benchmark.name))
}

impl Samples {
    fn compare(&self, benchmark: &Benchmark, regime: Regime) -> Option<Comparison> {
        let better = |ours: &[Sample], other: &[Sample]| {
            let ratios = ratios(&values(ours), &values(other));
            match benchmark.kind {
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
        Some(Comparison {
            benchmark: benchmark.clone(),
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
