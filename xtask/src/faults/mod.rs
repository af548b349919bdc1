//! `cargo xtask faults`: the library at its worst days. C programs (`xtask/faults/`) run while their
//! system calls, allocations and limits fail, one by one and together. Each verifies its own data,
//! and that nothing is lost, doubled or left open; the library may only do its work or say that it
//! cannot.

mod calls;
mod case;
mod environment;
mod memory;
mod mutants;
mod options;
mod plan;
mod programs;
mod report;
mod runner;
mod tracer;

use std::path::Path;

use crate::Outcome;
use crate::tools::{self, Library};
use crate::upstream::Upstream;
use case::Case;
use plan::{Extent, Group, Recording};
use programs::Programs;
use report::{Column, Tally};
use runner::{Finished, Runner, Verdict, Work};

pub use options::Options;

pub fn run(root: &Path, options: &Options) -> Outcome {
    if let Some(mutant) = &options.mutant {
        mutants::check_name(mutant)?;
    }
    tools::need(&[("cc", "gcc")])?;
    runner::check_tracing()?;
    let library = Library::build(root, false)?;
    let mut programs = Programs::build(root, &library)?;
    choose(&mut programs, &options.programs)?;
    let mut runner = Runner {
        programs: &programs,
        is_upstream: options.library.is_some(),
        library: match &options.library {
            Some(folder) => checked(folder)?,
            None => library.folder.clone(),
        },
        work: Work::new(root)?,
        mutant: options.mutant.clone(),
        is_under_valgrind: false,
    };
    if let Some(line) = &options.replay {
        return replay(&runner, line);
    }
    if options.valgrind {
        return memory::check(&runner, &record(&runner)?);
    }
    if options.extent() == Extent::Sample && options.programs.is_empty() && options.mutant.is_none()
    {
        let found = mutants::check_all(&runner)?;
        println!("{found} mutants of the library are found");
    }
    let ours = run_groups(&runner, options)?;
    if options.write {
        let upstream = Upstream::ensure(root)?;
        runner.library = upstream.build;
        runner.is_upstream = true;
        println!("the same on libuv");
        let theirs = run_groups(&runner, options)?;
        report::write(root, &ours, &theirs, programs.names.len())?;
    }
    match ours.iter().map(|column| column.tally.faults.len()).sum() {
        0 => Ok(()),
        faults => Err(format!("{faults} runs ended in a fault")),
    }
}

/// Leaves the named programs, all if none is named.
fn choose(programs: &mut Programs, names: &[String]) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| !programs.names.contains(name)) {
        let known = programs.names.join(" ");
        return Err(format!("no program `{unknown}`; there are: {known}"));
    }
    if !names.is_empty() {
        programs.names.retain(|name| names.contains(name));
    }
    Ok(())
}

fn checked(folder: &Path) -> Result<std::path::PathBuf, String> {
    if !folder.join("libuv.so.1").exists() {
        return Err(format!("{}: there is no libuv.so.1", folder.display()));
    }
    folder
        .canonicalize()
        .map_err(|error| format!("{}: {error}", folder.display()))
}

fn replay(runner: &Runner<'_>, line: &str) -> Outcome {
    let case: Case = line.parse()?;
    if !runner.programs.names.contains(&case.program) {
        return Err(format!("no program `{}`", case.program));
    }
    let finished = runner.run(&case, 0, false)?;
    print!("{}", runner.output(0));
    match finished.verdict {
        Verdict::Fault(what) => Err(format!("{line}: {what}")),
        verdict => {
            println!("{verdict:?}");
            Ok(())
        }
    }
}

/// Runs the programs without a fault first: what they call then is what is made to fail.
fn record(runner: &Runner<'_>) -> Result<Vec<Recording>, String> {
    let cases = plan::recordings(&runner.programs.names);
    let finished = runner.run_all(&cases, true)?;
    for it in &finished {
        if it.verdict != Verdict::Right {
            return Err(format!("{} without a fault: {:?}", it.case, it.verdict));
        }
    }
    Ok(finished.iter().map(Recording::of).collect())
}

fn run_groups(runner: &Runner<'_>, options: &Options) -> Result<Vec<Column>, String> {
    let recordings = record(runner)?;
    let groups = plan::groups(&recordings, options.extent(), options.seed);
    let mut columns = Vec::new();
    for Group { name, cases } in groups {
        if cases.is_empty() {
            continue;
        }
        let tally = tally(&runner.run_all(&cases, false)?);
        println!("{name}: {tally}");
        columns.push(Column { name, tally });
    }
    Ok(columns)
}

fn tally(finished: &[Finished]) -> Tally {
    let mut tally = Tally::default();
    for it in finished {
        match &it.verdict {
            Verdict::Right => tally.right += 1,
            Verdict::Reported(_) => tally.reported += 1,
            Verdict::Waiting => tally.waiting += 1,
            Verdict::NotReached => tally.not_reached += 1,
            Verdict::Fault(what) => tally.faults.push((it.case.to_string(), what.clone())),
        }
    }
    tally
}
