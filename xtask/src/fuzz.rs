//! `cargo xtask fuzz`: libFuzzer on the C interface (`fuzz/targets/`), with AddressSanitizer on both
//! sides and libuv's own release to compare with. A target that ends the process has found something;
//! the input is kept in `target/fuzz/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::document;
use crate::tools;
use crate::upstream::Upstream;

const TARGETS: &[&str] = &["addresses", "text", "names", "ipc", "system", "inotify"];

/// When an input counts as endless. libFuzzer does not see that a process is stopped for a while, or
/// that others have the processors: after 20 seconds that was taken for a finding.
const TIMEOUT: &str = "-timeout=600";

/// A mistake is made for one input in 256. A time would be too short where the machine has other work.
const MUTANT_LIMIT: &str = "-runs=50000";

#[derive(clap::Args, Debug)]
pub struct Options {
    /// What is run; everything by default
    #[arg(value_name = "TARGET", value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    /// Again and again, until all have used so much of a processor together
    #[arg(long, value_name = "N", default_value_t = 0)]
    cpu_minutes: u64,
    /// Only show that each target finds a mistake
    #[arg(long)]
    mutants: bool,
    /// Add what reaches new code to fuzz/corpus
    #[arg(long)]
    keep: bool,
    /// Add what was done to the record in docs/reliability.md, after each round
    #[arg(long)]
    write: bool,
}

/// What was done with a target.
#[derive(Clone, Copy, Default)]
struct Tally {
    inputs: u64,
    cpu: Duration,
    findings: u64,
}

impl Tally {
    fn plus(&self, other: &Tally) -> Tally {
        Tally {
            inputs: self.inputs + other.inputs,
            cpu: self.cpu + other.cpu,
            findings: self.findings + other.findings,
        }
    }
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    tools::need(&[("clang", "clang")])?;
    let bench = Bench::build(root)?;
    let all: Vec<String> = TARGETS.iter().map(|name| name.to_string()).collect();
    let targets = match options.targets.is_empty() {
        true => &all,
        false => &options.targets,
    };
    let tallies = match options.mutants {
        true => Vec::new(),
        false => bench.run_all(root, targets, options)?,
    };
    for target in targets {
        let _working = terminal::working(target);
        bench.check_mutant(root, target)?;
        terminal::say(format_args!("{target}: a mistake is found"));
    }
    match tallies.iter().map(|tally| tally.findings).sum() {
        0u64 => Ok(()),
        findings => Err(format!("{findings} runs have found something")),
    }
}

/// Where the record is.
const DOCUMENT: &str = "docs/reliability.md";

/// The tally of each target in the record so far.
fn recorded(root: &Path) -> Result<Vec<Tally>, String> {
    let text = std::fs::read_to_string(root.join(DOCUMENT)).map_err(|error| error.to_string())?;
    let (_, text) = text
        .split_once("<!-- fuzz:begin -->")
        .ok_or(format!("{DOCUMENT}: no table of fuzzing"))?;
    let of_target = |target: &&str| {
        let row = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("| `{target}` | ")));
        let cells: Vec<&str> = row.unwrap_or("").split(" | ").collect();
        let number = |index: usize| -> f64 {
            let cell = cells.get(index).copied().unwrap_or("");
            let digits = cell.split([' ', '|']).next().unwrap_or("");
            digits.parse().unwrap_or(0.0)
        };
        Tally {
            inputs: (number(0) * 1e6) as u64,
            cpu: Duration::from_secs_f64(60.0 * number(1)),
            findings: number(2) as u64,
        }
    };
    Ok(TARGETS.iter().map(of_target).collect())
}

/// Records what was done before and now.
fn record(root: &Path, before: &[Tally], targets: &[String], now: &[Tally]) -> Outcome {
    let mut text = String::from(
        "| target | inputs | minutes of processor time | findings |\n|---|---|---|---|\n",
    );
    for (target, before) in TARGETS.iter().zip(before) {
        let found = targets.iter().zip(now).find(|(name, _)| name == target);
        let sum = found.map_or(*before, |(_, now)| before.plus(now));
        text += &format!(
            "| `{target}` | {:.1} million | {:.1} | {} |\n",
            sum.inputs as f64 / 1e6,
            sum.cpu.as_secs_f64() / 60.0,
            sum.findings
        );
    }
    document::write_section(root, DOCUMENT, "fuzz", &text)
}

