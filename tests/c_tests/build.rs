//! Builds the library as it ships (a test build of it would unwind), and every file of `c_tests/`
//! as a program, unless they are built already.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::compile::{compile, is_up_to_date};

type Result<T> = std::result::Result<T, String>;

/// Files of `c_tests/` that are part of every program.
const COMMON: &str = "task.c";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Shared,
    Static,
}

/// One test of a program.
#[derive(Clone)]
pub struct Test {
    pub name: String,
    pub seconds: u64,
    /// Whether it must run alone.
    pub is_serial: bool,
    /// Whether it judges times, which only a quiet machine allows.
    pub is_timed: bool,
}

/// One file of `c_tests/`, linked one way.
pub struct Program {
    pub name: String,
    pub link: Link,
    pub path: PathBuf,
    /// The folder to load the shared library from.
    pub library: PathBuf,
    pub tests: Vec<Test>,
}

pub struct Suite {
    pub programs: Vec<Arc<Program>>,
}

/// What the programs are built with.
struct Setup {
    library: PathBuf,
    include: PathBuf,
    output: PathBuf,
    compiler: Vec<String>,
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Different for builds that must not overwrite each other.
fn flavour() -> String {
    let mut name = String::from("c_tests");
    if cfg!(feature = "portable-poller") {
        name += "-portable";
    }
    if let Some(sanitizer) = env("OXUV_TEST_SANITIZER") {
        name += &format!("-{sanitizer}");
    }
    if let Some(target) = env("OXUV_TEST_TARGET") {
        name += &format!("-{target}");
    }
    if env("OXUV_TEST_LIBRARY").is_some() {
        name += "-other";
    }
    name
}

impl Suite {
    pub fn build() -> Result<Suite> {
        let setup = Setup::new()?;
        let mut jobs = Vec::new();
        for source in sources()? {
            for link in [Link::Shared, Link::Static] {
                if link == Link::Shared || setup.has_archive() {
                    jobs.push((source.clone(), link));
                }
            }
        }
        let programs = in_parallel(jobs, |(source, link)| setup.program(&source, link))?;
        Ok(Suite {
            programs: programs.into_iter().map(Arc::new).collect(),
        })
    }
}

/// The files of `c_tests/` that are programs, or those of them that are asked for.
fn sources() -> Result<Vec<PathBuf>> {
    let mut files = files_in(&root().join("c_tests"), "c")?;
    files.retain(|path| path.file_name().is_some_and(|name| name != COMMON));
    if let Some(names) = env("OXUV_TEST_FILES") {
        let is_named = |path: &Path| {
            names
                .split(',')
                .any(|name| path.file_stem() == Some(name.as_ref()))
        };
        files.retain(|path| is_named(path));
    }
    files.sort();
    Ok(files)
}

fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    Ok(std::fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect())
}

/// Does all jobs, as many at a time as there are processors; the results come in order.
fn in_parallel<J: Send, R: Send>(
    jobs: Vec<J>,
    work: impl Fn(J) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let count = jobs.len();
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let results = Mutex::new((0..count).map(|_| None).collect::<Vec<Option<Result<R>>>>());
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some((index, job)) = queue.lock().unwrap().next() else {
                        break;
                    };
                    let result = work(job);
                    results.lock().unwrap()[index] = Some(result);
                }
            });
        }
    });
    results
        .into_inner()
        .unwrap()
        .into_iter()
        .flatten()
        .collect()
}

impl Setup {
    fn new() -> Result<Setup> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(flavour());
        let library = match env("OXUV_TEST_LIBRARY") {
            Some(folder) => PathBuf::from(folder),
            None => build_library(&target)?,
        };
        let include =
            env("OXUV_TEST_INCLUDE").map_or_else(|| root().join("include"), PathBuf::from);
        let output = target.join("programs");
        std::fs::create_dir_all(&output).map_err(|error| error.to_string())?;
        if env("OXUV_TEST_LIBRARY").is_none() && !is_special() {
            // Programs that are linked to the archive look beside themselves.
            build_instruments(&target, &[&library, &output])?;
        }
        Ok(Setup {
            library,
            include,
            output,
            compiler: compiler()?,
        })
    }

    fn has_archive(&self) -> bool {
        env("OXUV_TEST_STATIC").is_none_or(|value| value != "0")
            && self.library.join("libuv.a").exists()
    }

    fn program(&self, source: &Path, link: Link) -> Result<Program> {
        let name = source
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let suffix = if link == Link::Static { "-static" } else { "" };
        let path = self.output.join(format!("{name}{suffix}"));
        let command = self.compile_command(source, link, &path);
        let mut inputs = vec![
            source.to_path_buf(),
            root().join("c_tests").join(COMMON),
            self.include.join("uv.h"),
        ];
        inputs.extend(files_in(&root().join("c_tests"), "h")?);
        inputs.extend(files_in(&self.include.join("uv"), "h")?);
        if link == Link::Static {
            inputs.push(self.library.join("libuv.a"));
        }
        if !is_up_to_date(&path, &command, &inputs) {
            compile(&command, &path)?;
        }
        let tests = list_tests(&path, &self.library)?;
        Ok(Program {
            name,
            link,
            path,
            library: self.library.clone(),
            tests,
        })
    }

    fn compile_command(&self, source: &Path, link: Link, output: &Path) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut command = self.compiler.clone();
        let flags = "-std=gnu11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -Wno-unused-parameter";
        command.extend(flags.split(' ').map(String::from));
        if let Some(sanitizer) = env("OXUV_TEST_SANITIZER") {
            command.push(format!("-fsanitize={sanitizer}"));
        }
        let more = env("OXUV_TEST_CFLAGS").unwrap_or_default();
        command.extend(more.split_whitespace().map(String::from));
        if cfg!(feature = "portable-poller") {
            command.push("-DOXUV_PORTABLE_POLLER".into());
        }
        command.push(format!("-I{}", self.include.display()));
        command.extend([
            text(source.to_path_buf()),
            text(root().join("c_tests").join(COMMON)),
        ]);
        command.extend(["-o".into(), text(output.to_path_buf())]);
        match link {
            Link::Shared => {
                command.push(text(self.library.join("libuv.so.1")));
                command.push("-Wl,--disable-new-dtags".into());
                command.push(format!("-Wl,-rpath,{}", self.library.display()));
            }
            Link::Static => {
                // Names of the system that the test itself calls, looked up in the program.
                command.extend([text(self.library.join("libuv.a")), "-rdynamic".into()]);
                command.extend(
                    "-lutil -lrt -lpthread -lm -ldl -lc"
                        .split(' ')
                        .map(String::from),
                );
            }
        }
        command.extend(["-lpthread".into(), "-ldl".into()]);
        command
    }
}

