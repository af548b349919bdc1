//! Common parts of the commands: building the library, compiling C programs against it, and finding
//! out which library a process has mapped.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Outcome;

/// The release build of the library, and the folder to point `LD_LIBRARY_PATH` at.
pub struct Library {
    pub folder: PathBuf,
    pub include: PathBuf,
}

impl Library {
    /// Builds the library in release profile, on the portable poller if asked for.
    pub fn build(root: &Path, portable: bool) -> Result<Library, String> {
        let name = if portable {
            "target/portable"
        } else {
            "target"
        };
        let _building = terminal::working("building the release library");
        let target = root.join(name);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo
            .current_dir(root)
            .args(["rustc", "--release", "--lib", "--no-default-features"])
            .args(["--crate-type", "cdylib,staticlib", "--quiet"]);
        cargo.arg("--target-dir").arg(&target);
        if portable {
            cargo.args(["--features", "portable-poller"]);
        }
        run(&mut cargo)?;
        Ok(Library {
            folder: target.join("release"),
            include: root.join("include"),
        })
    }

    /// The file that a program maps when it loads this library.
    pub fn file(&self) -> Result<PathBuf, String> {
        let link = self.folder.join("libuv.so.1");
        link.canonicalize()
            .map_err(|error| format!("{}: {error}", link.display()))
    }

    /// Compiles one C file with the system's compiler, `-I` on the headers and `-luv`.
    pub fn compile(&self, source: &Path, program: &Path) -> Outcome {
        run(Command::new("cc")
            .args(["-O2", "-Wall", "-o"])
            .arg(program)
            .arg(source)
            .arg(format!("-I{}", self.include.display()))
            .arg(format!("-L{}", self.folder.display()))
            .arg("-luv"))
        .map(drop)
    }

    /// A command that loads this library wherever it asks for `libuv.so.1`.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", &self.folder);
        command
    }
}

/// Runs a command to its end; what it printed, or why it failed.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        match error.kind() {
            std::io::ErrorKind::NotFound => format!("{program} is not installed"),
            _ => format!("{program}: {error}"),
        }
    })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{}: {}\n{}{}",
        command.get_program().to_string_lossy(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The version of the library.
pub fn version(root: &Path) -> Result<String, String> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))
        .map_err(|error| format!("Cargo.toml: {error}"))?;
    let mut lines = manifest.lines();
    let version = lines.find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version
        .map(String::from)
        .ok_or_else(|| "Cargo.toml: no version".into())
}

/// Fails for whoever is not root; `why` is what root is needed for.
pub fn need_root(why: &str) -> Outcome {
    match std::fs::metadata("/proc/self").map(|metadata| metadata.uid()) {
        Ok(0) => Ok(()),
        _ => Err(format!("needs root: {why}")),
    }
}

/// The source as it stands in the work tree, without what is not to be committed, copied to a folder.
pub fn copy_source(root: &Path, folder: &Path) -> Outcome {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let script = "git ls-files -z --cached --others --exclude-standard \
                  | while IFS= read -r -d '' file; do [ ! -e \"$file\" ] || printf '%s\\0' \"$file\"; done \
                  | tar --create --null --verbatim-files-from --files-from=- \
                  | tar --extract --directory=\"$1\"";
    run(Command::new("bash")
        .current_dir(root)
        .args(["-euo", "pipefail", "-c", script, "bash"])
        .arg(folder))
    .map(drop)
}

/// The `libuv.so` that a running process has mapped.
pub fn mapped_library(pid: u32) -> Result<PathBuf, String> {
    let path = format!("/proc/{pid}/maps");
    let maps = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    find_library(&maps).ok_or_else(|| format!("{path}: no libuv"))
}

/// The `libuv.so` of the lines of a `/proc/PID/maps`.
pub fn find_library(maps: &str) -> Option<PathBuf> {
    let is_ours = |path: &&str| path.contains("/libuv.so") || path.contains("/libuv-");
    maps.lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(is_ours)
        .map(PathBuf::from)
}

/// Makes sure that programs are there: each is a name on the path and the Debian package that
/// brings it. Root gets them installed; for others it is an error.
pub fn need(programs: &[(&str, &str)]) -> Outcome {
    let is_missing = |name: &str| {
        !std::env::var_os("PATH")
            .is_some_and(|paths| std::env::split_paths(&paths).any(|dir| dir.join(name).exists()))
    };
    let packages: Vec<&str> = programs
        .iter()
        .filter(|(name, _)| is_missing(name))
        .map(|(_, package)| *package)
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let missing = format!("missing programs: apt-get install {list}");
    if need_root("").is_err() || is_missing("apt-get") {
        return Err(missing);
    }
    let _installing = terminal::working(format_args!("installing {list}"));
    let install = || -> Outcome {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        run(Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&packages))
        .map(drop)
    };
    install().map_err(|_| missing)
}