/// The processor time of all children that were waited for.
fn cpu_of_children() -> Duration {
    // SAFETY: the structure has no invalid values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: writes one structure.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// What the targets are linked with, and where they are built.
struct Bench {
    /// The static library, which counts the branches that an input reaches.
    library: PathBuf,
    libuv: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn build(root: &Path) -> Result<Bench, String> {
        let _building = terminal::working("building the library for fuzzing");
        let folder = root.join("target/fuzz");
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let coverage = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares";
        tools::run(
            Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
                .current_dir(root)
                .args(["build", "--lib", "--no-default-features", "--quiet"])
                .args(["--target", &triple])
                .arg("--target-dir")
                .arg(&folder)
                .env("RUSTC_BOOTSTRAP", "1")
                .env(
                    "RUSTFLAGS",
                    format!(
                        "{coverage} -Zsanitizer=address -Copt-level=1 \
                         -Cunsafe-allow-abi-mismatch=sanitizer"
                    ),
                ),
        )?;
        let libuv = Upstream::ensure(root)?.build.join("libuv.so.1");
        Ok(Bench {
            library: folder.join(triple).join("debug/libuv.a"),
            libuv,
            folder,
        })
    }

    fn compile(&self, root: &Path, target: &str, is_mutant: bool) -> Result<PathBuf, String> {
        let name = if is_mutant { "mutant" } else { "fuzz" };
        let program = self.folder.join(format!("{target}-{name}"));
        tools::run(
            Command::new("clang")
                .args(["-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra"])
                .arg("-fsanitize=fuzzer,address")
                .args(is_mutant.then_some("-DMUTANT"))
                .arg(format!("-I{}", root.join("include").display()))
                .arg(root.join(format!("fuzz/targets/{target}.c")))
                .arg("-o")
                .arg(&program)
                .arg(&self.library)
                .args(["-lutil", "-lpthread", "-lm", "-ldl"]),
        )?;
        Ok(program)
    }

    /// libFuzzer on a target, until a limit of its own; what it printed.
    fn start(&self, program: &Path, corpus: &[&Path], limit: &str) -> Result<String, String> {
        let mut command = Command::new(program);
        command
            .args(corpus)
            .arg(limit)
            .args([TIMEOUT, "-rss_limit_mb=2048", "-print_final_stats=1"])
            .args(["-max_len=4096", "-verbosity=0"])
            .arg(format!("-artifact_prefix={}-", program.display()))
            .env("OXUV_FUZZ_LIBUV", &self.libuv);
        let output = command.output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(format!(
                "{}: {}\n{}",
                program.display(),
                output.status,
                text.escape_debug().to_string().replace("\\n", "\n")
            )),
        }
    }

    /// Runs all targets, at least once each. What is found is printed at once.
    fn run_all(
        &self,
        root: &Path,
        targets: &[String],
        options: &Options,
    ) -> Result<Vec<Tally>, String> {
        let wanted = Duration::from_secs(60 * options.cpu_minutes);
        let programs = (targets.iter())
            .map(|target| self.compile(root, target, false))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tallies = vec![Tally::default(); programs.len()];
        let before = recorded(root)?;
        loop {
            for ((target, program), tally) in targets.iter().zip(&programs).zip(&mut tallies) {
                self.run(root, target, program, options, tally)?;
            }
            if options.write {
                record(root, &before, targets, &tallies)?;
            }
            if tallies.iter().map(|tally| tally.cpu).sum::<Duration>() >= wanted {
                return Ok(tallies);
            }
        }
    }

    fn run(
        &self,
        root: &Path,
        target: &str,
        program: &Path,
        options: &Options,
        tally: &mut Tally,
    ) -> Outcome {
        let seeds = root.join("fuzz/corpus").join(target);
        let found = self.folder.join(format!("{target}-found"));
        std::fs::create_dir_all(&found).map_err(|error| error.to_string())?;
        let corpus: [&Path; 2] = match options.keep {
            true => [&seeds, &found],
            false => [&found, &seeds],
        };
        let before = cpu_of_children();
        let result = self.start(
            program,
            &corpus,
            &format!("-max_total_time={}", options.seconds),
        );
        let cpu = cpu_of_children() - before;
        let text = result.as_ref().unwrap_or_else(|text| text);
        let inputs: u64 = text
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .and_then(|number| number.trim().parse().ok())
            .unwrap_or(0);
        terminal::say(format_args!(
            "{target}: {inputs} inputs in {} s, {} s of a processor",
            options.seconds,
            cpu.as_secs()
        ));
        if let Err(text) = &result {
            terminal::say(format_args!("{text}"));
            tally.findings += 1;
        }
        tally.inputs += inputs;
        tally.cpu += cpu;
        Ok(())
    }

    /// Makes sure that a build with a mistake for a few inputs does not pass.
    fn check_mutant(&self, root: &Path, target: &str) -> Outcome {
        let program = self.compile(root, target, true)?;
        let seeds = root.join("fuzz/corpus").join(target);
        let found = self.folder.join(format!("{target}-mutant-found"));
        std::fs::create_dir_all(&found).map_err(|error| error.to_string())?;
        match self.start(&program, &[&found, &seeds], MUTANT_LIMIT) {
            Err(text) if text.contains("broken: ") || text.contains("ERROR: ") => Ok(()),
            Err(text) => Err(text),
            Ok(_) => Err(format!("{target}: the mistake of the mutant is not found")),
        }
    }
}
