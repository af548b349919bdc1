//! A sample of failing allocations under valgrind. It sees what a program does not notice: memory that
//! is used after it was freed or before it was written, and blocks that nothing leads to any more.

use super::case::{Case, Condition, Occurrence};
use super::plan::Recording;
use super::runner::{Runner, Verdict};
use crate::Outcome;
use crate::tools;

/// The status that valgrind ends a program with if it has found something.
const FOUND_STATUS: &str = "99";

pub const OPTIONS: &[&str] = &[
    "-q",
    "--fair-sched=yes",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect",
    "--error-exitcode=99",
];

/// A run that only valgrind finds anything in, with the mutant that makes it so.
const MUTANT: (&str, &str) = ("memory_lost", "timers allocation#1");

/// For each program: one allocation fails at the beginning, in the middle or at the end of its work.
fn sample(recordings: &[Recording]) -> Vec<Case> {
    let mut cases = Vec::new();
    for recording in recordings.iter().filter(|it| it.conditions.is_empty()) {
        let last = recording.allocations;
        let mut numbers = vec![1, last / 2 + 1, last];
        numbers.dedup();
        numbers.retain(|number| (1..=last).contains(number));
        for number in numbers {
            let condition = Condition::Allocation(Occurrence::once(number));
            cases.push(Case::new(&recording.program, vec![condition]));
        }
    }
    cases
}

fn check_mutant(runner: &Runner<'_>) -> Outcome {
    let (name, line) = MUTANT;
    let wanted = format!("ended with status {FOUND_STATUS}");
    let verdict = runner
        .with_mutant(name)
        .run(&line.parse()?, 0, false)?
        .verdict;
    match verdict {
        Verdict::Fault(what) if what.starts_with(&wanted) => Ok(()),
        other => Err(format!("the mutant {name} is not found: {other:?}")),
    }
}

/// Runs the sample on the programs that were recorded.
pub fn check(runner: &Runner<'_>, recordings: &[Recording]) -> Outcome {
    tools::need(&[("valgrind", "valgrind")])?;
    let runner = runner.under_valgrind();
    check_mutant(&runner)?;
    println!("a block that is lost is found");
    let cases = sample(recordings);
    let finished = runner.run_all(&cases, false)?;
    let is_fault = |verdict: &Verdict| matches!(verdict, Verdict::Fault(_));
    let faults = finished.iter().filter(|it| is_fault(&it.verdict)).count();
    println!(
        "one allocation fails, under valgrind: {} runs, {faults} faults",
        cases.len()
    );
    match faults {
        0 => Ok(()),
        _ => Err(format!("{faults} runs ended in a fault")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_middle_and_the_last_fail() {
        let recording = |allocations| Recording {
            program: "udp".into(),
            conditions: Vec::new(),
            counts: Vec::new(),
            allocations,
        };
        let lines = |allocations| -> Vec<String> {
            let cases = sample(&[recording(allocations)]);
            cases.iter().map(Case::to_string).collect()
        };
        assert_eq!(lines(0), [""; 0]);
        assert_eq!(lines(1), ["udp allocation#1"]);
        assert_eq!(
            lines(9),
            ["udp allocation#1", "udp allocation#5", "udp allocation#9"]
        );
    }
}
