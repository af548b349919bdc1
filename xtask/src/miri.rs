//! `cargo xtask miri`: the unit tests of what is pure (lists, queues, timers, parsers), run by Rust's
//! interpreter, which finds every use of memory that Rust's rules forbid. It is part of a nightly
//! toolchain; where it is not installed, the command fails.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::tools;

/// Unit tests that make no system call.
const PURE: &[&str] = &[
    "list::",
    "text::",
    "event_loop::sent::",
    "event_loop::backoff::",
    "async_handle::order::",
    "timer::",
    "work::queue::",
    "spin::policy::",
    "net::",
    "system::proc::",
    "system::cgroup::",
    "system::settings::",
];

#[derive(clap::Args)]
pub struct Options {
    /// Only unit tests whose name has FILTER in it
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    let cargo = || {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args(["+nightly", "miri"]);
        // The toolchain that runs this program is another one.
        cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        cargo
    };
    tools::run(cargo().arg("--version")).map_err(
        |_| "miri is not installed: rustup toolchain install nightly --component miri,rust-src",
    )?;
    let filters: Vec<&str> = match options.filters.as_slice() {
        [] => PURE.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let output = tools::run(
        cargo()
            .args(["test", "--lib", "--"])
            .args(&filters)
            .env("CARGO_TARGET_DIR", root.join("target/miri")),
    )?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
