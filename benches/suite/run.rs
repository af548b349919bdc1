//! Runs one benchmark once, and the regimes under which that is done.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::build::{Library, Program, Programs, scratch};
use bench_results::Result;
use bench_results::options::{Options, Regime};
use bench_results::record::{Facts, Kind};

/// The exit code of a skipped benchmark.
const SKIPPED: i32 = 77;

/// One benchmark of a program.
#[derive(Clone, Debug)]
pub struct Benchmark {
    pub facts: Facts,
    pub path: PathBuf,
    pub short_name: String,
    /// `program::name` of the same work on plain system calls.
    pub bare: Option<String>,
}

/// The result of one run of a benchmark.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Operations per second, or bytes, or nanoseconds.
    pub value: f64,
    /// Seconds of processor time for one operation.
    pub cpu: Option<f64>,
    /// Nanoseconds.
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

pub enum Outcome {
    Done(Sample),
    Skipped(String),
}

/// The benchmarks of all programs, and the bare ones by name.
pub struct Catalog {
    pub benchmarks: Vec<Benchmark>,
    pub bare: HashMap<String, Benchmark>,
}

impl Catalog {
    pub fn of(programs: &Programs, library: &Library) -> Result<Catalog> {
        let mut benchmarks = Vec::new();
        for program in &programs.on_libuv {
            benchmarks.extend(list(program, Some(library))?);
        }
        let mut bare = HashMap::new();
        for program in &programs.bare {
            for benchmark in list(program, None)? {
                bare.insert(benchmark.facts.name.clone(), benchmark);
            }
        }
        for benchmark in &benchmarks {
            let missing = |name: &&String| !bare.contains_key(*name);
            if let Some(name) = benchmark.bare.as_ref().filter(missing) {
                return Err(format!("{}: no bare {name}", benchmark.facts.name));
            }
        }
        Ok(Catalog { benchmarks, bare })
    }
}

fn list(program: &Program, library: Option<&Library>) -> Result<Vec<Benchmark>> {
    let output = command(&program.path, library)
        .arg("--list")
        .output()
        .map_err(|error| format!("{}: {error}", program.path.display()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} --list: {errors}", program.path.display()));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            benchmark(program, line)
                .ok_or_else(|| format!("{}: bad line {line}", program.path.display()))
        })
        .collect()
}

fn benchmark(program: &Program, line: &str) -> Option<Benchmark> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, kind, n, bare, series, text] = fields[..] else {
        return None;
    };
    let optional = |field: &str| (field != "-").then(|| field.to_string());
    Some(Benchmark {
        facts: Facts {
            name: format!("{}::{name}", program.name),
            kind: Kind::from_name(kind)?,
            n: n.parse().ok()?,
            series: optional(series),
            text: text.into(),
        },
        path: program.path.clone(),
        short_name: name.into(),
        bare: optional(bare),
    })
}

/// A command that maps this library, and checks that it did; for bare programs, that none is.
pub fn command(path: &PathBuf, library: Option<&Library>) -> Command {
    let mut command = Command::new(path);
    command.current_dir(scratch()).stdin(Stdio::null());
    // Both libraries get equal settings, whatever the caller's are.
    command.env_remove("UV_THREADPOOL_SIZE");
    match library {
        Some(library) => command
            .env("LD_LIBRARY_PATH", &library.folder)
            .env("OXUV_BENCH_EXPECTED", &library.file),
        None => command.env("OXUV_BENCH_EXPECTED", ""),
    };
    command
}

