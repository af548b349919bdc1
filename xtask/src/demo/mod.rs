//! `cargo xtask demo`: the library at its main job. Unchanged C programs run on it, do
//! network, file and thread-pool work with real files on loopback, and are checked.

mod cmake;
mod examples;
mod terminal;

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::tools::{self, Library};

/// The library and the folders that the steps use.
struct Demo {
    root: PathBuf,
    library: Library,
    /// The file that every program has to have mapped.
    file: PathBuf,
    /// Programs and files of the demo.
    folder: PathBuf,
}

/// The program that ran, and its result.
struct Report {
    mapped: PathBuf,
    result: String,
}

type Step = (&'static str, fn(&Demo) -> Result<Report, String>);

const STEPS: &[Step] = &[
    ("echo server and client over TCP", examples::echo_tcp),
    (
        "echo server and client over a Unix socket",
        examples::echo_unix,
    ),
    (
        "file server: loop, files, pool and TCP",
        examples::file_server,
    ),
    ("timers while the pool works", examples::timers_and_work),
    (
        "10,000 connections on one thread",
        examples::many_connections,
    ),
    ("a session at a terminal, under script", terminal::session),
    (
        "cmake of Debian configures, builds and tests a project",
        cmake::project,
    ),
];

#[derive(clap::Args)]
pub struct Options {
    /// On the portable poller
    #[arg(long = "portable-poller")]
    portable: bool,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    tools::need(&[
        ("cc", "gcc"),
        ("make", "make"),
        ("cmake", "cmake"),
        ("script", "bsdutils"),
    ])?;
    let library = Library::build(root, options.portable)?;
    let file = library.file()?;
    let folder = root.join("target/demo");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let demo = Demo {
        root: root.to_path_buf(),
        library,
        file,
        folder,
    };
    let mut failed = 0;
    for (what, step) in STEPS {
        println!("{what}");
        match step(&demo).and_then(|report| demo.check(report)) {
            Ok(()) => {}
            Err(error) => {
                failed += 1;
                println!("  FAILED  {error}");
            }
        }
    }
    if failed > 0 {
        return Err(format!("{failed} of {} steps failed", STEPS.len()));
    }
    println!("all {} steps passed", STEPS.len());
    Ok(())
}

impl Demo {
    fn check(&self, report: Report) -> Outcome {
        let shown = report
            .mapped
            .strip_prefix(&self.root)
            .unwrap_or(&report.mapped);
        println!("  mapped  {}", shown.display());
        println!("  right   {}", report.result);
        if report.mapped != self.file {
            return Err("another library was mapped".into());
        }
        Ok(())
    }

    /// Compiles an example; the program.
    fn example(&self, name: &str) -> Result<PathBuf, String> {
        let program = self.folder.join(name);
        let source = self.root.join("examples").join(name).with_extension("c");
        self.library.compile(&source, &program)?;
        Ok(program)
    }
}
