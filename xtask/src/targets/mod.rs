//! `cargo xtask targets`: the library is built for other kinds of machines, its layouts are compared
//! with libuv's, and the C tests run on it: as they are where this machine runs such programs, else
//! in an emulator. What is needed comes from Debian's packages: compilers and the emulator are
//! installed, all else goes below `target/targets/`.

mod c_tests;
mod emulation;
mod layouts;
mod machine;

use std::path::Path;

use crate::tools::run;
use crate::upstream::Upstream;
use crate::{Outcome, document};
use c_tests::Results;
use machine::{Builder, MACHINES, Machine};

const USAGE: &str = "[NAME]... [--files NAME,NAME] [--write]";

/// What is asked for.
struct Options {
    machines: Vec<&'static Machine>,
    /// The files of `c_tests/` whose tests run; all if there is none.
    files: Vec<String>,
    /// Whether to write the table of targets, with a row for each machine that is asked for.
    write: bool,
}

pub fn command(root: &Path, arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    let libuv = Upstream::headers(root)?;
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for machine in &options.machines {
        println!("{}", machine.name);
        match try_machine(root, machine, &libuv, &options) {
            Ok(results) => {
                for name in &results.failed {
                    println!("  failed: {name}");
                }
                if !results.failed.is_empty() {
                    failed.push(machine.name);
                }
                done.push((*machine, results));
            }
            Err(error) => {
                println!("  {error}");
                failed.push(machine.name);
            }
        }
    }
    for (machine, results) in &done {
        println!("{}", row(machine, results));
    }
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join(" ")));
    }
    if options.write {
        document::write_section(root, document::COMPATIBILITY, "targets", &section(&done))?;
    }
    Ok(())
}

fn try_machine(
    root: &Path,
    machine: &'static Machine,
    libuv: &Path,
    options: &Options,
) -> Result<Results, String> {
    let builder = machine.prepare(root)?;
    println!("  building both libraries");
    build(root, &builder)?;
    println!("  comparing layouts");
    layouts::check(root, &builder, libuv)?;
    println!("  running the C tests");
    c_tests::run(root, &builder, &options.files)
}

/// The shared library and the archive, as they ship.
fn build(root: &Path, builder: &Builder) -> Outcome {
    let mut cargo = builder.cargo(root);
    cargo.args(["build", "--release", "--lib", "--quiet", "--locked"]);
    cargo.args(["--target", builder.machine.triple, "--target-dir"]);
    run(cargo.arg(builder.folder.join("rust")))?;
    let folder = builder.folder.join("rust").join(builder.machine.triple);
    for name in ["libuv.so", "libuv.a"] {
        let file = folder.join("release").join(name);
        if !file.exists() {
            return Err(format!("{} was not built", file.display()));
        }
    }
    Ok(())
}

/// A row of the table of targets.
fn row(machine: &Machine, results: &Results) -> String {
    let how = match &machine.emulator {
        None => "as it is",
        Some(_) => "qemu-user",
    };
    format!(
        "| {} | {} | equal | {how} | {} | {} | {} |",
        machine.name,
        machine.triple,
        results.passed,
        results.skipped.len(),
        results.failed.len()
    )
}

fn section(done: &[(&Machine, Results)]) -> String {
    let mut text = String::from(
        "| Debian's name | Rust's target | layouts | C tests run | passed | skipped | failed |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (machine, results) in done {
        text += &format!("{}\n", row(machine, results));
    }
    for (machine, results) in done {
        text += &format!("\nSkipped on {}:\n\n", machine.name);
        for (name, reason) in &results.skipped {
            text += &format!("- `{name}`: {reason}\n");
        }
    }
    text
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options {
            machines: Vec::new(),
            files: Vec::new(),
            write: false,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--write" => options.write = true,
                "--files" => {
                    let names = words.next().ok_or("--files: which?")?;
                    options.files = names.split(',').map(String::from).collect();
                }
                name => match Machine::named(name) {
                    Some(machine) => options.machines.push(machine),
                    None => return Err(format!("{name}: unknown; there are: {USAGE}")),
                },
            }
        }
        if options.machines.is_empty() {
            options.machines = MACHINES.iter().collect();
        }
        if options.write && !options.files.is_empty() {
            return Err("--write is for all tests, not with --files".into());
        }
        Ok(options)
    }
}
