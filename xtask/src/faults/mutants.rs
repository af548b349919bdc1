//! Mistakes that the command must find: proof that it can. `xtask/faults/mutants.c` makes them, by
//! taking the place of functions of the library, or of those that it calls.

use super::case::Case;
use super::runner::{Runner, Verdict};

struct Mutant {
    name: &'static str,
    /// The run that finds it.
    case: &'static str,
    /// How the fault begins that is found.
    fault: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "lost_wakeup",
        case: "async",
        fault: "hang",
    },
    Mutant {
        name: "descriptor_not_closed",
        case: "tcp_echo",
        fault: "leaked",
    },
    Mutant {
        name: "swallowed_error",
        case: "tcp_echo writev#1=EPIPE",
        fault: "lost",
    },
    Mutant {
        name: "callback_twice",
        case: "work",
        fault: "twice",
    },
    Mutant {
        name: "callback_lost",
        case: "pipe_big",
        fault: "lost",
    },
    Mutant {
        name: "memory_not_freed",
        case: "files_async",
        fault: "leaked",
    },
    Mutant {
        name: "unchecked_allocation",
        case: "files_async allocation#9",
        fault: "crash",
    },
    Mutant {
        name: "endless_retry",
        case: "tcp_echo accept4#1=EMFILE",
        fault: "spin",
    },
];

/// Whether there is such a mutant.
pub fn check_name(name: &str) -> Result<(), String> {
    if MUTANTS.iter().any(|mutant| mutant.name == name) {
        return Ok(());
    }
    let names: Vec<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    Err(format!(
        "no mutant `{name}`; there are: {}",
        names.join(" ")
    ))
}

/// Runs each mutant: it must be found, and the same run must find nothing without it.
pub fn check_all(runner: &Runner<'_>) -> Result<usize, String> {
    for mutant in MUTANTS {
        let case: Case = mutant.case.parse()?;
        let with = runner.with_mutant(mutant.name);
        match with.run(&case, 0, false)?.verdict {
            Verdict::Fault(what) if what.starts_with(mutant.fault) => {}
            other => {
                return Err(format!(
                    "the mutant {} is not found: {other:?}",
                    mutant.name
                ));
            }
        }
        if let Verdict::Fault(what) = runner.run(&case, 0, false)?.verdict {
            return Err(format!("a fault without the mutant: {case}: {what}"));
        }
    }
    Ok(MUTANTS.len())
}
