//! `cargo xtask targets`: the library is built for other kinds of machines, its layouts are compared
//! with libuv's, and the C tests run on it: as they are where this machine runs such programs, else
//! in an emulator. What is needed comes from Debian's packages: compilers and the emulator are
//! installed, all else goes below `target/targets/`.

mod c_tests;
mod emulation;
mod layouts;
pub mod machine;

use std::path::Path;

use crate::tools::{self, Library};
use crate::upstream::Upstream;
use crate::{Outcome, document};
use c_tests::Results;
use machine::{Builder, MACHINES, Machine};

#[derive(clap::Args)]
pub struct Options {
    /// Debian's name of a machine, such as i386; all by default
    #[arg(value_name = "NAME", value_parser = machine)]
    machines: Vec<&'static Machine>,
    /// The files of c_tests/ whose tests run, with commas between them; all by default
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    files: Vec<String>,
    /// Put the table of targets, with a row for each machine that is asked for, into
    /// docs/compatibility.md
    #[arg(long, conflicts_with = "files")]
    write: bool,
}

/// The machine of a name on the command line.
pub fn machine(name: &str) -> Result<&'static Machine, String> {
    Machine::named(name).ok_or_else(|| {
        let all: Vec<&str> = MACHINES.iter().map(|machine| machine.name).collect();
        format!("there are {}", all.join(", "))
    })
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    let machines = match options.machines.is_empty() {
        true => MACHINES.iter().collect(),
        false => options.machines.clone(),
    };
    let libuv = Upstream::headers(root)?;
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for machine in &machines {
        println!("{}", machine.name);
        match try_machine(root, machine, &libuv, options) {
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
pub fn build(root: &Path, builder: &Builder) -> Result<Library, String> {
    let mut cargo = builder.cargo(root);
    cargo.args([
        "build",
        "--release",
        "--lib",
        "--no-default-features",
        "--quiet",
        "--locked",
    ]);
    cargo.args(["--target", builder.machine.triple, "--target-dir"]);
    tools::run(cargo.arg(builder.folder.join("rust")))?;
    let folder = builder.folder.join("rust").join(builder.machine.triple);
    let folder = folder.join("release");
    for name in ["libuv.so", "libuv.a"] {
        let file = folder.join(name);
        if !file.exists() {
            return Err(format!("{} was not built", file.display()));
        }
    }
    Ok(Library {
        folder,
        include: root.join("include"),
    })
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
