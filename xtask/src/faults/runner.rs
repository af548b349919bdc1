//! Runs cases, several at once, and judges what came out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use terminal::Progress;

use syscalls::Sysno;

use super::calls::is_lack;
use super::case::Case;
use super::environment::variables;
use super::memory;
use super::programs::Programs;
use super::tracer::{self, End, Limits, Observation};

/// Seconds until a program gives up waiting by itself.
const PATIENCE_SECONDS: u64 = 5;
/// The same of one that may wait for ever.
const SHORT_PATIENCE_SECONDS: u64 = 2;
/// The same on libuv, which may hang often and gets no second look.
const UPSTREAM_PATIENCE_SECONDS: u64 = 3;
/// The same of a second look at a program that seemed to wait in vain.
const LONG_PATIENCE_SECONDS: u64 = 20;
/// The same under valgrind, which is slow.
const VALGRIND_PATIENCE_SECONDS: u64 = 60;
/// Seconds of processor time after which a program spins.
const MOST_CPU_SECONDS: u64 = 4;

/// What came of a run.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// All work was done.
    Right,
    /// The library reported this error.
    Reported(String),
    /// It waits for what is lacking, in order and without spinning.
    Waiting,
    /// The condition never took effect.
    NotReached,
    /// Something is wrong, and no error was reported.
    Fault(String),
}

/// A run that is over.
pub struct Finished {
    pub case: Case,
    pub verdict: Verdict,
    pub counts: HashMap<Sysno, u64>,
    pub allocations: u64,
}

/// A folder of this process's, gone when it ends.
pub struct Work(PathBuf);

impl Work {
    pub fn new(root: &Path) -> Result<Arc<Work>, String> {
        let folder = root.join(format!("target/faults/work/{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Arc::new(Work(folder)))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What programs run on, and where.
#[derive(Clone)]
pub struct Runner<'a> {
    pub programs: &'a Programs,
    /// The folder that has `libuv.so.1`.
    pub library: PathBuf,
    /// It is libuv's own, which does not do all that this library does.
    pub is_upstream: bool,
    /// Where each worker has a folder for its programs.
    pub work: Arc<Work>,
    /// The mutant of the library, if any.
    pub mutant: Option<String>,
    pub is_under_valgrind: bool,
}

impl<'a> Runner<'a> {
    /// The same on a library with a mistake.
    pub fn with_mutant(&self, name: &str) -> Runner<'a> {
        Runner {
            mutant: Some(name.into()),
            ..self.clone()
        }
    }

    /// The same under valgrind.
    pub fn under_valgrind(&self) -> Runner<'a> {
        Runner {
            is_under_valgrind: true,
            ..self.clone()
        }
    }

    fn command(&self, program: &str) -> Command {
        let path = self.programs.path(program);
        if !self.is_under_valgrind {
            return Command::new(path);
        }
        let mut command = Command::new("valgrind");
        command.args(memory::OPTIONS).arg(path);
        command
    }

    fn limits(&self, patience: u64) -> Limits {
        Limits {
            time: Duration::from_secs(3 * patience),
            cpu_seconds: match self.is_under_valgrind {
                true => VALGRIND_PATIENCE_SECONDS,
                false => MOST_CPU_SECONDS,
            },
        }
    }

    fn patience_with(&self, case: &Case) -> u64 {
        match lacks_for_good(case) {
            _ if self.is_under_valgrind => VALGRIND_PATIENCE_SECONDS,
            true => SHORT_PATIENCE_SECONDS,
            false if self.is_upstream => UPSTREAM_PATIENCE_SECONDS,
            false => PATIENCE_SECONDS,
        }
    }

    /// Runs a case in a folder of its own; `is_recording` counts all calls.
    fn run_once(
        &self,
        case: &Case,
        worker: usize,
        is_recording: bool,
        patience: u64,
    ) -> Result<(Observation, String), String> {
        let top = self.work.0.join(worker.to_string());
        let folder = top.join("folder");
        let _ = std::fs::remove_dir_all(&top);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let output = top.join("output");
        let file = std::fs::File::create(&output).map_err(|error| error.to_string())?;
        let errors = file.try_clone().map_err(|error| error.to_string())?;
        let mut command = self.command(&case.program);
        command
            .current_dir(&folder)
            .env("LD_LIBRARY_PATH", &self.library)
            .env("FAULTS_SECONDS", patience.to_string())
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors);
        self.set_variables(&mut command, case, is_recording);
        let faults: Vec<_> = case.calls().collect();
        let traced = is_recording || !faults.is_empty();
        let limits = self.limits(patience);
        let observed = tracer::run(&mut command, faults, traced, &limits)
            .map_err(|error| format!("cannot run {case}: {error}"))?;
        let output = std::fs::read(&output).map_err(|error| error.to_string())?;
        Ok((observed, String::from_utf8_lossy(&output).into_owned()))
    }

