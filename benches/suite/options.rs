//! The options of `cargo bench -- …`.

use crate::Result;

pub const HELP: &str = "\
cargo bench [-- OPTIONS]     measures this library beside libuv

  --list             what there is, and its goal
  --filter TEXT      only benchmarks whose name contains TEXT; may be given more than once
  --pairs N          how many times each library is measured, in turn (7)
  --ms N             how long each measurement takes (300)
  --regime WHICH     quiet, awake, busy or all (all): awake keeps the processors from going idle,
                     busy has a process of ordinary priority on each that never blocks
  --quick            only proves that every benchmark runs on both libraries; nothing is judged
  --write            writes docs/performance.md, its charts, that of README.md, and
                     benches/recorded.tsv
  --rewrite          writes all but benches/recorded.tsv, from that file; measures nothing
  --check            fails where a ratio is worse than the one in benches/recorded.tsv
  --upstream-suite   runs libuv's own benchmark runner on both libraries instead; fewer pairs of what
                     takes long

OXUV_UPSTREAM is the build folder of libuv 1.53 to measure against; `cargo xtask upstream` makes one
when it is not set. OXUV_BENCH_LIBRARY is a folder with a libuv.so.1 to be measured in place of this
library's release build; libuv's own folder shows what runs of one library differ by.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    Quiet,
    /// The processors do not go idle, and are free whenever a benchmark wants them.
    Awake,
    /// Other processes use the processors all the time.
    Busy,
}

impl Regime {
    pub const ALL: [Regime; 3] = [Regime::Quiet, Regime::Awake, Regime::Busy];

    pub fn name(self) -> &'static str {
        match self {
            Regime::Quiet => "quiet",
            Regime::Awake => "awake",
            Regime::Busy => "busy",
        }
    }

    pub fn from_name(name: &str) -> Option<Regime> {
        Regime::ALL.into_iter().find(|regime| regime.name() == name)
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub list: bool,
    pub filters: Vec<String>,
    pub pairs: usize,
    pub milliseconds: u64,
    pub regimes: Vec<Regime>,
    pub quick: bool,
    pub write: bool,
    pub rewrite: bool,
    pub check: bool,
    pub upstream_suite: bool,
    pub help: bool,
}

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            list: false,
            filters: Vec::new(),
            pairs: 7,
            milliseconds: 300,
            regimes: Regime::ALL.to_vec(),
            quick: false,
            write: false,
            rewrite: false,
            check: false,
            upstream_suite: false,
            help: false,
        };
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name.to_string(), Some(value.to_string())),
                None => (word, None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| words.next())
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            match name.as_str() {
                "--list" => options.list = true,
                "--filter" => options.filters.push(value()?),
                "--pairs" => options.pairs = number(&value()?)?.max(1) as usize,
                "--ms" => options.milliseconds = number(&value()?)?.max(1),
                "--regime" => options.regimes = regimes(&value()?)?,
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--rewrite" => options.rewrite = true,
                "--check" => options.check = true,
                "--upstream-suite" => options.upstream_suite = true,
                "--help" | "-h" => options.help = true,
                // Cargo's own.
                "--bench" => {}
                text if !text.starts_with('-') => options.filters.push(text.to_string()),
                other => return Err(format!("unknown option {other}\n\n{HELP}")),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn regimes(text: &str) -> Result<Vec<Regime>> {
    if text == "all" {
        return Ok(Regime::ALL.to_vec());
    }
    Regime::from_name(text)
        .map(|regime| vec![regime])
        .ok_or_else(|| format!("no regime {text}: quiet, awake, busy or all"))
}
