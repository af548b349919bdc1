//! `cargo xtask fuzz`: libFuzzer on the C interface (`fuzz/targets/`), with AddressSanitizer on both
//! sides and libuv's own release to compare with. A target that ends the process has found something;
//! the input is kept in `target/fuzz/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::tools;
use crate::upstream::Upstream;

const TARGETS: &[&str] = &["addresses", "text", "names", "ipc", "system", "inotify"];

#[derive(clap::Args, Debug)]
pub struct Options {
    /// What is run; everything by default
    #[arg(value_name = "TARGET", value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    /// Only show that each target finds a mistake
    #[arg(long)]
    mutants: bool,
    /// Add what reaches new code to fuzz/corpus
    #[arg(long)]
    keep: bool,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    tools::need(&[("clang", "clang")])?;
    let bench = Bench::build(root)?;
    let all: Vec<String> = TARGETS.iter().map(|name| name.to_string()).collect();
    let targets = match options.targets.is_empty() {
        true => &all,
        false => &options.targets,
    };
    for target in targets {
        let _working = terminal::working(target);
        if !options.mutants {
            bench.run(root, target, options)?;
        }
        bench.check_mutant(root, target)?;
        terminal::say(format_args!("{target}: a mistake is found"));
    }
    Ok(())
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

    /// libFuzzer on a target; what it printed.
    fn start(&self, program: &Path, corpus: &[&Path], seconds: u64) -> Result<String, String> {
        let mut command = Command::new(program);
        command
            .args(corpus)
            .arg(format!("-max_total_time={seconds}"))
            .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"])
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

    fn run(&self, root: &Path, target: &str, options: &Options) -> Outcome {
        let program = self.compile(root, target, false)?;
        let seeds = root.join("fuzz/corpus").join(target);
        let found = self.folder.join(format!("{target}-found"));
        std::fs::create_dir_all(&found).map_err(|error| error.to_string())?;
        let corpus: [&Path; 2] = match options.keep {
            true => [&seeds, &found],
            false => [&found, &seeds],
        };
        let text = self.start(&program, &corpus, options.seconds)?;
        let runs = text
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .unwrap_or(" ?");
        terminal::say(format_args!(
            "{target}:{runs} inputs in {} s",
            options.seconds
        ));
        Ok(())
    }

    /// Makes sure that a build with a mistake for a few inputs does not pass.
    fn check_mutant(&self, root: &Path, target: &str) -> Outcome {
        let program = self.compile(root, target, true)?;
        let seeds = root.join("fuzz/corpus").join(target);
        let found = self.folder.join(format!("{target}-mutant-found"));
        std::fs::create_dir_all(&found).map_err(|error| error.to_string())?;
        match self.start(&program, &[&found, &seeds], 20) {
            Err(text) if text.contains("broken: ") || text.contains("ERROR: ") => Ok(()),
            Err(text) => Err(text),
            Ok(_) => Err(format!("{target}: the mistake of the mutant is not found")),
        }
    }
}
