//! `cargo xtask sequences`: random calls of the whole API, checked against a model
//! (`fuzz/sequences/`), and the same calls on libuv, whose callbacks must come in the same order.
//!
//! A failing seed is reported with the command that repeats it, made as short as it still fails.

mod options;
mod program;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use terminal::Progress;

use crate::Outcome;
use crate::tools;
use crate::upstream::Upstream;
use program::{MODES, Program, Run};

pub use options::Options;

pub fn run(root: &Path, options: &Options) -> Outcome {
    let compiler = match options.sanitizer {
        Some(_) => ("clang", "clang"),
        None => ("cc", "gcc"),
    };
    tools::need(&[compiler])?;
    let program = Program::build(root, options)?;
    let begin = Instant::now();
    let findings = check_all(&program, options);
    println!(
        "{} sequences of {} calls in {} s",
        options.seeds * MODES.len() as u64,
        options.operations,
        begin.elapsed().as_secs()
    );
    if options.sanitizer.is_none() && options.library.is_none() {
        let libuv = Upstream::ensure(root)?.build;
        compare_all(&program, &libuv, options)?;
        println!("{} give the callbacks that libuv gives", options.seeds);
        check_mutants(root, &program, &libuv)?;
        println!("{} mutants are found", MUTANTS.len());
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} findings:\n{}", findings.join("\n"))),
    }
}

/// Runs every seed in every mode, on all processors.
fn check_all(program: &Program, options: &Options) -> Vec<String> {
    let findings = Mutex::new(Vec::new());
    let total = options.seeds * MODES.len() as u64;
    let next = AtomicU64::new(0);
    let progress = Progress::new(total as usize);
    let work = || loop {
        let number = next.fetch_add(1, Relaxed);
        if number >= total {
            break;
        }
        let run = Run {
            seed: options.first + number / MODES.len() as u64,
            operations: options.operations,
            mode: MODES[(number % MODES.len() as u64) as usize],
        };
        if let Some(finding) = program.check(&run) {
            let finding = program.shrink(run, finding);
            terminal::say(&finding);
            findings.lock().expect("no thread panics").push(finding);
        }
        progress.step("");
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    findings.into_inner().expect("no thread panics")
}

/// Compares the calls and callbacks of each seed with libuv's.
fn compare_all(program: &Program, libuv: &Path, options: &Options) -> Outcome {
    let progress = Progress::new(options.seeds as usize);
    for seed in options.first..options.first + options.seeds {
        let run = Run {
            seed,
            operations: options.operations,
            mode: "trace",
        };
        let [ours, theirs] =
            [program.library.as_path(), libuv].map(|folder| program.output(&run, folder));
        let (ours, theirs) = (ours?, theirs?);
        let both = || ours.lines().zip(theirs.lines());
        if let Some((line, (ours, theirs))) = both()
            .enumerate()
            .find(|(_, (ours, theirs))| ours != theirs)
        {
            return Err(format!(
                "{run}: line {}: here `{ours}`, libuv `{theirs}`",
                line + 1
            ));
        }
        if ours.lines().count() != theirs.lines().count() {
            return Err(format!("{run}: one library prints more than the other"));
        }
        progress.step("");
    }
    Ok(())
}

/// Mistakes that the runs must find, made by `fuzz/sequences/mutants.c`.
const MUTANTS: &[&str] = &["lost", "twice", "leak", "order"];

/// Makes sure that each mistake is found: by the model, or by the comparison with libuv.
fn check_mutants(root: &Path, program: &Program, libuv: &Path) -> Outcome {
    for name in MUTANTS {
        let mutant = program.with_mutant(root, name)?;
        let is_found = (1..=5).any(|seed| {
            let run = |mode| Run {
                seed,
                operations: 5_000,
                mode,
            };
            mutant.check(&run("")).is_some()
                || mutant.output(&run("trace"), &program.library).ok()
                    != program.output(&run("trace"), libuv).ok()
        });
        if !is_found {
            return Err(format!("the mutant `{name}` is not found"));
        }
    }
    Ok(())
}
