//! The options of `cargo bench -- …`.

const VARIABLES: &str = "\
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

/// Measure this library beside libuv.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "cargo bench --", bin_name = "cargo bench --", after_help = VARIABLES)]
pub struct Options {
    /// Say what there is, and its goal
    #[arg(long)]
    pub list: bool,
    /// Only benchmarks whose name has TEXT in it; may be repeated
    #[arg(long = "filter", value_name = "TEXT")]
    filters: Vec<String>,
    #[arg(value_name = "TEXT", hide = true)]
    more_filters: Vec<String>,
    /// How many times each library is measured, in turn
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = terminal::above_zero::<usize>)]
    pub pairs: usize,
    /// How many milliseconds each measurement takes
    #[arg(long = "ms", value_name = "N", default_value_t = 300,
        value_parser = terminal::above_zero::<u64>)]
    pub milliseconds: u64,
    /// quiet, awake, busy or all: awake keeps the processors from going idle, busy has a process of
    /// ordinary priority on each that never blocks
    #[arg(long = "regime", value_name = "WHICH", default_value = "all", value_parser = regimes)]
    pub regimes: Box<[Regime]>,
    /// Only prove that every benchmark runs on both libraries; nothing is judged
    #[arg(long)]
    pub quick: bool,
    /// Write docs/performance.md, its charts, and benches/recorded.tsv
    #[arg(long)]
    pub write: bool,
    /// Write all but benches/recorded.tsv, from that file; measures nothing
    #[arg(long)]
    pub rewrite: bool,
    /// Fail where a ratio is worse than the one in benches/recorded.tsv
    #[arg(long)]
    pub check: bool,
    /// Run libuv's own benchmark runner on both libraries instead; fewer pairs of what takes long
    #[arg(long)]
    pub upstream_suite: bool,
    /// Cargo's own.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether there is such an option, such as `--list`.
    pub fn has(option: &str) -> bool {
        let command = <Options as clap::CommandFactory>::command();
        let name = option.strip_prefix("--");
        command
            .get_arguments()
            .any(|it| name.is_some() && it.get_long() == name)
    }

    pub fn wants(&self, name: &str) -> bool {
        let mut filters = self.filters.iter().chain(&self.more_filters).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter))
    }
}

fn regimes(text: &str) -> Result<Box<[Regime]>, String> {
    if text == "all" {
        return Ok(Regime::ALL.into());
    }
    Regime::from_name(text)
        .map(|regime| [regime].into())
        .ok_or_else(|| "not quiet, awake, busy or all".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words = ["bench"].into_iter().chain(line.split_whitespace());
        <Options as clap::Parser>::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read() {
        let options = parse("--bench --regime quiet --pairs=3 --filter udp fs::").unwrap();
        assert_eq!(*options.regimes, [Regime::Quiet]);
        assert_eq!(options.pairs, 3);
        assert!(options.wants("udp::send") && options.wants("fs::stat"));
        assert!(!options.wants("timers::start"));
        let all = parse("").unwrap();
        assert_eq!(*all.regimes, Regime::ALL);
        assert!(all.wants("timers::start"));
    }

    #[test]
    fn others_are_refused() {
        for line in [
            "--nothing",
            "--pairs 0",
            "--ms x",
            "--regime loud",
            "--filter",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(Options::has("--regime") && !Options::has("--nothing") && !Options::has("regime"));
    }
}
