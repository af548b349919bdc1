//! `oxuv run`: runs a program on the library, and proves that it took.

mod signals;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use crate::elf::Facts;
use crate::library::Library;
use crate::line::RunOptions;
use crate::mapped;
use signals::Signals;

/// The exit statuses of env(1) for a program that cannot be run, and for one that is not there.
const NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The first pause between two looks at what a program has mapped; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The program, as far as it is known before it runs.
struct Program {
    /// As it was given.
    name: String,
    path: Option<PathBuf>,
    /// Of an ELF file.
    facts: Option<Facts>,
}

pub fn run(options: &RunOptions) -> Result<ExitCode, String> {
    let library = Library::find(options.library.as_deref())?;
    let program = Program::find(&options.program[0]);
    let prepare = |command: &mut Command| set_variables(command, options, &library, &program);
    let mut command = Command::new(&options.program[0]);
    command.args(&options.program[1..]);
    prepare(&mut command);
    let signals = Signals::block();
    signals.prepare(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("oxuv: {}: {error}", program.name);
            let is_there = error.kind() != ErrorKind::NotFound;
            return Ok(ExitCode::from(if is_there { NOT_RUN } else { NOT_FOUND }));
        }
    };
    let mut seen = BTreeSet::new();
    let process = child.id();
    let mut pause = FIRST_PAUSE;
    let status = signals.wait(&mut child, || {
        // What is mapped stays so, as far as this has to know.
        if !seen.is_empty() {
            return None;
        }
        seen = mapped::by_process(process);
        pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    })?;
    if seen.is_empty() {
        seen.extend(program.linked(prepare));
    }
    tell(&library, &program, &seen, options.quiet);
    Ok(passed_on(status))
}

/// The variables by which the program finds the library, and the instruments.
fn set_variables(
    command: &mut Command,
    options: &RunOptions,
    library: &Library,
    program: &Program,
) {
    let prepend = |name: &str, first: &Path| {
        let mut value = first.as_os_str().to_os_string();
        if let Some(others) = std::env::var_os(name).filter(|others| !others.is_empty()) {
            value.push(":");
            value.push(others);
        }
        value
    };
    command.env(
        "LD_LIBRARY_PATH",
        prepend("LD_LIBRARY_PATH", &library.folder),
    );
    // The program's own search path counts before that variable.
    if program.facts.as_ref().is_some_and(|facts| facts.has_rpath) {
        command.env("LD_PRELOAD", prepend("LD_PRELOAD", &library.file));
    }
    if let Some(file) = &options.trace {
        command.env("OXUV_TRACE", file);
    }
    if let Some(ms) = options.stall {
        command.env("OXUV_STALL_MS", ms.to_string());
    }
}

impl Program {
    fn find(name: &OsString) -> Program {
        let path = find_in_path(name, std::env::var_os("PATH").as_deref());
        Program {
            name: name.to_string_lossy().into_owned(),
            facts: path.as_ref().and_then(|path| Facts::read(path).ok()),
            path,
        }
    }

    /// The libuv that the dynamic linker loads with the program, which may have ended before anybody
    /// could look.
    fn linked(&self, prepare: impl Fn(&mut Command)) -> Option<PathBuf> {
        let interpreter = self.facts.as_ref()?.interpreter.as_ref()?;
        mapped::by_linker(interpreter, self.path.as_ref()?, prepare)
    }
}

/// The file that a name stands for, as execvp(3) finds it.
fn find_in_path(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if name.to_string_lossy().contains('/') {
        return Some(PathBuf::from(name));
    }
    let folders = std::env::split_paths(path?);
    folders.map(|at| at.join(name)).find(|file| file.is_file())
}

/// One line that says which libuv the program ran on.
fn tell(library: &Library, program: &Program, seen: &BTreeSet<PathBuf>, is_quiet: bool) {
    let name = &program.name;
    let is_own = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == library.file);
    if seen.iter().any(is_own) {
        if !is_quiet {
            let (file, note) = (library.file.display(), &library.note);
            eprintln!("oxuv: {name} ran on {file} ({note})");
        }
    } else if let Some(other) = seen.first() {
        eprintln!(
            "oxuv: {name} did not run on this library, but on {}",
            other.display()
        );
    } else {
        eprintln!("oxuv: {name} {}", without_library(program.facts.as_ref()));
    }
}

/// Why a program had no libuv mapped.
fn without_library(facts: Option<&Facts>) -> String {
    let text = match facts {
        None => "did not run on this library: no libuv was mapped",
        Some(facts) => match (&facts.note, facts.is_libuv()) {
            (Some(note), _) => {
                return format!("ran on what is linked into it: {note}");
            }
            (None, true) => {
                "did not run on this library: another libuv is linked into it. Link it with \
                 libuv.so.1, or with this library's libuv.a"
            }
            (None, false) if facts.has_symbols => {
                "did not run on this library: it has no libuv in it, and mapped none"
            }
            (None, false) => {
                "did not run on this library: it mapped no libuv. Whether one is linked into it \
                 cannot be told: its table of functions is stripped"
            }
        },
    };
    text.to_string()
}

/// The status that the program ended with. If a signal ended it, the same signal ends this process.
fn passed_on(status: ExitStatus) -> ExitCode {
    /// What shells add to the number of a signal.
    const SIGNALLED: i32 = 128;
    if let Some(signal) = status.signal() {
        signals::end_by(signal);
        return ExitCode::from((SIGNALLED + signal) as u8);
    }
    ExitCode::from(status.code().unwrap_or(NOT_RUN.into()) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_the_system_finds_them() {
        let path = Some(OsStr::new("/nowhere:/proc/self:/bin"));
        assert_eq!(find_in_path(OsStr::new("sh"), path), Some("/bin/sh".into()));
        assert_eq!(find_in_path(OsStr::new("./a"), path), Some("./a".into()));
        assert_eq!(find_in_path(OsStr::new("no such program"), path), None);
    }

    #[test]
    fn programs_without_the_library_are_told_apart() {
        let mut facts = Facts {
            has_symbols: true,
            ..Facts::default()
        };
        assert!(without_library(Some(&facts)).contains("no libuv in it"));
        facts.has.insert("uv_run".to_string());
        assert!(without_library(Some(&facts)).contains("linked into it"));
        assert!(without_library(None).contains("no libuv was mapped"));
    }
}
