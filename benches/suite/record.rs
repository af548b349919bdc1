//! The results of one benchmark under one regime, and the file they are recorded in.

use std::path::Path;

use crate::Result;
use crate::options::Regime;
use crate::stats::Summary;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Operations per second: more is better.
    Rate,
    /// Less is better.
    Bytes,
    Nanoseconds,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Rate => "rate",
            Kind::Bytes => "bytes",
            Kind::Nanoseconds => "nanoseconds",
        }
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Rate, Kind::Bytes, Kind::Nanoseconds]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The fixed facts about a benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// `program::name`.
    pub name: String,
    pub kind: Kind,
    /// The number that varies within its series.
    pub n: u64,
    /// The plot that shows it against `n`.
    pub series: Option<String>,
    /// One operation in words.
    pub text: String,
}

/// One side of a comparison: medians of its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Side {
    /// Operations per second, or bytes, or nanoseconds.
    pub value: f64,
    /// Seconds of processor time for one operation.
    pub cpu: Option<f64>,
    /// Nanoseconds.
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

/// A benchmark under one regime.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub facts: Facts,
    pub regime: Regime,
    pub upstream: Side,
    pub ours: Side,
    pub bare: Option<Side>,
    /// How many times better this library is than libuv, in pairs of runs.
    pub ratio: Summary,
    /// Processor time of an operation, ours to libuv's: less is better.
    pub cpu_ratio: Option<Summary>,
    /// Time of an operation, ours to the bare work's: less is better.
    pub bare_cost: Option<Summary>,
    /// Processor time of an operation, ours to the bare work's: less is better.
    pub bare_cpu_cost: Option<Summary>,
}

/// The words of a line.
struct Fields<'a>(std::str::Split<'a, char>);

impl Fields<'_> {
    fn number(&mut self) -> Option<f64> {
        self.0.next()?.parse().ok()
    }

    /// None for a missing field, Some(None) for one that says that there is nothing.
    fn optional(&mut self) -> Option<Option<f64>> {
        match self.0.next()? {
            "-" => Some(None),
            text => text.parse().ok().map(Some),
        }
    }

    fn side(&mut self) -> Option<Option<Side>> {
        let value = self.optional()?;
        let (cpu, p50, p99) = (self.optional()?, self.optional()?, self.optional()?);
        Some(value.map(|value| Side {
            value,
            cpu,
            p50,
            p99,
        }))
    }

    fn summary(&mut self) -> Option<Option<Summary>> {
        let median = self.optional()?;
        let (low, high, count) = (self.optional()?, self.optional()?, self.optional()?);
        Some(median.and_then(|median| {
            Some(Summary {
                median,
                low: low?,
                high: high?,
                count: count? as usize,
            })
        }))
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.5e}"))
}

fn side(side: Option<Side>) -> String {
    let part = |field: fn(Side) -> Option<f64>| number(side.and_then(field));
    [
        part(|side| Some(side.value)),
        part(|side| side.cpu),
        part(|side| side.p50),
        part(|side| side.p99),
    ]
    .join("\t")
}

fn summary(summary: Option<Summary>) -> String {
    let part = |field: fn(Summary) -> f64| number(summary.map(field));
    [
        part(|summary| summary.median),
        part(|summary| summary.low),
        part(|summary| summary.high),
        summary.map_or("-".into(), |summary| summary.count.to_string()),
    ]
    .join("\t")
}

const COLUMNS: &str = "regime name kind n series \
    libuv libuv_cpu libuv_p50 libuv_p99 oxuv oxuv_cpu oxuv_p50 oxuv_p99 \
    bare bare_cpu bare_p50 bare_p99 times_better low high pairs cpu cpu_low cpu_high cpu_pairs \
    bare_cost bare_cost_low bare_cost_high bare_cost_pairs \
    bare_cpu_cost bare_cpu_cost_low bare_cpu_cost_high bare_cpu_cost_pairs text";

impl Record {
    pub fn to_line(&self) -> String {
        [
            self.regime.name().to_string(),
            self.facts.name.clone(),
            self.facts.kind.name().to_string(),
            self.facts.n.to_string(),
            self.facts.series.clone().unwrap_or("-".into()),
            side(Some(self.upstream)),
            side(Some(self.ours)),
            side(self.bare),
            summary(Some(self.ratio)),
            summary(self.cpu_ratio),
            summary(self.bare_cost),
            summary(self.bare_cpu_cost),
            self.facts.text.clone(),
        ]
        .join("\t")
    }

