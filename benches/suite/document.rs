//! Writes `docs/performance.md` and its charts from what is recorded.

use std::fmt::Write;
use std::path::Path;

use bench_results::Result;
use bench_results::goals::GOALS;
use bench_results::highlights;
use bench_results::options::Regime;
use bench_results::record::{Record, Recorded, Side};
use bench_results::report;
use bench_results::stats::{Summary, geometric_mean};
use bench_results::svg::{self, Plot, What};

const REGIMES: [Regime; 3] = Regime::ALL;

const GROWTH: &[Plot] = &[
    plot(
        "connections",
        "an echo, all connections busy",
        "connections",
        What::Cost,
    ),
    plot(
        "connections",
        "processor time of the server for it",
        "connections",
        What::Cpu,
    ),
    plot(
        "timers",
        "a running timer started anew",
        "timers",
        What::Cost,
    ),
    plot(
        "asyncs",
        "a send and its callback",
        "async handles",
        What::Cost,
    ),
    plot(
        "watchers",
        "one event of one poll handle",
        "poll handles",
        What::Cost,
    ),
    plot(
        "work",
        "a job and its callback",
        "jobs in flight",
        What::Cost,
    ),
    plot(
        "pool_size",
        "a job, 64 in flight",
        "UV_THREADPOOL_SIZE",
        What::Cost,
    ),
    plot(
        "pool_size",
        "processor time for it",
        "UV_THREADPOOL_SIZE",
        What::Cpu,
    ),
];

const GAPS: &[Plot] = &[
    plot(
        "gap_async",
        "latency of a wake-up",
        "µs since the last",
        What::Cost,
    ),
    plot(
        "gap_async",
        "processor time for it",
        "µs since the last",
        What::Cpu,
    ),
    plot(
        "gap_work",
        "latency of a wake-up and a job",
        "µs since the last",
        What::Cost,
    ),
    plot(
        "gap_work",
        "processor time for it",
        "µs since the last",
        What::Cpu,
    ),
    plot(
        "gap_job",
        "latency of a job, its own time taken off",
        "µs that the job takes",
        What::Cost,
    ),
    plot(
        "gap_job",
        "processor time, that of the job included",
        "µs that the job takes",
        What::Cpu,
    ),
    plot(
        "gap_tcp",
        "an echo over TCP",
        "µs since the last",
        What::Cost,
    ),
    plot(
        "gap_tcp",
        "processor time of the server",
        "µs since the last",
        What::Cpu,
    ),
];

const fn plot(series: &'static str, title: &'static str, axis: &'static str, what: What) -> Plot {
    Plot {
        series,
        title,
        axis,
        what,
    }
}

const INTRODUCTION: &str = "\
<!-- Written by `cargo bench -- --write` from benches/recorded.tsv and benches/notes.md. -->

# Performance

How fast this library is beside libuv 1.53. Every benchmark is a C program of `benches/`, built once \
and run on libuv's own release build and on this library's in turn; each run is a process of its own, \
which checks that the library it was meant to have is the one that is mapped. A pair of runs gives a \
ratio; what is shown is the median of the ratios and, in brackets, their first and third quartile. \
More than 1× is faster, or smaller, than libuv.

*Quiet*: the machine does nothing else, and a processor without work halts. *Awake*: a thread of the \
scheduling class `SCHED_IDLE` on every processor keeps it from halting, without ever standing in the \
way of other work; that takes the price of idle states out, which on virtual machines is most of a \
wake-up.

*CPU* is the processor time of an operation, ours to libuv's: less is better. Where a server is \
measured it is that of the server alone. *Bare* is the same work in a plain loop on the system calls, \
measured in the same run (`benches/bare/`); the figure says what an operation costs here of what it \
costs there, in time and in processor time.

`cargo bench` measures anew, `cargo bench -- --help` says how to measure a part, `--check` compares \
with what is recorded. Ports, files and processes are all of this machine; nothing goes over a network.
";

/// Writes everything.
pub fn write(recorded: &Recorded, root: &Path) -> Result<()> {
    let docs = root.join("docs");
    let save = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    let records = &recorded.records;
    save(
        &docs.join("performance-highlights.svg"),
        &highlights::chart(recorded),
    )?;
    save(&docs.join("performance-ratios.svg"), &svg::ratios(records))?;
    save(
        &docs.join("performance-growth.svg"),
        &svg::plots(GROWTH, records),
    )?;
    save(
        &docs.join("performance-gaps.svg"),
        &svg::plots(GAPS, records),
    )?;
    let notes = std::fs::read_to_string(root.join("benches/notes.md")).unwrap_or_default();
    save(&docs.join("performance.md"), &page(recorded, &notes))
}

