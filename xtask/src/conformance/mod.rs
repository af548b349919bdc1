//! `cargo xtask conformance`: libuv's own tests, first on libuv and then on this library, one by
//! one, and what differs. They were written without this library in mind.

mod known;
mod options;
mod report;
mod sandbox;
mod swaps;
mod tap;
mod verdict;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use options::User;
use sandbox::{Extra, Sandbox, TestRun};
use swaps::{Parts, Side};
use tap::Outcome as TestOutcome;
use verdict::{Tally, Verdict};

use crate::Outcome;
use crate::targets::machine::Machine;
use crate::tools;

/// The runner has shorter limits of its own, 60 seconds at most; this one is for runners that hang.
const RUN_LIMIT: Duration = Duration::from_secs(150);

/// How many times as long a test may take in an emulator.
const EMULATED: u32 = 5;

pub use options::Options;

const NEEDED: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("script", "bsdutils"),
];

pub fn run(root: &Path, options: &Options) -> Outcome {
    tools::need(NEEDED)?;
    let users = users(options)?;
    let known = known::read(root)?;
    let parts = parts(root, options)?;
    if let Some(emulator) = options.machine.and_then(Machine::missing_emulator) {
        return again(emulator.command());
    }
    let folder = match options.machine {
        Some(machine) => root.join("target/conformance").join(machine.name),
        None => root.join("target/conformance"),
    };
    let _alone = lock(&folder)?;
    let failures = folder.join(format!("failures{}.txt", options.kind().0));
    let bench = Bench::prepare(folder, &failures, &parts, options)?;
    let mut findings = Vec::new();
    for user in users {
        findings.extend(bench.run_all(options, user)?);
    }
    report::print(&findings, &known, options);
    println!("output of failed runs: {}", shown(root, &failures));
    if options.write {
        report::write(root, &findings, &known, options)?;
    }
    report::verdict(&findings, &known)
}

/// Builds what is compared.
fn parts(root: &Path, options: &Options) -> Result<Parts, String> {
    let _building = terminal::working("building libuv and this library");
    match options.machine {
        Some(machine) => Parts::build_for(root, machine),
        None => Parts::build(root, options.portable),
    }
}

/// Runs this program with its arguments by a command that becomes another.
fn again(mut command: Command) -> Outcome {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    command.arg(program).args(std::env::args_os().skip(1));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("it failed in the emulator's namespace".into()),
        Err(error) => Err(format!("{:?}: {error}", command.get_program())),
    }
}

/// Two runs at a time would use the same sandboxes: the second one waits.
fn lock(folder: &Path) -> Result<File, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(problem)?;
    let file = File::create(folder.join("lock")).map_err(problem)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        println!("waiting for another run to end");
        flock(&file, FlockOperation::LockExclusive).map_err(|error| problem(error.into()))?;
    }
    Ok(file)
}