    fn set_variables(&self, command: &mut Command, case: &Case, is_recording: bool) {
        if self.is_upstream {
            command.env("FAULTS_UPSTREAM", "1");
        }
        if let Some(mutant) = &self.mutant {
            command.env("LD_PRELOAD", self.programs.path("mutants.so"));
            command.env("FAULTS_MUTANT", mutant);
        }
        command.envs(variables(case));
        if is_recording {
            command.env("FAULTS_TRACE", "all");
        }
    }

    /// Runs a case and judges it. What seems to wait in vain gets more time in a second run; libuv is
    /// believed at once, since nobody waits for its repair here.
    pub fn run(&self, case: &Case, worker: usize, is_recording: bool) -> Result<Finished, String> {
        let patience = self.patience_with(case);
        let (mut seen, mut output) = self.run_once(case, worker, is_recording, patience)?;
        let is_in_vain = judge(case, &seen, &output) == Verdict::Fault(IN_VAIN.into());
        if is_in_vain && !self.is_upstream && !self.is_under_valgrind {
            (seen, output) = self.run_once(case, worker, is_recording, LONG_PATIENCE_SECONDS)?;
        }
        Ok(Finished {
            case: case.clone(),
            verdict: judge(case, &seen, &output),
            allocations: number_after(&output, "allocations "),
            counts: seen.counts,
        })
    }

    /// What the last run of a worker wrote.
    pub fn output(&self, worker: usize) -> String {
        let path = self.work.0.join(worker.to_string()).join("output");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Runs all cases on all processors.
    pub fn run_all(&self, cases: &[Case], is_recording: bool) -> Result<Vec<Finished>, String> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        let progress = Progress::new(cases.len());
        // Programs wait for one another's threads most of the time.
        let workers = 2 * std::thread::available_parallelism().map_or(1, |cores| cores.get());
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .map(|worker| {
                    let (next, done, progress) = (&next, &done, &progress);
                    scope.spawn(move || -> Result<(), String> {
                        while let Some(case) = cases.get(next.fetch_add(1, SeqCst)) {
                            let finished = self.run(case, worker, is_recording)?;
                            if let Verdict::Fault(what) = &finished.verdict {
                                show_fault(case, what);
                            }
                            done.lock().unwrap().push(finished);
                            progress.step("");
                        }
                        Ok(())
                    })
                })
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or(Err("a worker panicked".into())))
        })?;
        let mut done = done.into_inner().unwrap();
        done.sort_by_cached_key(|finished| finished.case.to_string());
        Ok(done)
    }
}

/// At once, so that nobody waits for the end of a long run.
fn show_fault(case: &Case, what: &str) {
    terminal::say(format_args!("  FAULT   {what}"));
    terminal::say(format_args!(
        "  replay  cargo xtask faults --replay '{case}'"
    ));
}

/// What a program says that gave up waiting, or was stopped while it waited.
const IN_VAIN: &str = "hang: the program waited in vain";

fn number_after(output: &str, name: &str) -> u64 {
    let found = output.lines().filter_map(|line| line.strip_prefix(name));
    found
        .filter_map(|number| number.trim().parse().ok())
        .max()
        .unwrap_or(0)
}

