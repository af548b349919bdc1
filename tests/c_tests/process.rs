//! One test, one process group: started, waited for, ended when its time is over.

use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::build::{Link, Program, Test};

/// The exit status of a test that is not possible here.
const SKIPPED: i32 = 77;

pub enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

pub fn run(program: &Program, test: &Test) -> Outcome {
    let mut output = match tempfile() {
        Ok(file) => file,
        Err(error) => return Outcome::Failed(format!("no file for the output: {error}")),
    };
    let folder = match Folder::new() {
        Ok(folder) => folder,
        Err(error) => return Outcome::Failed(format!("no folder for the test: {error}")),
    };
    let mut command = command(program, test);
    let shown = format!("{command:?}");
    command.env("TMPDIR", &folder.0);
    let (Ok(out), Ok(err)) = (output.try_clone(), output.try_clone()) else {
        return Outcome::Failed("no descriptor for the output".into());
    };
    command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("{command:?}: {error}")),
    };
    let status = wait(&mut child, limit(test));
    // What the test started and left behind.
    end_group(&child);
    let mut text = Vec::new();
    let _ = output.rewind();
    let _ = output.read_to_end(&mut text);
    match judge(status, &String::from_utf8_lossy(&text)) {
        Outcome::Failed(what) => Outcome::Failed(format!("{what}\nto run it alone: {shown}")),
        outcome => outcome,
    }
}

fn wrapper() -> Option<String> {
    std::env::var("OXUV_TEST_WRAPPER")
        .ok()
        .filter(|value| !value.is_empty())
}

fn limit(test: &Test) -> Duration {
    let is_slow = ["WRAPPER", "SANITIZER", "EMULATED"]
        .iter()
        .any(|name| std::env::var_os(format!("OXUV_TEST_{name}")).is_some());
    Duration::from_secs(test.seconds * if is_slow { 10 } else { 1 })
}

fn command(program: &Program, test: &Test) -> Command {
    let wrapper = wrapper().unwrap_or_default();
    let mut words: Vec<&str> = wrapper.split_whitespace().collect();
    let path = program.path.to_string_lossy();
    words.push(&path);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(&test.name);
    command.env("LD_LIBRARY_PATH", &program.library);
    let expected = match program.link {
        Link::Shared => program.library.join("libuv.so.1"),
        Link::Static => program.path.clone(),
    };
    command.env("OXUV_TEST_EXPECT", expected);
    if std::env::var("OXUV_TEST_SANITIZER").is_ok_and(|name| name == "thread") {
        let known = concat!(env!("CARGO_MANIFEST_DIR"), "/c_tests/tsan.supp");
        command.env("TSAN_OPTIONS", format!("suppressions={known}"));
    }
    if std::env::var_os("OXUV_TEST_LIBRARY").is_some() {
        command.env("OXUV_TEST_OTHER", "1");
    }
    command
}

/// A number that no other test of this run has.
fn number() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Where a test puts its files, removed even if the test was ended before it could do that. Not in
/// the target folder, whose path may be longer than the name of a socket can be.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Folder> {
        let name = format!("oxuv-tests-{}-{}", std::process::id(), number());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An unnamed file for what a test prints: a pipe could fill up.
fn tempfile() -> std::io::Result<std::fs::File> {
    let name = format!("output-{}-{}", std::process::id(), number());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = std::fs::OpenOptions::new()
        .create_new(true)
        .read(true)
        .append(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The exit status, or `None` when the time was over.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_micros(500);
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => std::thread::sleep(pause),
            Err(_) => return None,
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    end_group(child);
    let _ = child.wait();
    None
}

fn end_group(child: &Child) {
    // SAFETY: signals the group that was made for this child; ESRCH when no process is left in it.
    unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
}

fn judge(status: Option<ExitStatus>, output: &str) -> Outcome {
    let Some(status) = status else {
        return Outcome::Failed(format!("timed out\n{output}"));
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Passed,
        (Some(SKIPPED), _) => Outcome::Skipped(output.trim().to_string()),
        (Some(code), _) => Outcome::Failed(format!("exit status {code}\n{output}")),
        (None, Some(signal)) => Outcome::Failed(format!("ended by {}\n{output}", name(signal))),
        (None, None) => Outcome::Failed(format!("{status}\n{output}")),
    }
}

fn name(signal: i32) -> String {
    let known = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGALRM => "SIGALRM",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGPROF => "SIGPROF",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        _ => return format!("signal {signal}"),
    };
    known.into()
}
