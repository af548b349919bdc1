//! The C tests on a machine: `cargo test --test c_tests` builds the library and the programs for it,
//! and runs each test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::machine::Builder;

/// After how many tests a line about progress is printed.
const PROGRESS_TESTS: usize = 500;

/// What came of the tests.
#[derive(Debug, Default, PartialEq)]
pub struct Results {
    pub passed: usize,
    /// Names with their reasons.
    pub skipped: Vec<(String, String)>,
    pub failed: Vec<String>,
}

/// Runs the tests of some files, or all. Everything that they print is in `c_tests.log` of the
/// machine's folder afterwards.
pub fn run(root: &Path, builder: &Builder, files: &[String]) -> Result<Results, String> {
    let machine = builder.machine;
    // The test itself is built for this machine, by the cargo that runs this command.
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut cargo = builder.command(root, cargo);
    cargo.args(["test", "--quiet", "--locked", "--test", "c_tests"]);
    cargo
        .env("OXUV_TEST_TOOLCHAIN", builder.toolchain())
        .env("OXUV_TEST_TARGET", machine.triple)
        .env("OXUV_TEST_CC", machine.compiler())
        .env("OXUV_TEST_CFLAGS", machine.flags().join(" "))
        .env("OXUV_TEST_FILES", files.join(","))
        // Programs that have the archive in them take as long again to build.
        .env("OXUV_TEST_STATIC", "0");
    for name in [
        "LIBRARY",
        "INCLUDE",
        "SANITIZER",
        "WRAPPER",
        "RELEASE",
        "EMULATED",
    ] {
        cargo.env_remove(format!("OXUV_TEST_{name}"));
    }
    if machine.emulator.is_some() {
        cargo.env("OXUV_TEST_EMULATED", "1");
    }
    let log = builder.folder.join("c_tests.log");
    let output = follow(&mut cargo, machine.name)?;
    std::fs::write(&log, &output).map_err(|error| format!("{}: {error}", log.display()))?;
    let results = parse(&output);
    if results.passed == 0 {
        return Err(format!("no test ran: see {}", log.display()));
    }
    if !results.failed.is_empty() {
        println!("  what the failed tests print is in {}", log.display());
    }
    Ok(results)
}

/// Runs a command, and says from time to time how many tests it has done; what it printed.
fn follow(command: &mut Command, name: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cargo test: {error}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut text = String::new();
    let mut done = 0;
    for line in child.stdout.take().into_iter().flat_map(lines) {
        if outcome(&line).is_some() {
            done += 1;
            if done % PROGRESS_TESTS == 0 {
                println!("  {name}: {done} C tests done");
            }
        }
        text += &line;
        text.push('\n');
    }
    child.wait().map_err(failed)?;
    Ok(text)
}

fn lines(output: impl std::io::Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(output).split(b'\n');
    lines
        .map_while(Result::ok)
        .map(|line| String::from_utf8_lossy(&line).into_owned())
}

/// The name of a test and how it ended, in a line of the output.
fn outcome(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name.trim(), outcome.trim()))
}

fn parse(output: &str) -> Results {
    let mut results = Results::default();
    for (name, outcome) in output.lines().filter_map(outcome) {
        if outcome == "ok" {
            results.passed += 1;
        } else if let Some(reason) = outcome.strip_prefix("ignored (") {
            let reason = reason.trim_end_matches(')').to_string();
            results.skipped.push((name.to_string(), reason));
        } else if outcome.starts_with("FAILED") {
            results.failed.push(name.to_string());
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        let output = "\nrunning 4 tests\n\
                      test timer::a       ... ok\n\
                      test static::tty::b ... ignored (no terminal)\n\
                      test loop::timed    ... ignored\n\
                      test loop::c        ... FAILED\n\n\
                      failures:\n";
        let results = parse(output);
        assert_eq!(results.passed, 1);
        assert_eq!(
            results.skipped,
            [("static::tty::b".into(), "no terminal".into())]
        );
        assert_eq!(results.failed, ["loop::c"]);
    }
}
