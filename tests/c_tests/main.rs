//! Runs the C tests of `c_tests/`, each as a test of its own: `file::test` linked to the shared
//! library, `static::file::test` linked to the archive. Each test is a process with a time limit.
//!
//! The usual arguments of a Rust test work (`cargo test --test c_tests -- timer::`).
//!
//! Tests that judge processor time or latency (`TEST_IMPL_TIMED`) run only where they are asked
//! for, with `-- --ignored` on a quiet machine. Environment:
//!
//! - `OXUV_TEST_LIBRARY=dir` runs the same tests on another `libuv.so.1`, such as libuv's own, with
//!   `OXUV_TEST_INCLUDE=dir` as its headers: the same test on both libraries.
//! - `OXUV_TEST_WRAPPER="valgrind …"` is put before every test's command; time limits are ten times
//!   as long then.
//! - `OXUV_TEST_SANITIZER=address` (or `thread`) instruments the Rust and the C side.
//! - `OXUV_TEST_TARGET=triple` builds the library for another kind of machine, and `OXUV_TEST_CC=…`
//!   is the C compiler for it. `OXUV_TEST_TOOLCHAIN=folder` has the `bin/cargo` that can do that.
//!   With `OXUV_TEST_EMULATED=1` time limits are ten times as long. `cargo xtask targets` sets all.
//! - `OXUV_TEST_FILES=timer,tcp` leaves the other files of `c_tests/` out.
//! - `OXUV_TEST_CFLAGS="…"` is added to the C compiler's flags.
//! - `OXUV_TEST_RELEASE=1` tests the release build.
//! - `OXUV_TEST_STATIC=0` leaves the tests of the archive out.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

mod build;
mod compile;
mod process;

use std::sync::{Arc, RwLock};

use build::{Link, Program, Suite};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use process::Outcome;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let suite = Suite::build().unwrap_or_else(|error| {
        eprintln!("cannot build the C tests: {error}");
        std::process::exit(101);
    });
    // Tests that must be alone take the lock for writing.
    let alone = Arc::new(RwLock::new(()));
    let trials = suite
        .programs
        .iter()
        .flat_map(|program| {
            program
                .tests
                .iter()
                .map(|test| trial(program, test, &alone))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(program: &Arc<Program>, test: &build::Test, alone: &Arc<RwLock<()>>) -> Trial {
    let prefix = match program.link {
        Link::Shared => "",
        Link::Static => "static::",
    };
    let name = format!("{prefix}{}::{}", program.name, test.name);
    let is_timed = test.is_timed;
    let (program, test, alone) = (program.clone(), test.clone(), alone.clone());
    let trial = Trial::ignorable_test(name, move || {
        let run = || process::run(&program, &test);
        let outcome = if test.is_serial {
            let _guard = alone
                .write()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            run()
        } else {
            let _guard = alone
                .read()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            run()
        };
        match outcome {
            Outcome::Passed => Ok(Completion::Completed),
            Outcome::Skipped(reason) => Ok(Completion::ignored_with(reason)),
            Outcome::Failed(what) => Err(Failed::from(what)),
        }
    });
    trial.with_ignored_flag(is_timed)
}