fn page(recorded: &Recorded, notes: &str) -> String {
    let mut page = String::from(INTRODUCTION);
    let _ = writeln!(page, "\nMeasured on {}.\n", recorded.machine);
    page += &goals(recorded);
    if !notes.is_empty() {
        let _ = writeln!(page, "\n{}", notes.trim());
    }
    page += "\n## All ratios\n\n![How many times better than libuv](performance-ratios.svg)\n";
    page += "\n## How cost grows\n\n![Time for an operation against the number of connections, \
             timers, handles and jobs](performance-growth.svg)\n";
    page += "\n## Pauses between events\n\n![Latency and processor time against the pause between \
             events](performance-gaps.svg)\n";
    page += "\n## All results\n";
    let mut programs: Vec<&str> = Vec::new();
    for record in &recorded.records {
        let program = program_of(record);
        if !programs.contains(&program) {
            programs.push(program);
        }
    }
    for program in programs {
        page += &table(recorded, program);
    }
    page
}

fn program_of(record: &Record) -> &str {
    record.facts.name.split("::").next().unwrap_or_default()
}

/// The goals, a row each.
fn goals(recorded: &Recorded) -> String {
    let mut text = String::from(
        "## Goals\n\n| goal | quiet: wanted | found | | awake: wanted | found | | busy: wanted | found | |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for goal in GOALS {
        let _ = write!(text, "| {} |", goal.what);
        for regime in REGIMES {
            match goal.judge(recorded, regime) {
                Some(finding) => {
                    let verdict = match finding.is_met {
                        Some(true) => "met",
                        Some(false) => "**missed**",
                        None => "not measured",
                    };
                    let _ = write!(
                        text,
                        " {} | {} | {verdict} |",
                        finding.wanted, finding.found
                    );
                }
                None => text += " | | |",
            }
        }
        text.push('\n');
    }
    text
}

fn table(recorded: &Recorded, program: &str) -> String {
    let records: Vec<&Record> = recorded
        .records
        .iter()
        .filter(|record| program_of(record) == program)
        .collect();
    let mut text = format!("\n### {program}\n\n");
    if program == "libuv" {
        text += "libuv's own benchmark runner, unmodified, linked to the shared library. Where it \
                 prints several rates, their geometric mean is taken.\n\n";
        for regime in REGIMES {
            let ratios: Vec<f64> = records
                .iter()
                .filter(|record| record.regime == regime)
                .map(|record| record.ratio.median)
                .collect();
            if let Some(mean) = geometric_mean(&ratios) {
                let mean = report::ratio(mean);
                let _ = writeln!(text, "Geometric mean, {}: {mean}.\n", regime.name());
            }
        }
    }
    text += "| benchmark | regime | libuv | oxuv | times better | CPU | p50, p99 of libuv | of oxuv | bare | bare CPU |\n\
             |---|---|---|---|---|---|---|---|---|---|\n";
    let mut last = "";
    for record in &records {
        let name = record.facts.name.as_str();
        let first = if name == last {
            String::new()
        } else {
            format!(
                "**{}** {}",
                name.split("::").nth(1).unwrap_or(name),
                record.facts.text
            )
        };
        last = name;
        text += &row(record, &first);
    }
    text
}

fn row(record: &Record, first: &str) -> String {
    let value = |side: Side| report::value(record.facts.kind, side.value);
    let spread = |summary: Option<Summary>| {
        summary.map_or(String::new(), |summary| report::ratio(summary.median))
    };
    let percentiles = |side: &Side| report::percentiles(side).unwrap_or_default();
    format!(
        "| {first} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        record.regime.name(),
        value(record.upstream),
        value(record.ours),
        report::spread(record.ratio),
        spread(record.cpu_ratio),
        percentiles(&record.upstream),
        percentiles(&record.ours),
        spread(record.bare_cost),
        spread(record.bare_cpu_cost),
    )
}

/// The machine in one line, without anything that identifies its owner.
pub fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let field = |name: &str| {
        info.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| Some(line.split_once(':')?.1.trim().to_string()))
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let guest = match field("flags") {
        Some(flags) if flags.contains(" hypervisor") => ", a virtual machine",
        _ => "",
    };
    let release = read("/proc/sys/kernel/osrelease");
    let kernel: String = release
        .trim()
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    format!("{processors} processors ({model}{guest}), Linux {kernel}")
}
