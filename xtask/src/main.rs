//! The project's own commands, run as `cargo xtask <command>`.

mod abi;
mod api;
mod bindings;
mod clients;
mod conformance;
mod demo;
mod deny;
mod document;
mod faults;
mod fuzz;
mod headers;
mod licences;
mod macros;
mod man;
mod miri;
mod models;
mod msrv;
mod package;
mod packages;
mod reproducible;
mod sequences;
mod site;
mod soak;
mod swap;
mod targets;
mod tools;
mod upstream;

use std::path::Path;
use std::process::ExitCode;

/// What a command returns: a message for the person at the terminal when it fails.
type Outcome = Result<(), String>;

/// The project's own commands. Each has --help.
#[derive(clap::Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// The commands, and what `--help` says of them.
#[derive(clap::Subcommand)]
enum Command {
    /// Compare functions, types, macros and bindings with those of libuv
    Abi(abi::Options),
    /// Run Debian's programs on the library
    Clients(clients::Options),
    /// Run libuv's own tests on both libraries
    Conformance(conformance::Options),
    /// Build the library and run C programs on it
    Demo(demo::Options),
    /// Run C programs while system calls, allocations and limits fail under them
    Faults(faults::Options),
    /// Random inputs for what parses, compared with libuv where it has the same
    Fuzz(fuzz::Options),
    /// Write include/ and man/ from src/ and header/
    Headers(headers::Options),
    /// Check all crates by deny.toml, and write docs/sbom.cdx.json
    Licences(licences::Options),
    /// Unit tests of what is pure in Rust's interpreter, which has to be installed
    Miri(miri::Options),
    /// What threads share, run in every order of what small programs do
    Models(models::Options),
    /// Build everything with the oldest Rust that Cargo.toml allows
    Msrv,
    /// Time Node.js on both libraries, in turn
    NodeTiming(clients::timing::Options),
    /// Make Debian's source package in target/debian/
    Package(package::Options),
    /// Build in two folders, and compare what is installed byte by byte
    Reproducible,
    /// Random calls of the API, checked against a model and against libuv
    Sequences(sequences::Options),
    /// Make the documentation site in target/site/
    Site(site::Options),
    /// Thousands of connections for a long time; nothing may be lost, and nothing may grow
    Soak(soak::Options),
    /// As root: install our Debian package over libuv's in a Debian 12 under target/, and run programs
    Swap,
    /// Build the library for other kinds of machines, and run the C tests on it there
    Targets(targets::Options),
    /// Build libuv's own release to compare with, and print where
    Upstream,
}

impl Command {
    fn run(self, root: &Path) -> Outcome {
        match self {
            Command::Abi(options) => abi::run(root, &options),
            Command::Clients(options) => clients::run(root, options),
            Command::Conformance(options) => conformance::run(root, &options),
            Command::Demo(options) => demo::run(root, &options),
            Command::Faults(options) => faults::run(root, &options),
            Command::Fuzz(options) => fuzz::run(root, &options),
            Command::Headers(options) => headers::run(root, &options),
            Command::Licences(options) => licences::run(root, &options),
            Command::Miri(options) => miri::run(root, &options),
            Command::Models(options) => models::run(root, &options),
            Command::Msrv => msrv::run(root),
            Command::NodeTiming(options) => clients::timing::run(root, &options),
            Command::Package(options) => package::run(root, &options),
            Command::Reproducible => reproducible::run(root),
            Command::Sequences(options) => sequences::run(root, &options),
            Command::Site(options) => site::run(root, &options),
            Command::Soak(options) => soak::run(root, &options),
            Command::Swap => swap::run(root),
            Command::Targets(options) => targets::run(root, &options),
            Command::Upstream => upstream::run(root),
        }
    }
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository");
    let line: Line = match terminal::parse(std::env::args_os()) {
        Ok(line) => line,
        Err(code) => return code,
    };
    match line.command.run(root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let name = std::env::args().nth(1).unwrap_or_default();
            eprintln!("{name}: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options of a command, as its line has them.
    pub fn parse<T: clap::Args>(line: &str) -> Result<T, String> {
        #[derive(clap::Parser)]
        struct Only<T: clap::Args> {
            #[command(flatten)]
            options: T,
        }
        let words = ["command"].into_iter().chain(line.split_whitespace());
        <Only<T> as clap::Parser>::try_parse_from(words)
            .map(|only| only.options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_described_once() {
        <Line as clap::CommandFactory>::command().debug_assert();
    }
}
