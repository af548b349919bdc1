//! Mistakes that a run must find: proof that it can. `xtask/soak/mutants.c` makes them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::pair::{Bench, Extent};
use super::verdict;
use crate::Outcome;

/// Names, and how the faults that are found may begin.
const MUTANTS: &[(&str, &[&str])] = &[
    ("descriptor_not_closed", &["leaked: "]),
    ("descriptor_kept", &["not flat: descriptors"]),
    ("memory_not_freed", &["leaked: "]),
    ("memory_kept", &["not flat: memory"]),
    ("byte_swallowed", &["wrong: ", "lost: "]),
    // The process that waits in vain ends; the other one, which then loses all connections, may be
    // heard first.
    ("end_lost", &["hang: ", "lost: uv_read: ", "uv_"]),
];

fn outcome(bench: &Bench, mutant: Option<&str>) -> Outcome {
    let extent = Extent::short();
    let samples = bench.run(&extent, mutant, false)?;
    verdict::judge(&samples, extent.seconds).map(drop)
}

fn check(bench: &Bench, mutant: &str, faults: &[&str]) -> Outcome {
    match outcome(bench, Some(mutant)) {
        Err(fault) if faults.iter().any(|begin| fault.starts_with(begin)) => Ok(()),
        other => Err(format!("the mutant {mutant} is not found: {other:?}")),
    }
}

/// Runs each mutant, two at a time: it must be found. The same run must find nothing without one.
pub fn check_all(bench: &Bench) -> Result<usize, String> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || loop {
        let index = next.fetch_add(1, Relaxed);
        let result = match MUTANTS.get(index) {
            Some((name, faults)) => check(bench, name, faults),
            None if index == MUTANTS.len() => {
                outcome(bench, None).map_err(|fault| format!("a fault without a mutant: {fault}"))
            }
            None => break,
        };
        if let Err(failure) = result {
            failures.lock().unwrap().push(failure);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    match failures.is_empty() {
        true => Ok(MUTANTS.len()),
        false => Err(failures.join("\n")),
    }
}