    pub fn from_line(line: &str) -> Option<Record> {
        let mut fields = Fields(line.split('\t'));
        let regime = Regime::from_name(fields.0.next()?)?;
        let name = fields.0.next()?.to_string();
        let kind = Kind::from_name(fields.0.next()?)?;
        let n = fields.number()? as u64;
        let series = Some(fields.0.next()?.to_string()).filter(|series| series != "-");
        Some(Record {
            regime,
            upstream: fields.side()??,
            ours: fields.side()??,
            bare: fields.side()?,
            ratio: fields.summary()??,
            cpu_ratio: fields.summary()?,
            bare_cost: fields.summary()?,
            bare_cpu_cost: fields.summary()?,
            facts: Facts {
                name,
                kind,
                n,
                series,
                text: fields.0.next()?.to_string(),
            },
        })
    }

    fn is_same(&self, other: &Record) -> bool {
        self.regime == other.regime && self.facts.name == other.facts.name
    }
}

/// All that is recorded, and the machine it was measured on.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    pub machine: String,
    pub records: Vec<Record>,
}

impl Recorded {
    /// Empty if there is no such file.
    pub fn read(path: &Path) -> Result<Recorded> {
        let Ok(text) = std::fs::read_to_string(path) else {
            return Ok(Recorded::default());
        };
        let mut recorded = Recorded::default();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                if let Some(machine) = comment.trim().strip_prefix("machine: ") {
                    recorded.machine = machine.to_string();
                }
                continue;
            }
            let record = Record::from_line(line)
                .ok_or_else(|| format!("{}: bad line {line}", path.display()))?;
            recorded.records.push(record);
        }
        Ok(recorded)
    }

    /// Takes over what was measured anew; `order` is that of the names.
    pub fn update(&mut self, found: &[Record], order: &[String]) {
        self.records
            .retain(|old| !found.iter().any(|new| new.is_same(old)));
        self.records.extend_from_slice(found);
        let place = |record: &Record| {
            order
                .iter()
                .position(|name| *name == record.facts.name)
                .unwrap_or(usize::MAX)
        };
        self.records
            .sort_by_key(|record| (place(record), record.regime));
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = format!(
            "# Written by `cargo bench -- --write`.\n# machine: {}\n# {}\n",
            self.machine,
            COLUMNS.split_whitespace().collect::<Vec<_>>().join("\t")
        );
        for record in &self.records {
            text += &record.to_line();
            text.push('\n');
        }
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub fn find(&self, name: &str, regime: Regime) -> Option<&Record> {
        self.records
            .iter()
            .find(|record| record.facts.name == name && record.regime == regime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, ratio: f64) -> Record {
        let side = Side {
            value: 1000.0,
            cpu: Some(1e-6),
            p50: None,
            p99: Some(2500.0),
        };
        let ratio = Summary {
            median: ratio,
            low: ratio * 0.5,
            high: ratio * 2.0,
            count: 7,
        };
        Record {
            facts: Facts {
                name: name.into(),
                kind: Kind::Rate,
                n: 8,
                series: None,
                text: "one of these".into(),
            },
            regime: Regime::Awake,
            upstream: side,
            ours: side,
            bare: None,
            ratio,
            cpu_ratio: Some(ratio),
            bare_cost: None,
            bare_cpu_cost: None,
        }
    }

    #[test]
    fn a_line_says_all() {
        let mut record = record("fs::stat", 2.0);
        assert_eq!(Record::from_line(&record.to_line()).as_ref(), Some(&record));
        record.bare = Some(record.ours);
        record.bare_cost = Some(record.ratio);
        record.facts.series = Some("files".into());
        record.facts.kind = Kind::Bytes;
        assert_eq!(Record::from_line(&record.to_line()).as_ref(), Some(&record));
    }

    #[test]
    fn a_bad_line_is_none() {
        assert_eq!(Record::from_line(""), None);
        let line = record("fs::stat", 2.0).to_line();
        assert_eq!(Record::from_line(&line.replace("awake", "unknown")), None);
        assert_eq!(Record::from_line(line.rsplit_once('\t').unwrap().0), None);
    }

    #[test]
    fn the_columns_are_named() {
        let line = record("fs::stat", 2.0).to_line();
        let columns = COLUMNS.split_whitespace().count();
        assert_eq!(line.split('\t').count(), columns);
    }

    #[test]
    fn an_update_replaces_and_keeps_the_order() {
        let mut recorded = Recorded::default();
        let order = ["a".to_string(), "b".to_string()];
        recorded.update(&[record("b", 1.0), record("other", 3.0)], &order);
        recorded.update(&[record("a", 1.0), record("b", 2.0)], &order);
        let names: Vec<&str> = recorded
            .records
            .iter()
            .map(|record| record.facts.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "other"]);
        let found = recorded.find("b", Regime::Awake).unwrap();
        assert_eq!(found.ratio.median, 2.0);
        assert_eq!(recorded.find("b", Regime::Quiet), None);
    }
}
