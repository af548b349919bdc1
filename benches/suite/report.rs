//! The lines that are shown while benchmarks run.

use crate::record::{Kind, Record, Side};
use crate::stats::Summary;

/// Three digits and a unit's prefix: 1.23 M.
pub fn short(value: f64) -> String {
    let (scaled, prefix) = match value {
        value if value >= 1e9 => (value / 1e9, " G"),
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e3 => (value / 1e3, " k"),
        value => (value, ""),
    };
    let digits = match scaled {
        scaled if scaled >= 100.0 => 0,
        scaled if scaled >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{prefix}")
}

/// Nanoseconds as people say them.
pub fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns >= 1e9 => format!("{:.2} s", ns / 1e9),
        ns if ns >= 1e6 => format!("{:.2} ms", ns / 1e6),
        ns if ns >= 1e3 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{ns:.0} ns"),
    }
}

pub fn value(kind: Kind, value: f64) -> String {
    match kind {
        Kind::Rate => format!("{}/s", short(value)),
        Kind::Bytes => format!("{}B", short(value)),
        Kind::Nanoseconds => duration(value),
    }
}

pub fn spread(summary: Summary) -> String {
    format!(
        "{} ({}–{})",
        ratio(summary.median),
        ratio(summary.low),
        ratio(summary.high)
    )
}

pub fn ratio(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}×")
    } else if value >= 10.0 {
        format!("{value:.1}×")
    } else {
        format!("{value:.2}×")
    }
}

pub const HEADING: &str = "benchmark                          regime    libuv        oxuv         times better          \
     CPU/op  p50, p99 of libuv → oxuv; cost to bare system calls";

/// One line of the table at the terminal.
pub fn line(found: &Record) -> String {
    let kind = found.facts.kind;
    let mut text = format!(
        "{:<34} {:<6}  {:>11}  {:>11}  {:<22}",
        found.facts.name,
        found.regime.name(),
        value(kind, found.upstream.value),
        value(kind, found.ours.value),
        spread(found.ratio),
    );
    if let Some(cpu) = found.cpu_ratio {
        text += &format!(" {:>6}", ratio(cpu.median));
    }
    if let (Some(theirs), Some(ours)) = (percentiles(&found.upstream), percentiles(&found.ours)) {
        text += &format!("  {theirs} → {ours}");
    }
    if let Some(cost) = found.bare_cost {
        text += &format!("  bare: {}", ratio(cost.median));
        if let Some(cpu) = found.bare_cpu_cost {
            text += &format!(", CPU {}", ratio(cpu.median));
        }
    }
    text
}

pub fn percentiles(side: &Side) -> Option<String> {
    Some(format!("{}, {}", duration(side.p50?), duration(side.p99?)))
}