fn judge(case: &Case, seen: &Observation, output: &str) -> Verdict {
    let outcome = |kind: &str| {
        output
            .lines()
            .find_map(|line| line.strip_prefix("outcome ")?.strip_prefix(kind))
    };
    if let Some(what) = outcome("fault ") {
        if what.starts_with("stalled") || what.starts_with("in the child: stalled") {
            return if lacks_for_good(case) {
                Verdict::Waiting
            } else {
                Verdict::Fault(IN_VAIN.into())
            };
        }
        return Verdict::Fault(what.into());
    }
    match seen.end {
        End::TimeLimit => return Verdict::Fault(IN_VAIN.into()),
        End::Signal(libc::SIGXCPU | libc::SIGKILL) => {
            return Verdict::Fault("spin: no end of using the processor".into());
        }
        End::Signal(libc::SIGABRT) => return Verdict::Fault(format!("abort: {}", last(output))),
        End::Signal(signal) => return Verdict::Fault(format!("crash: signal {signal}")),
        End::Exit(0) => {}
        End::Exit(code) => {
            return Verdict::Fault(format!("ended with status {code}: {}", last(output)));
        }
    }
    let is_traced = case.calls().next().is_some();
    if is_traced && seen.injected == 0 {
        return Verdict::NotReached;
    }
    match (outcome("error "), outcome("right")) {
        (Some(error), _) => Verdict::Reported(error.into()),
        (None, Some(_)) => Verdict::Right,
        (None, None) => Verdict::Fault("ended without a word".into()),
    }
}

/// Whether a call fails from some time on for want of something.
fn lacks_for_good(case: &Case) -> bool {
    case.calls()
        .any(|fault| fault.when.for_good && is_lack(fault.action))
}

/// The last line that the program or the library wrote.
fn last(output: &str) -> &str {
    let lines = output.lines().rev();
    lines
        .into_iter()
        .find(|line| !line.starts_with("allocations"))
        .unwrap_or("")
}

/// Whether this process may trace its children at all.
pub fn check_tracing() -> Result<(), String> {
    let mut command = Command::new("true");
    let limits = Limits {
        time: Duration::from_secs(PATIENCE_SECONDS),
        cpu_seconds: MOST_CPU_SECONDS,
    };
    match tracer::run(&mut command, Vec::new(), true, &limits) {
        Ok(seen) if seen.end == End::Exit(0) => Ok(()),
        Ok(seen) => Err(format!("a traced process ended with {:?}", seen.end)),
        Err(error) => Err(format!("processes cannot be traced here (ptrace): {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(end: End, injected: u64) -> Observation {
        Observation {
            end,
            injected,
            counts: HashMap::new(),
        }
    }

    fn verdict(end: End, output: &str) -> Verdict {
        let case = "udp read#1=EIO".parse().unwrap();
        judge(&case, &seen(end, 1), output)
    }

    #[test]
    fn outcomes_are_told_apart() {
        let exit = End::Exit(0);
        assert_eq!(
            verdict(exit, "allocations 4\noutcome right\n"),
            Verdict::Right
        );
        let reported = Verdict::Reported("EIO uv_read_cb".into());
        assert_eq!(verdict(exit, "outcome error EIO uv_read_cb\n"), reported);
        for (end, output) in [
            (exit, ""),
            (exit, "outcome right\noutcome fault lost: x\n"),
            (End::Exit(1), "outcome right\n"),
            (End::Signal(11), ""),
            (End::TimeLimit, "outcome right\n"),
        ] {
            assert!(
                matches!(verdict(end, output), Verdict::Fault(_)),
                "{output}"
            );
        }
    }

    #[test]
    fn to_wait_for_memory_is_no_fault_while_there_is_none() {
        let stalled = |line: &str| {
            let case = line.parse().unwrap();
            judge(&case, &seen(End::Exit(20), 1), "outcome fault stalled: x\n")
        };
        assert_eq!(stalled("udp epoll_ctl#1..=ENOMEM"), Verdict::Waiting);
        assert!(matches!(
            stalled("udp epoll_ctl#1=ENOMEM"),
            Verdict::Fault(_)
        ));
        assert!(matches!(stalled("udp read#1..=EIO"), Verdict::Fault(_)));
    }

    #[test]
    fn a_fault_that_was_not_injected_is_not_counted() {
        let case = "udp read#1=EIO".parse().unwrap();
        let seen = seen(End::Exit(0), 0);
        assert_eq!(judge(&case, &seen, "outcome right\n"), Verdict::NotReached);
    }
}
