//! Builds the library as it ships and the programs of `benches/`, and finds libuv to measure
//! against.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{compile, is_up_to_date};
use bench_results::Result;

/// Files of `benches/` that are part of every program.
const COMMON: &str = "bench.c";

const SONAME: &str = "libuv.so.1";
const OURS: &str = "oxuv";
const LIBUV: &str = "libuv";

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where programs, inner builds and the files of benchmarks go: a real disk, if the checkout is.
pub fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("benches")
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A shared library under measurement.
#[derive(Clone, Debug)]
pub struct Library {
    /// The folder for `LD_LIBRARY_PATH`: it has nothing but a link to the library in it.
    pub folder: PathBuf,
    /// The file that a program must have mapped.
    pub file: PathBuf,
    /// The folder that it was built in.
    pub built: PathBuf,
}

impl Library {
    /// The library that was built in `built`. It is loaded from a folder of its own: libuv's runner
    /// names libuv's build folder in itself, so that a process finds the libraries there with fewer
    /// calls.
    fn loaded_as(name: &str, built: &Path) -> Result<Library> {
        let path = built.join(SONAME);
        let to_text = |error| format!("{}: {error}", path.display());
        let file = path.canonicalize().map_err(to_text)?;
        let folder = scratch().join("loaded").join(name);
        std::fs::create_dir_all(&folder).map_err(to_text)?;
        // In one step: another measurement may be under way.
        let new = folder.join(format!("{SONAME}.{}", std::process::id()));
        std::os::unix::fs::symlink(&file, &new).map_err(to_text)?;
        std::fs::rename(&new, folder.join(SONAME)).map_err(to_text)?;
        let built = built.to_path_buf();
        Ok(Library {
            folder,
            file,
            built,
        })
    }

    /// This library in release profile. Not the one that `cargo bench` built beside this program:
    /// cargo lets that unwind.
    pub fn ours() -> Result<Library> {
        if let Some(folder) = env("OXUV_BENCH_LIBRARY") {
            return Library::loaded_as(OURS, folder.as_ref());
        }
        let target = scratch().join("library");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(root())
            .args(["rustc", "--lib", "--no-default-features", "--release"])
            // As `make` does: with a Rust library beside them, these are compiled otherwise.
            .args(["--crate-type", "cdylib,staticlib"])
            .args(["--quiet", "--target-dir"])
            .arg(&target);
        for name in ["CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
            cargo.env_remove(name);
        }
        let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
        if !status.success() {
            return Err("cargo build failed".into());
        }
        Library::loaded_as(OURS, &target.join("release"))
    }

    /// libuv's own, from `OXUV_UPSTREAM` or made by `cargo xtask upstream`.
    pub fn upstream() -> Result<Library> {
        if let Some(folder) = env("OXUV_UPSTREAM") {
            return Library::loaded_as(LIBUV, folder.as_ref());
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["xtask", "upstream"]);
        let output = cargo.output().map_err(|error| format!("cargo: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let folder = text.lines().last().unwrap_or_default().trim();
        if !output.status.success() || folder.is_empty() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "no libuv to measure against: set OXUV_UPSTREAM to a build folder of libuv 1.53\n{errors}"
            ));
        }
        Library::loaded_as(LIBUV, folder.as_ref())
    }
}

/// A built file of `benches/` or `benches/bare/`.
pub struct Program {
    pub name: String,
    pub path: PathBuf,
}

pub struct Programs {
    pub on_libuv: Vec<Program>,
    pub bare: Vec<Program>,
}

impl Programs {
    pub fn build(library: &Library) -> Result<Programs> {
        let folder = root().join("benches");
        let bare = folder.join("bare");
        let build = |sources: Vec<PathBuf>, library: Option<&Library>| {
            sources
                .iter()
                .map(|source| program(source, library))
                .collect::<Result<Vec<Program>>>()
        };
        Ok(Programs {
            on_libuv: build(sources(&folder)?, Some(library))?,
            bare: build(sources(&bare)?, None)?,
        })
    }
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    Ok(files)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = files(folder, "c")?;
    found.retain(|path| path.file_name().is_some_and(|name| name != COMMON));
    Ok(found)
}

/// Without a library, a bare program.
fn program(source: &Path, library: Option<&Library>) -> Result<Program> {
    let name = source
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let folder = scratch().join(if library.is_some() {
        "programs"
    } else {
        "bare"
    });
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let path = folder.join(&name);
    let mut command = vec![std::env::var("CC").unwrap_or("cc".into())];
    let flags = "-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror";
    command.extend(flags.split(' ').map(String::from));
    let common = root().join("benches").join(COMMON);
    command.push(format!("-I{}", root().join("include").display()));
    for part in [source, &common] {
        command.push(part.display().to_string());
    }
    command.extend(["-o".into(), path.display().to_string()]);
    if let Some(library) = library {
        command.push(library.folder.join(SONAME).display().to_string());
    }
    command.extend(["-lpthread", "-ldl", "-lm"].map(String::from));
    let mut inputs = vec![source.to_path_buf(), common];
    inputs.extend(files(&root().join("benches"), "h")?);
    inputs.extend(files(&root().join("include"), "h")?);
    inputs.extend(files(&root().join("include/uv"), "h")?);
    if !is_up_to_date(&path, &command, &inputs) {
        compile(&command, &path)?;
    }
    Ok(Program { name, path })
}
