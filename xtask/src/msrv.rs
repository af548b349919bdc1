//! `cargo xtask msrv`: everything is built with the oldest Rust that the manifest allows. It is
//! Debian's, fetched as packages and unpacked under `target/rust/`; nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;
use crate::{Outcome, packages};

/// What of Debian's makes a toolchain: the compiler, cargo, and the standard library.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "libstd-rust-web-dev"];

/// A toolchain, of unpacked packages or installed.
pub struct Toolchain {
    /// The folder that has its `bin` and `lib`.
    folder: PathBuf,
    /// The release of Debian's packages, such as `1.85.0+dfsg3-1~deb12u3`.
    release: String,
}

pub fn run(root: &Path) -> Outcome {
    let toolchain = Toolchain::ensure(root)?;
    let target = root.join("target/msrv");
    for (what, arguments) in [
        ("the library", "build --release --lib --no-default-features"),
        (
            "all packages, tests and benchmarks",
            "check --workspace --all-targets",
        ),
        ("the portable poller", "check --features portable-poller"),
    ] {
        let _building = terminal::working(format_args!("building {what}"));
        let mut cargo = toolchain.cargo();
        cargo.current_dir(root).args(arguments.split(' '));
        cargo.args(["--quiet", "--locked", "--target-dir"]);
        tools::run(cargo.arg(&target))?;
    }
    Ok(())
}

impl Toolchain {
    /// The oldest Rust that the manifest allows. Fetches what is not there yet.
    pub fn ensure(root: &Path) -> Result<Toolchain, String> {
        let manifest = std::fs::read_to_string(root.join("Cargo.toml"))
            .map_err(|error| format!("Cargo.toml: {error}"))?;
        let wanted = rust_version(&manifest).ok_or("Cargo.toml names no rust-version")?;
        Toolchain::of_version(root, wanted)
    }

    /// A version of Rust that Debian has, such as 1.85.
    pub fn of_version(root: &Path, wanted: &str) -> Result<Toolchain, String> {
        tools::need(&[("apt-get", "apt"), ("cc", "gcc")])?;
        let release = release(wanted).or_else(|error| {
            tools::run(Command::new("apt-get").args(["update", "-qq"]))?;
            release(wanted).map_err(|_| error)
        })?;
        let names: Vec<String> = PACKAGES
            .iter()
            .map(|name| format!("{name}={release}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let unpacked = packages::unpack(&root.join("target/rust").join(wanted), &names)?;
        let toolchain = Toolchain {
            folder: unpacked.folder.join("usr"),
            release,
        };
        let version = tools::run(toolchain.cargo().arg("--version"))?;
        print!("{}", String::from_utf8_lossy(&version.stdout));
        Ok(toolchain)
    }

    /// The toolchain that is installed, if it has a standard library for a target.
    pub fn installed(target: &str) -> Result<Toolchain, String> {
        let print = |what: &str| {
            let output =
                tools::run(Command::new("rustc").args(["--target", target, "--print", what]))?;
            let path = String::from_utf8_lossy(&output.stdout);
            Ok::<_, String>(PathBuf::from(path.trim_end()))
        };
        if !print("target-libdir")?.exists() {
            return Err(format!(
                "rustc has no standard library for {target}, nor has Debian: rustup target add {target}"
            ));
        }
        Ok(Toolchain {
            folder: print("sysroot")?,
            release: String::new(),
        })
    }

    /// Fetches the standard library of another architecture of Debian's.
    pub fn add_target(&self, architecture: &str) -> Outcome {
        let package = format!("{}={}", PACKAGES[2], self.release);
        let root = self.folder.join("..");
        let lists = root.join("../foreign");
        packages::unpack_foreign(&root, &lists, architecture, &package)
    }

    /// The folder that has its `bin` and `lib`.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// This toolchain's cargo, which calls its compiler.
    pub fn cargo(&self) -> Command {
        let programs = self.folder.join("bin");
        let mut cargo = Command::new(programs.join("cargo"));
        self.prepare(&mut cargo);
        cargo
    }

    /// Has a command find this toolchain, and not the one that runs this program.
    pub fn prepare(&self, command: &mut Command) {
        let programs = self.folder.join("bin");
        let libraries = self.folder.join("lib/x86_64-linux-gnu");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("RUSTUP_") {
                command.env_remove(&*name);
            }
        }
        command
            .env("LD_LIBRARY_PATH", libraries)
            .env("RUSTC", programs.join("rustc"))
            .env("RUSTDOC", programs.join("rustdoc"))
            .env("CARGO", programs.join("cargo"));
    }
}

fn rust_version(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines();
    lines.find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
}

/// The release of Debian's package that has this version of Rust.
fn release(wanted: &str) -> Result<String, String> {
    let output = tools::run(Command::new("apt-cache").args(["madison", PACKAGES[0]]))?;
    find_release(&String::from_utf8_lossy(&output.stdout), wanted).ok_or_else(|| {
        format!(
            "apt-cache knows no {} {wanted}: Debian 12 has it",
            PACKAGES[0]
        )
    })
}

fn find_release(listed: &str, wanted: &str) -> Option<String> {
    let releases = listed
        .lines()
        .filter_map(|line| Some(line.split('|').nth(1)?.trim()));
    let prefix = format!("{wanted}.");
    releases
        .filter(|release| release.starts_with(&prefix))
        .map(String::from)
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_with_the_wanted_version_is_found() {
        let listed = "rustc-web | 1.96.0+dfsg1-1~deb12u2 | somewhere Packages\n\
                      rustc-web | 1.85.0+dfsg3-1~deb12u3 | somewhere Packages\n";
        assert_eq!(
            find_release(listed, "1.85").as_deref(),
            Some("1.85.0+dfsg3-1~deb12u3")
        );
        assert_eq!(find_release(listed, "1.8"), None);
    }

    #[test]
    fn the_manifest_names_the_oldest_rust() {
        assert_eq!(rust_version("[a]\nrust-version = \"1.85\"\n"), Some("1.85"));
        assert_eq!(rust_version("rust-version.workspace = true"), None);
    }
}
