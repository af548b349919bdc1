//! `cargo xtask upstream`: libuv's own release, to compare with. Cargo fetches the sources
//! (`conformance/Cargo.toml` names the package), cmake builds them under `target/upstream/`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::targets::machine::Builder;
use crate::tools;

const PACKAGE: &str = "libuv-sys2";

/// Names a folder that holds a finished build; it is used as it is.
const OVERRIDE: &str = "OXUV_UPSTREAM";

/// A release build of libuv with `libuv.so.1`, `libuv.a`, its test runner `uv_run_tests`, and its
/// benchmarks: `uv_run_benchmarks_a` (static) and `uv_run_benchmarks` (shared, so that
/// `LD_LIBRARY_PATH` decides which library it runs on).
pub struct Upstream {
    pub source: PathBuf,
    pub build: PathBuf,
}

pub fn run(root: &Path) -> Outcome {
    let upstream = Upstream::ensure(root)?;
    println!("{}", upstream.build.display());
    Ok(())
}

impl Upstream {
    /// Builds what is not built yet.
    pub fn ensure(root: &Path) -> Result<Upstream, String> {
        if let Some(build) = std::env::var_os(OVERRIDE) {
            return Upstream::existing(Path::new(&build));
        }
        tools::need(&[("cc", "gcc"), ("make", "make"), ("cmake", "cmake")])?;
        let upstream = Upstream {
            source: source(root)?,
            build: root.join("target/upstream/build"),
        };
        upstream.make(&["-DCMAKE_BUILD_TYPE=Release", "-DLIBUV_BUILD_BENCH=ON"])?;
        upstream.link_benchmarks()?;
        Ok(upstream)
    }

    /// The library alone, with debug information, which describes its types.
    pub fn with_debug_information(root: &Path) -> Result<Upstream, String> {
        tools::need(&[("cc", "gcc"), ("make", "make"), ("cmake", "cmake")])?;
        let upstream = Upstream {
            source: source(root)?,
            build: root.join("target/upstream/debug"),
        };
        upstream.make(&["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DBUILD_TESTING=OFF"])?;
        Ok(upstream)
    }

    /// A release build for another kind of machine.
    pub fn of_machine(root: &Path, builder: &Builder) -> Result<Upstream, String> {
        tools::need(&[("make", "make"), ("cmake", "cmake")])?;
        let machine = builder.machine;
        let upstream = Upstream {
            source: source(root)?,
            build: builder.folder.join("libuv"),
        };
        upstream.make(&[
            "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_SYSTEM_NAME=Linux",
            &format!("-DCMAKE_SYSTEM_PROCESSOR={}", machine.processor),
            &format!("-DCMAKE_C_COMPILER={}", machine.compiler()),
        ])?;
        Ok(upstream)
    }

    /// The folder of its headers; nothing is built.
    pub fn headers(root: &Path) -> Result<PathBuf, String> {
        Ok(source(root)?.join("include"))
    }

    /// The shared library itself, not the links to it.
    pub fn library(&self) -> Result<PathBuf, String> {
        let link = self.build.join("libuv.so.1");
        link.canonicalize()
            .map_err(|error| format!("{}: {error}", link.display()))
    }

    fn existing(build: &Path) -> Result<Upstream, String> {
        let cache = build.join("CMakeCache.txt");
        let text = std::fs::read_to_string(&cache)
            .map_err(|error| format!("{OVERRIDE}: {}: {error}", cache.display()))?;
        let source = home_of_cache(&text).ok_or("CMakeCache.txt names no source folder")?;
        let upstream = Upstream {
            source,
            build: build.canonicalize().map_err(|error| error.to_string())?,
        };
        if !upstream.build.join("uv_run_benchmarks").exists() {
            upstream.link_benchmarks()?;
        }
        Ok(upstream)
    }

    fn make(&self, options: &[&str]) -> Outcome {
        let is_there = self.build.join("libuv.so.1").exists();
        let _building = (!is_there).then(|| terminal::working("building libuv's own release"));
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(&self.source);
        configure.arg("-B").arg(&self.build).args(options);
        tools::run(&mut configure)?;
        let jobs = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let mut build = Command::new("cmake");
        build.arg("--build").arg(&self.build);
        tools::run(build.args(["--parallel", &jobs.to_string()])).map(drop)
    }

    /// libuv builds its benchmarks against the static library only.
    fn link_benchmarks(&self) -> Outcome {
        let program = self.build.join("uv_run_benchmarks");
        let objects = objects(&self.build.join("CMakeFiles/uv_run_benchmarks_a.dir"))?;
        let mut link = Command::new("cc");
        link.arg("-o").arg(program).args(objects);
        link.arg("-L").arg(&self.build);
        link.arg(format!("-Wl,-rpath,{}", self.build.display()));
        tools::run(link.args([
            "-Wl,--enable-new-dtags",
            "-luv",
            "-lpthread",
            "-ldl",
            "-lrt",
        ]))
        .map(drop)
    }
}

/// Where cargo has put the sources, after fetching them if need be.
fn source(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = tools::run(
        Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .arg("--manifest-path")
            .arg(root.join("conformance/Cargo.toml")),
    )?;
    let metadata = String::from_utf8_lossy(&output.stdout);
    let manifest = manifest_path(&metadata, PACKAGE)
        .ok_or_else(|| format!("cargo metadata: nothing of {PACKAGE}"))?;
    Ok(manifest.with_file_name("libuv"))
}

/// The manifest of a package in what `cargo metadata` prints: the only path in it that lies in a
/// folder named after the package and ends so.
fn manifest_path(metadata: &str, package: &str) -> Option<PathBuf> {
    const KEY: &str = "\"manifest_path\":\"";
    let folder = format!("/{package}-");
    metadata
        .split(KEY)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains(&folder))
        .map(PathBuf::from)
}

/// The source folder that a build folder was configured for.
fn home_of_cache(cache: &str) -> Option<PathBuf> {
    cache
        .lines()
        .find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="))
        .map(PathBuf::from)
}

/// All object files below a folder.
pub fn objects(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(objects(&path)?);
        } else if path.extension() == Some(OsStr::new("o")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_package_in_the_metadata() {
        let metadata = r#"{"packages":[{"name":"cc","manifest_path":"/r/cc-1.2.0/Cargo.toml"},
            {"name":"libuv-sys2","manifest_path":"/r/libuv-sys2-1.53.1/Cargo.toml"}]}"#
            .replace('\n', "");
        assert_eq!(
            manifest_path(&metadata, "libuv-sys2"),
            Some(PathBuf::from("/r/libuv-sys2-1.53.1/Cargo.toml"))
        );
        assert_eq!(manifest_path(&metadata, "mio"), None);
    }

    #[test]
    fn finds_the_source_of_a_build() {
        let cache = "# comment\nCMAKE_HOME_DIRECTORY:INTERNAL=/a/libuv\nX:BOOL=ON\n";
        assert_eq!(home_of_cache(cache), Some(PathBuf::from("/a/libuv")));
        assert_eq!(home_of_cache(""), None);
    }
}
