//! The C programs of `xtask/faults/`, compiled against the library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::tools::{Library, run};

/// Files that are part of every program.
const FRAME: &[&str] = &["program", "allocator", "conditions"];

/// What a mutant adds to a program; see `mutants.rs`.
pub const MUTANTS: &str = "mutants";

pub struct Programs {
    /// Where they are.
    pub folder: PathBuf,
    pub names: Vec<String>,
}

impl Programs {
    /// Compiles all, each at most once for a version of its sources.
    pub fn build(root: &Path, library: &Library) -> Result<Programs, String> {
        let sources = root.join("xtask/faults");
        let folder = root.join("target/faults/programs");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut names = Vec::new();
        let entries = std::fs::read_dir(&sources)
            .map_err(|error| format!("{}: {error}", sources.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_program = path.extension().is_some_and(|end| end == "c")
                && !FRAME.contains(&&*name)
                && name != MUTANTS;
            if is_program {
                names.push(name.into_owned());
            }
        }
        names.sort();
        let programs = Programs { folder, names };
        programs.compile_all(&sources, library)?;
        Ok(programs)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Compiles what is older than any of the sources or headers.
    fn compile_all(&self, sources: &Path, library: &Library) -> Result<(), String> {
        let newest = newest_below(sources).max(newest_below(&library.include));
        let is_stale = |product: &Path| modified(product).is_none_or(|built| Some(built) < newest);
        let mut objects = Vec::new();
        for part in FRAME {
            let object = self.folder.join(part).with_extension("o");
            if is_stale(&object) {
                let mut cc = compiler(sources, library);
                run(cc
                    .arg("-c")
                    .arg(source(sources, part))
                    .arg("-o")
                    .arg(&object))?;
            }
            objects.push(object);
        }
        let mutants = self.folder.join("mutants.so");
        if is_stale(&mutants) {
            let mut cc = compiler(sources, library);
            cc.args(["-shared", "-fPIC"]).arg(source(sources, MUTANTS));
            run(cc.arg("-o").arg(mutants).arg("-ldl"))?;
        }
        for name in self.names.iter().filter(|name| is_stale(&self.path(name))) {
            let mut cc = compiler(sources, library);
            cc.arg(source(sources, name)).args(&objects);
            cc.arg("-o").arg(self.path(name));
            cc.arg(format!("-L{}", library.folder.display()));
            run(cc.args(["-luv", "-lpthread", "-lutil"]))?;
        }
        Ok(())
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|data| data.modified())
        .ok()
}

/// When the last C file of a folder or of its folders was changed.
fn newest_below(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter_map(|path| match path.is_dir() {
            true => newest_below(&path),
            false if path.extension().is_some_and(|end| end == "c" || end == "h") => {
                modified(&path)
            }
            false => None,
        })
        .max()
}

fn source(sources: &Path, name: &str) -> PathBuf {
    sources.join(name).with_extension("c")
}

fn compiler(sources: &Path, library: &Library) -> Command {
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g"]);
    cc.args(["-Wall", "-Wextra", "-Werror"]);
    cc.arg(format!("-I{}", sources.display()));
    cc.arg(format!("-I{}", library.include.display()));
    cc
}