/// The system's C compiler, as the `cc` crate finds it, or the one that is asked for.
fn compiler() -> Result<Vec<String>> {
    if let Some(compiler) = env("OXUV_TEST_CC") {
        return Ok(vec![compiler]);
    }
    if env("OXUV_TEST_SANITIZER").is_some() {
        // Its runtime library has to be of the same make as the one that Rust's code expects.
        return Ok(vec!["clang".into()]);
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let tool = cc::Build::new()
        .target(&triple)
        .host(&triple)
        .opt_level(0)
        .cargo_metadata(false)
        .try_get_compiler()
        .map_err(|error| error.to_string())?;
    Ok(vec![tool.path().to_string_lossy().into_owned()])
}

/// The cargo that builds the library: the one that built this test, or that of a toolchain in a
/// folder.
fn inner_cargo() -> Command {
    let Some(folder) = env("OXUV_TEST_TOOLCHAIN") else {
        return Command::new(env!("CARGO"));
    };
    let programs = Path::new(&folder).join("bin");
    let mut cargo = Command::new(programs.join("cargo"));
    cargo.env("RUSTC", programs.join("rustc"));
    cargo.env(
        "LD_LIBRARY_PATH",
        Path::new(&folder).join("lib/x86_64-linux-gnu"),
    );
    cargo.env_remove("RUSTUP_TOOLCHAIN");
    cargo
}

/// Whether the library is instrumented, or for another machine. Then the tests of the instruments
/// are skipped.
fn is_special() -> bool {
    env("OXUV_TEST_SANITIZER").is_some() || env("OXUV_TEST_TARGET").is_some()
}

/// Builds the instruments, and links to them where the library looks for them.
fn build_instruments(target: &Path, folders: &[&Path]) -> Result<()> {
    let mut cargo = inner_cargo();
    cargo
        .current_dir(root())
        .args(["build", "--package", "oxuv_diagnose", "--quiet"])
        .arg("--target-dir")
        .arg(target);
    for name in ["CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        cargo.env_remove(name);
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("cargo build of the instruments failed".into());
    }
    let built = target.join("debug/liboxuv_diagnose.so");
    for folder in folders {
        let folder = folder.join("oxuv");
        let link = folder.join("liboxuv_diagnose.so");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&built, &link).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Builds the library with this test's features, and says where it is.
fn build_library(target: &Path) -> Result<PathBuf> {
    let mut cargo = inner_cargo();
    cargo
        .current_dir(root())
        .args(["build", "--lib", "--no-default-features", "--quiet"])
        .arg("--target-dir")
        .arg(target);
    // What this test was run with is not for the inner build.
    for name in ["CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        cargo.env_remove(name);
    }
    if cfg!(feature = "portable-poller") {
        cargo.args(["--features", "portable-poller"]);
    }
    let mut folder = target.to_path_buf();
    if let Some(sanitizer) = env("OXUV_TEST_SANITIZER") {
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        cargo.args(["--target", &triple]);
        cargo.env("RUSTC_BOOTSTRAP", "1").env(
            "RUSTFLAGS",
            // The sanitizer cannot be put into std; its atomics are compiled into our code.
            format!("-Zsanitizer={sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer"),
        );
        folder.push(triple);
    }
    if let Some(target) = env("OXUV_TEST_TARGET") {
        cargo.args(["--target", &target]);
        folder.push(target);
    }
    if env("OXUV_TEST_RELEASE").is_some() {
        cargo.arg("--release");
        folder.push("release");
    } else {
        folder.push("debug");
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("cargo build failed".into());
    }
    let link = folder.join("libuv.so.1");
    if !link.exists() {
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink("libuv.so", &link).map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

/// Asks a program for its tests: lines of name, time limit and whether it must be alone.
fn list_tests(program: &Path, library: &Path) -> Result<Vec<Test>> {
    let output = Command::new(program)
        .arg("--list")
        .env("LD_LIBRARY_PATH", library)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{} --list: {}\n{errors}",
            program.display(),
            output.status
        ));
    }
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut next = || words.next().ok_or_else(|| format!("bad list line: {line}"));
            Ok(Test {
                name: next()?.into(),
                seconds: next()?
                    .parse()
                    .map_err(|_| format!("bad time limit: {line}"))?,
                is_serial: next()? == "serial",
                is_timed: next()? == "timed",
            })
        })
        .collect()
}
