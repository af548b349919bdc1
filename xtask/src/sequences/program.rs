//! The C program that makes the calls: built, run and shortened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::options::Options;
use crate::tools::{self, Library};

/// Words after the number of operations; the program explains them.
pub const MODES: &[&str] = &["", "senders", "loops", "limits", "loops senders limits"];

pub struct Program {
    path: PathBuf,
    /// The folder with the library.
    pub library: PathBuf,
    /// The mistake to make, and the library that makes it.
    mutant: Option<(&'static str, PathBuf)>,
}

/// One run of the program.
pub struct Run {
    pub seed: u64,
    pub operations: u64,
    pub mode: &'static str,
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{} {} {}", self.seed, self.operations, self.mode)
    }
}

impl Program {
    pub fn build(root: &Path, options: &Options) -> Result<Program, String> {
        let own = match &options.sanitizer {
            Some(sanitizer) => with_sanitizer(root, sanitizer)?,
            None => Library::build(root, false)?.folder,
        };
        let folder = root.join("target/sequences");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let path = folder.join(options.sanitizer.as_deref().unwrap_or("plain"));
        let sources = ["main.c", "handles.c", "streams.c", "requests.c"];
        let mut compiler = Command::new(if options.sanitizer.is_some() {
            "clang"
        } else {
            "cc"
        });
        compiler
            .args([
                "-D_GNU_SOURCE",
                "-g",
                "-O1",
                "-Wall",
                "-Wextra",
                "-Wno-unused-parameter",
            ])
            .args(
                options
                    .sanitizer
                    .iter()
                    .map(|name| format!("-fsanitize={name}")),
            )
            .arg(format!("-I{}", root.join("include").display()))
            .args(sources.map(|name| root.join("fuzz/sequences").join(name)))
            .arg("-o")
            .arg(&path)
            .arg(own.join("libuv.so.1"))
            .arg("-lpthread");
        tools::run(&mut compiler)?;
        let library = options.library.clone().unwrap_or(own);
        Ok(Program {
            path,
            library,
            mutant: None,
        })
    }

    /// The same program with a mistake.
    pub fn with_mutant(&self, root: &Path, name: &'static str) -> Result<Program, String> {
        let mutants = self.path.with_file_name("mutants.so");
        tools::run(
            Command::new("cc")
                .args(["-D_GNU_SOURCE", "-g", "-O1", "-shared", "-fPIC"])
                .arg(format!("-I{}", root.join("include").display()))
                .arg(root.join("fuzz/sequences/mutants.c"))
                .arg("-o")
                .arg(&mutants),
        )?;
        Ok(Program {
            path: self.path.clone(),
            library: self.library.clone(),
            mutant: Some((name, mutants)),
        })
    }

    fn command(&self, run: &Run, library: &Path) -> Command {
        let mut command = Command::new(&self.path);
        let known = concat!(env!("CARGO_MANIFEST_DIR"), "/../c_tests/tsan.supp");
        command
            .env("TSAN_OPTIONS", format!("suppressions={known}"))
            .env("LD_LIBRARY_PATH", library)
            .arg(run.seed.to_string())
            .arg(run.operations.to_string())
            .args(run.mode.split_whitespace());
        if let Some((name, mutants)) = &self.mutant {
            command
                .env("SEQUENCES_MUTANT", name)
                .env("LD_PRELOAD", mutants);
        }
        command
    }

    /// What a run prints, on any library.
    pub fn output(&self, run: &Run, library: &Path) -> Result<String, String> {
        let output = (self.command(run, library).output()).map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    /// What is wrong in a run, if anything.
    pub fn check(&self, run: &Run) -> Option<String> {
        let output = match self.command(run, &self.library).output() {
            Ok(output) => output,
            Err(error) => return Some(error.to_string()),
        };
        if output.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("broken: "));
        let reason = match line.and_then(|line| line.split("broken: ").nth(1)) {
            Some(condition) => condition.into(),
            None => format!("{}\n{text}", output.status),
        };
        Some(reason)
    }

    /// The command that repeats a finding, with as few calls as still show it.
    pub fn shrink(&self, mut run: Run, mut finding: String) -> String {
        let mut step = run.operations / 2;
        while step > 0 {
            let shorter = Run {
                operations: run.operations - step,
                ..run
            };
            match (0..3).find_map(|_| self.check(&shorter)) {
                Some(reason) => (run, finding) = (shorter, reason),
                None => step /= 2,
            }
            step = step.min(run.operations.saturating_sub(1));
        }
        format!(
            "LD_LIBRARY_PATH={} {} {run}: {finding}",
            self.library.display(),
            self.path.display()
        )
    }
}

/// Builds the library with a sanitizer; the folder that it is in.
fn with_sanitizer(root: &Path, sanitizer: &str) -> Result<PathBuf, String> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target = root
        .join("target/sequences")
        .join(format!("library-{sanitizer}"));
    tools::run(
        Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .current_dir(root)
            .args([
                "build",
                "--lib",
                "--no-default-features",
                "--quiet",
                "--target",
                &triple,
                "--target-dir",
            ])
            .arg(&target)
            .env("RUSTC_BOOTSTRAP", "1")
            .env(
                "RUSTFLAGS",
                format!("-Zsanitizer={sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer"),
            ),
    )?;
    Ok(target.join(triple).join("debug"))
}
