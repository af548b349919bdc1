//! The project's own commands, run as `cargo xtask <command>`.

mod abi;
mod bindings;
mod clients;
mod conformance;
mod demo;
mod document;
mod faults;
mod headers;
mod macros;
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
        "headers",
        "[--check]  write include/ from src/ and header/, or fail when it is stale",
        headers::run,
    ),
    (
        "node-timing",
        "[--series N] [--ms N]  time Node.js on both libraries, in turn",
        clients::timing::run,
    ),
    (
        "upstream",
        "build libuv's own release to compare with, and print where",
        upstream::command,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository");
    let name = arguments.first().map_or("", String::as_str);
    let Some((_, _, command)) = COMMANDS.iter().find(|row| row.0 == name) else {
        eprintln!("usage: cargo xtask <command>\n");
        for (name, what, _) in COMMANDS {
            eprintln!("  {name} {what}");
        }
        return ExitCode::from(2);
    };
    match command(root, &arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{name}: {message}");
            ExitCode::FAILURE
        }
    }
}