/// The users that tests can run as: an ordinary user cannot become root.
fn users(options: &Options) -> Result<Vec<User>, String> {
    let mut users = options.users.to_vec();
    if sandbox::own_uid() != 0 && users.contains(&User::Root) {
        println!("not root: the runs as root are left out");
        users.retain(|user| *user != User::Root);
    }
    if users.is_empty() {
        return Err("nothing can be run".into());
    }
    Ok(users)
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Everything that is known about one test: tallies in the order of the sides, libuv's first.
pub struct Finding {
    pub test: String,
    pub user: User,
    pub first: Vec<Tally>,
    /// The runs that were made again, alone; empty tallies if there was no need.
    pub again: Vec<Tally>,
    /// One for each of the other sides, with that side's name.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// How it failed here, or why it was skipped, when it last did.
    pub message: String,
}

/// The sides, the tests and the files of a run of this command.
struct Bench {
    folder: PathBuf,
    fixtures: PathBuf,
    swaps: Vec<Side>,
    tests: Vec<String>,
    failures: Mutex<File>,
    is_emulated: bool,
}

impl Bench {
    /// Builds the sides, and proves that each runs on its own library.
    fn prepare(
        folder: PathBuf,
        failures: &Path,
        parts: &Parts,
        options: &Options,
    ) -> Result<Bench, String> {
        let _building = terminal::working("building the test runners");
        let file = File::create(failures).map_err(|error| error.to_string())?;
        let mut bench = Bench {
            fixtures: parts.upstream.source.join("test/fixtures"),
            swaps: swaps::prepare(&folder, parts, &options.swaps)?,
            folder,
            is_emulated: options
                .machine
                .is_some_and(|machine| machine.emulator.is_some()),
            tests: Vec::new(),
            failures: Mutex::new(file),
        };
        bench.prove_maps()?;
        bench.list_tests(options)?;
        Ok(bench)
    }

    fn sandbox(&self, number: usize) -> Result<Sandbox, String> {
        Sandbox::new(&self.folder.join(format!("sandbox-{number}")))
    }

    fn prove_maps(&self) -> Outcome {
        let sandbox = self.sandbox(0)?;
        for side in &self.swaps {
            let maps = sandbox.maps(side, User::Ordinary, &self.fixtures)?;
            swaps::check_map(side, &maps)?;
        }
        println!("each side has its own libuv mapped, as /proc/PID/maps says");
        Ok(())
    }

    fn list_tests(&mut self, options: &Options) -> Outcome {
        let mut program = Command::new(self.swaps[0].folder.join("uv_run_tests"));
        let output = tools::run(program.arg("--list").env("UV_RUN_AS_ROOT", "1"))?;
        self.tests = tap::list(&String::from_utf8_lossy(&output.stdout));
        self.tests.retain(|test| options.wants(test));
        if self.tests.is_empty() {
            return Err("no test has such a name".into());
        }
        Ok(())
    }

    /// Runs every test as the user on every side, and again where that is not clear.
    fn run_all(&self, options: &Options, user: User) -> Result<Vec<Finding>, String> {
        println!(
            "{} tests as {}, {}",
            self.tests.len(),
            user.name(),
            options.poller()
        );
        let results: Vec<Finding> = self
            .tests
            .iter()
            .map(|test| self.no_runs(test, user))
            .collect();
        let progress = Progress {
            results: Mutex::new(results),
            next: Mutex::new(0),
            total: self.tests.len() * options.repeat,
            shown: terminal::Progress::new(self.tests.len() * options.repeat),
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..options.jobs)
                .map(|number| {
                    let progress = &progress;
                    scope.spawn(move || self.work(number, user, progress))
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("a worker panicked"))
        })?;
        let mut results = progress.results.into_inner().expect("no worker panicked");
        for result in &mut results {
            self.judge(result)?;
        }
        Ok(results)
    }

    fn no_runs(&self, test: &str, user: User) -> Finding {
        Finding {
            test: test.into(),
            user,
            first: vec![Tally::default(); self.swaps.len()],
            again: vec![Tally::default(); self.swaps.len()],
            verdicts: Vec::new(),
            message: String::new(),
        }
    }

    /// One of the workers: takes the next test until there is none.
    fn work(&self, number: usize, user: User, progress: &Progress) -> Outcome {
        let sandbox = self.sandbox(number)?;
        while let Some(index) = progress.take() {
            let test = &self.tests[index % self.tests.len()];
            for (side, tally) in self.swaps.iter().enumerate() {
                let outcome = self.run_one(&sandbox, tally, user, test)?;
                progress.note(index % self.tests.len(), side, tally, &outcome);
            }
            progress.shown.step("");
        }
        Ok(())
    }

    fn run_one(
        &self,
        sandbox: &Sandbox,
        side: &Side,
        user: User,
        test: &str,
    ) -> Result<TestOutcome, String> {
        let mut test_run = TestRun {
            side,
            user,
            test,
            extra: Extra::Nothing,
            limit: RUN_LIMIT * if self.is_emulated { EMULATED } else { 1 },
            times: if self.is_emulated { EMULATED } else { 1 },
        };
        let mut ended = sandbox.test(&test_run, &self.fixtures)?;
        let mut outcome = tap::outcome(test, &ended);
        let extra = match &outcome {
            TestOutcome::Skipped(why) => Extra::for_reason(why),
            _ => None,
        };
        if let Some(extra) = extra {
            test_run.extra = extra;
            ended = sandbox.test(&test_run, &self.fixtures)?;
            outcome = tap::outcome(test, &ended);
        }
        if let TestOutcome::Failed(how) = &outcome {
            let mut file = self.failures.lock().expect("no worker panicked");
            let (side, user) = (side.name(), user.name());
            let text = format!("=== {test}, {side}, {user}: {how}\n{}\n", ended.output);
            file.write_all(text.as_bytes())
                .map_err(|error| error.to_string())?;
        }
        Ok(outcome)
    }

    /// Finds the verdicts; what is not clear is run again, alone, on libuv and on the side.
    fn judge(&self, result: &mut Finding) -> Outcome {
        for side in 1..self.swaps.len() {
            let verdict = if verdict::is_clear(result.first[0], result.first[side]) {
                verdict::of_clear(result.first[0], result.first[side])
            } else {
                self.run_again(result, side)?
            };
            result.verdicts.push((self.swaps[side].name(), verdict));
        }
        Ok(())
    }

    fn run_again(&self, result: &mut Finding, side: usize) -> Result<Verdict, String> {
        let sandbox = self.sandbox(0)?;
        let mut tallies = [Tally::default(); 2];
        println!("  again, alone: {} as {}", result.test, result.user.name());
        loop {
            let more = verdict::more_runs(tallies[0], tallies[1]);
            if more == 0 {
                break;
            }
            for _ in 0..more {
                for (tally, number) in tallies.iter_mut().zip([0, side]) {
                    let side = &self.swaps[number];
                    let outcome = self.run_one(&sandbox, side, result.user, &result.test)?;
                    tally.add(&outcome);
                    result.remember(number, &outcome);
                }
            }
        }
        result.again[0] = tallies[0];
        result.again[side] = tallies[1];
        Ok(verdict::of_runs_again(tallies[0], tallies[1]))
    }
}

impl Finding {
    fn remember(&mut self, side: usize, outcome: &TestOutcome) {
        if side == 0 {
            return;
        }
        match outcome {
            TestOutcome::Passed => {}
            TestOutcome::Skipped(why) => self.message.clone_from(why),
            TestOutcome::Failed(how) => self.message.clone_from(how),
        }
    }
}

/// The results of all workers, and the next run to take.
struct Progress {
    results: Mutex<Vec<Finding>>,
    next: Mutex<usize>,
    total: usize,
    shown: terminal::Progress,
}

impl Progress {
    /// The number of the next run.
    fn take(&self) -> Option<usize> {
        let mut next = self.next.lock().expect("no worker panicked");
        if *next == self.total {
            return None;
        }
        let index = *next;
        *next += 1;
        Some(index)
    }

    fn note(&self, test: usize, side: usize, on: &Side, outcome: &TestOutcome) {
        let mut results = self.results.lock().expect("no worker panicked");
        let result = &mut results[test];
        result.first[side].add(outcome);
        result.remember(side, outcome);
        if let TestOutcome::Failed(how) = outcome {
            let on = on.name();
            terminal::say(format_args!("  {} fails on {on}: {how}", result.test));
        }
    }
}