impl Benchmark {
    /// Measures once.
    pub fn run(&self, library: Option<&Library>, options: &Options) -> Result<Outcome> {
        let mut command = command(&self.path, library);
        command.args(["--run", &self.short_name]);
        let milliseconds = if options.quick {
            10
        } else {
            options.milliseconds
        };
        command.args(["--ms", &milliseconds.to_string()]);
        if options.quick {
            command.arg("--quick");
        }
        let patience = if options.quick { 30_000 } else { 120_000 };
        let limit = Duration::from_millis(patience + 20 * milliseconds);
        let output = output_within(command, limit).map_err(|error| self.failed(&error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => {}
            Some(SKIPPED) => return Ok(Outcome::Skipped(text.trim().to_string())),
            _ => {
                let errors = String::from_utf8_lossy(&output.stderr);
                return Err(self.failed(&format!("{}\n{errors}", output.status)));
            }
        }
        sample(self.facts.kind, &text)
            .map(Outcome::Done)
            .ok_or_else(|| self.failed(&format!("bad result: {text}")))
    }

    fn failed(&self, why: &str) -> String {
        format!("{}: {why}", self.facts.name)
    }
}

fn sample(kind: Kind, text: &str) -> Option<Sample> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("result\t"))?;
    let fields: HashMap<&str, f64> = line
        .split('\t')
        .filter_map(|field| {
            let (name, value) = field.split_once('=')?;
            Some((name, value.parse().ok()?))
        })
        .collect();
    let operations = fields.get("ops").copied().unwrap_or(0.0);
    let seconds = fields.get("seconds").copied().unwrap_or(0.0);
    Some(Sample {
        value: match kind {
            Kind::Rate => operations / seconds,
            Kind::Bytes | Kind::Nanoseconds => *fields.get("value")?,
        },
        cpu: (operations > 0.0).then(|| fields["cpu"] / operations),
        p50: fields.get("p50").copied(),
        p99: fields.get("p99").copied(),
    })
}

/// Runs a command to its end, or kills it. Its process alone is waited for, without any polling
/// that would disturb what is measured.
pub fn output_within(
    mut command: Command,
    limit: Duration,
) -> std::result::Result<std::process::Output, String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let pid = child.id();
    let (sender, receiver) = channel();
    let waiter = std::thread::spawn(move || {
        let _ = sender.send(child.wait_with_output());
    });
    let result = receiver.recv_timeout(limit);
    if let Err(RecvTimeoutError::Timeout) = result {
        // SAFETY: a system call on numbers; the child is not reaped before the waiter has ended.
        unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
        let _ = receiver.recv();
    }
    let _ = waiter.join();
    match result {
        Ok(output) => output.map_err(|error| error.to_string()),
        Err(_) => Err(format!("took more than {} seconds", limit.as_secs())),
    }
}

/// Keeps the processors from going idle for as long as it lives, if the regime says so: a process
/// on each that never blocks. Awake, it runs only when nothing else wants to.
pub struct Spinners {
    processes: Vec<libc::pid_t>,
}

impl Spinners {
    pub fn start(regime: Regime) -> Spinners {
        let count = match regime {
            Regime::Quiet => 0,
            _ => std::thread::available_parallelism().map_or(1, |count| count.get()),
        };
        let processes = (0..count)
            .filter_map(|at| spin_forever(regime, at))
            .collect();
        Spinners { processes }
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for pid in self.processes.drain(..) {
            // SAFETY: children of this process, each waited for once.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
        }
    }
}

/// A process of its own, so that it counts against the benchmark's group in no scheduler.
fn spin_forever(regime: Regime, processor: usize) -> Option<libc::pid_t> {
    // SAFETY: the child calls nothing that another thread's lock could be in the way of.
    match unsafe { libc::fork() } {
        -1 => None,
        0 => {
            stay_on(regime, processor);
            loop {
                std::hint::spin_loop();
            }
        }
        pid => Some(pid),
    }
}

fn stay_on(regime: Regime, processor: usize) {
    // SAFETY: plain data, for which all zeroes are valid.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: plain data, for which all zeroes are valid.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is below the size of the set on machines of up to 1024 processors.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: the pointers are valid for the calls; they act on this process alone.
    unsafe {
        // Ends with the benchmark, however that ends.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if regime == Regime::Awake {
            libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
