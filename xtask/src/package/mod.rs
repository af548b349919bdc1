//! `cargo xtask package`: Debian's source package, with the crates that a build without a network
//! needs, under `target/debian/`. With `--build` the packages themselves are built, and tried: for
//! this machine or, with `--machine`, for one of another kind.

mod binary;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::targets::machine;
use crate::targets::machine::Machine;
use crate::tools;

/// Debian's packages of one version of this project, in `folder`.
pub struct Package {
    folder: PathBuf,
    /// The kind of machine that it is for, if it is not this one's.
    machine: Option<&'static Machine>,
    /// Such as `1.53.0+oxuv.1-1`.
    version: String,
    /// The time of the last entry of `debian/changelog`, which files get.
    date: String,
}

#[derive(clap::Args)]
pub struct Options {
    /// Build the packages from it as well, without a network, and try them
    #[arg(long)]
    build: bool,
    /// Build them for another kind of machine, by Debian's name such as arm64
    #[arg(long, value_name = "NAME", requires = "build", value_parser = machine)]
    machine: Option<&'static Machine>,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    let package = Package::source(root, options.machine)?;
    println!("{}", package.file("dsc").display());
    if options.build {
        package.build(root)?;
        package.check(root)?;
    }
    Ok(())
}

impl Package {
    /// Makes the source package.
    fn source(root: &Path, machine: Option<&'static Machine>) -> Result<Package, String> {
        tools::need(&[
            ("dpkg-source", "dpkg-dev"),
            ("dh", "debhelper"),
            ("git", "git"),
            ("xz", "xz-utils"),
        ])?;
        let package = Package::read(root, machine)?;
        let tree = package.tree();
        let _collecting = terminal::working("collecting the source and its crates");
        let _ = std::fs::remove_dir_all(&package.folder);
        tools::copy_source(root, &tree)?;
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        tools::run(Command::new(cargo).current_dir(&tree).args([
            "vendor",
            "--quiet",
            "--locked",
            "--versioned-dirs",
        ]))?;
        package.pack(&["--exclude=./debian", "--exclude=./vendor", "."], "orig")?;
        package.pack(&["vendor"], "orig-vendor")?;
        tools::run(
            Command::new("dpkg-source")
                .current_dir(&package.folder)
                .args(["--build", "-q"])
                .arg(&tree),
        )?;
        Ok(package)
    }

    /// The packages, which are built where they are not there.
    pub fn built(root: &Path) -> Result<Package, String> {
        let package = Package::read(root, None)?;
        if package.deb(binary::NAMES[0]).exists() {
            return Ok(package);
        }
        let package = Package::source(root, None)?;
        package.build(root)?;
        Ok(package)
    }

    /// What the changelog says, which has to fit the manifest.
    fn read(root: &Path, machine: Option<&'static Machine>) -> Result<Package, String> {
        let changelog = root.join("debian/changelog");
        let text = std::fs::read_to_string(&changelog)
            .map_err(|error| format!("{}: {error}", changelog.display()))?;
        let (version, date) = newest(&text).ok_or("debian/changelog: no entry")?;
        let libuv = tools::version(root)?;
        if !version.starts_with(&format!("{libuv}+oxuv.")) {
            return Err(format!(
                "debian/changelog: {version}, while Cargo.toml says {libuv}"
            ));
        }
        Ok(Package {
            folder: match machine {
                Some(machine) => root.join(format!("target/debian-{}", machine.name)),
                None => root.join("target/debian"),
            },
            machine,
            version: version.to_string(),
            date: date.to_string(),
        })
    }

    /// The version without Debian's own part.
    fn upstream(&self) -> &str {
        self.version.rsplit_once('-').map_or("", |parts| parts.0)
    }

    fn tree(&self) -> PathBuf {
        self.folder.join(format!("oxuv-{}", self.upstream()))
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("oxuv_{}.{ending}", self.version))
    }

    /// A binary package.
    pub fn deb(&self, name: &str) -> PathBuf {
        let architecture = self.architecture();
        self.folder
            .join(format!("{name}_{}_{architecture}.deb", self.version))
    }

    fn architecture(&self) -> &'static str {
        self.machine.map_or("amd64", |machine| machine.name)
    }

    /// Packs a part of the tree, the same way each time.
    fn pack(&self, what: &[&str], part: &str) -> Outcome {
        let archive = format!("oxuv_{}.{part}.tar.xz", self.upstream());
        tools::run(
            Command::new("tar")
                .arg("--create")
                .arg("--file")
                .arg(self.folder.join(archive))
                .arg("--directory")
                .arg(self.tree())
                .arg("--use-compress-program=xz -3 -T0")
                .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
                .args(["--mode=go=rX,u+rw,a-s", "--format=gnu"])
                .arg(format!("--mtime={}", self.date))
                .args(what),
        )
        .map(drop)
    }
}

/// The version of the first entry of a changelog, and its time.
pub fn newest(changelog: &str) -> Option<(&str, &str)> {
    let version = changelog.split_once('(')?.1.split_once(')')?.0;
    let mut lines = changelog.lines();
    let signature = lines.find_map(|line| line.strip_prefix(" -- "))?;
    Some((version, signature.split_once(">  ")?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_of_a_changelog_counts() {
        let text = "oxuv (2.0+oxuv.1-1) unstable; urgency=medium\n\n  * A (change).\n\n \
                    -- N <n@n>  Mon, 30 Nov 2026 12:00:00 +0000\n\n\
                    oxuv (1.0-1) unstable; urgency=medium\n\n -- O <o@o>  Sun, 1 Nov 2026\n";
        let (version, date) = newest(text).unwrap();
        assert_eq!(version, "2.0+oxuv.1-1");
        assert_eq!(date, "Mon, 30 Nov 2026 12:00:00 +0000");
        assert_eq!(newest(""), None);
    }
}
