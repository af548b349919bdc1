//! The project's own commands, run as `cargo xtask <command>`.

mod abi;
mod bindings;
mod clients;
mod conformance;
mod demo;
mod document;
mod faults;
mod fuzz;
mod headers;
mod licences;
mod macros;
mod msrv;
mod package;
mod packages;
mod reproducible;
mod sequences;
mod swap;
mod targets;
mod tools;
mod upstream;

use std::path::Path;
use std::process::ExitCode;

/// What a command returns: a message for the person at the terminal when it fails.
type Outcome = Result<(), String>;

/// A command: it gets the root of the repository and the arguments after its name.
type Command = fn(&Path, &[String]) -> Outcome;

const COMMANDS: &[(&str, &str, Command)] = &[
    (
        "abi",
        "[--write]  compare functions, types, macros and bindings with those of libuv",
        abi::run_command,
    ),
    (
        "conformance",
        "[--filter TEXT] [--portable-poller] [--repeat N] …  run libuv's own tests on both libraries",
        conformance::run,
    ),
    (
        "clients",
        "[--filter TEXT] [--repeat N] [--portable-poller] [--write]  run Debian's programs on the library",
        clients::run,
    ),
    (
        "demo",
        "[--portable-poller]  build the library and run C programs on it",
        demo::run,
    ),
    (
        "faults",
        "[--sample|--full] [--program NAME] [--replay LINE] …  run programs while their system calls fail",
        faults::run,
    ),
    (
        "fuzz",
        "[TARGET...] [--seconds N]  random inputs for what parses, compared with libuv",
        fuzz::run,
    ),
    (
        "headers",
        "[--check]  write include/ from src/ and header/, or fail when it is stale",
        headers::run,
    ),
    (
        "licences",
        "[--check]  check the licences of all crates, and write docs/sbom.cdx.json or fail when it is stale",
        licences::command,
    ),
    (
        "msrv",
        "build everything with the oldest Rust that Cargo.toml allows",
        msrv::command,
    ),
    (
        "node-timing",
        "[--series N] [--ms N]  time Node.js on both libraries, in turn",
        clients::timing::run,
    ),
    (
        "package",
        "[--build]  make Debian's source package in target/debian/, or build the packages and try them",
        package::command,
    ),
    (
        "reproducible",
        "build in two folders, and compare what is installed byte by byte",
        reproducible::command,
    ),
    (
        "swap",
        "as root: install our Debian package over libuv's in a Debian 12 under target/, and run programs",
        swap::command,
    ),
    (
        "sequences",
        "[--seeds N] [--first N] [--operations N] [--sanitizer NAME] …  random calls against a model",
        sequences::run,
    ),
    (
        "targets",
        "[NAME]... [--files NAME,NAME] [--write]  build and test for other kinds of machines",
        targets::command,
    ),
    (
        "upstream",
        "build libuv's own release to compare with, and print where",
        upstream::command,
    ),
];

fn is_help(argument: &str) -> bool {
    ["--help", "-h"].contains(&argument)
}

fn usage() -> String {
    let row = |(name, what, _): &(&str, &str, Command)| format!("  {name} {what}\n");
    let rows: String = COMMANDS.iter().map(row).collect();
    format!("usage: cargo xtask <command>\n\n{rows}")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository");
    let name = arguments.first().map_or("", String::as_str);
    if is_help(name) {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some((_, what, command)) = COMMANDS.iter().find(|row| row.0 == name) else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    if arguments[1..].iter().any(|argument| is_help(argument)) {
        println!("usage: cargo xtask {name} {what}");
        return ExitCode::SUCCESS;
    }
    match command(root, &arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{name}: {message}");
            ExitCode::FAILURE
        }
    }
}
