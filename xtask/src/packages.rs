//! Packages of Debian's: fetched by apt-get and unpacked into a folder, never installed.
//!
//! What is fetched is what an empty system would need besides what this one has in the same
//! version, so that the result hardly depends on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::tools::run;

/// Packages in a folder.
pub struct Unpacked {
    pub folder: PathBuf,
    versions: BTreeMap<String, String>,
}

impl Unpacked {
    /// The version of a package, which may be the machine's own.
    pub fn version(&self, package: &str) -> String {
        self.versions.get(package).cloned().unwrap_or_default()
    }
}

/// A package in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// The file that apt-get makes of it.
    file: String,
}

/// Fetches packages, with what they depend on, and unpacks them under `folder`. A name may have a
/// version behind `=`.
pub fn unpack(folder: &Path, names: &[&str]) -> Result<Unpacked, String> {
    let archives = folder.join("archives");
    make_folder(&archives)?;
    // One attempt with the lists that the machine has, one with new ones.
    let (all, missing) = fetch(&archives, names).or_else(|_| {
        let _updating = terminal::working("updating the lists of packages");
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        fetch(&archives, names)
    })?;
    let root = folder.join("packages");
    unpack_into(&root, &archives, &missing)?;
    // Mounts of their own in containers, which the folder laid over /etc would hide.
    for name in ["hosts", "hostname", "resolv.conf"] {
        let _ = fs::copy(Path::new("/etc").join(name), root.join("etc").join(name));
    }
    Ok(Unpacked {
        folder: root,
        versions: all
            .into_iter()
            .map(|package| (package.name, package.version))
            .collect(),
    })
}

/// Fetches one package of another architecture, without what it depends on, and unpacks it into
/// `root`. apt gets lists of its own for that, in `folder`: the machine's do not change.
pub fn unpack_foreign(root: &Path, folder: &Path, architecture: &str, name: &str) -> Outcome {
    let stamps = root.join("unpacked-foreign");
    let stamp = stamps.join(format!("{name}:{architecture}"));
    if stamp.exists() {
        return Ok(());
    }
    println!("fetching {name} of {architecture}");
    let archives = folder.join(architecture);
    let _ = fs::remove_dir_all(&archives);
    make_folder(&archives.join("lists/partial"))?;
    make_folder(&archives.join("cache/archives/partial"))?;
    // It fails if one suite of several cannot be read; the package may be in another.
    let updated = foreign_apt(&archives, architecture, &["update", "-qq"]);
    let (name, version) = name.split_once('=').unwrap_or((name, ""));
    let wanted = match version {
        "" => format!("{name}:{architecture}"),
        version => format!("{name}:{architecture}={version}"),
    };
    foreign_apt(&archives, architecture, &["download", "-qq", &wanted])
        .map_err(|error| updated.err().unwrap_or(error))?;
    let is_package = |file: &String| file.ends_with(&format!("_{architecture}.deb"));
    let file = names_in(&archives)
        .into_iter()
        .find(is_package)
        .ok_or_else(|| format!("apt-get download made no file of {wanted}"))?;
    unpack_file(root, &archives.join(file))?;
    make_folder(&stamps)?;
    fs::write(&stamp, "").map_err(|error| format!("{}: {error}", stamp.display()))
}

/// Runs apt-get as on a machine that has packages of another architecture as well.
fn foreign_apt(folder: &Path, architecture: &str, arguments: &[&str]) -> Outcome {
    let mut apt = Command::new("apt-get");
    apt.current_dir(folder);
    for (name, value) in [
        ("APT::Architectures::", "amd64"),
        ("APT::Architectures::", architecture),
        ("APT::Sandbox::User", "root"),
        ("Acquire::Languages", "none"),
        ("Debug::NoLocking", "1"),
        ("Dir::State::lists", &folder.join("lists").to_string_lossy()),
        ("Dir::Cache", &folder.join("cache").to_string_lossy()),
    ] {
        apt.arg("-o").arg(format!("{name}={value}"));
    }
    run(apt.args(arguments)).map(drop)
}

/// All packages, and those of them that the machine does not have, which are in `archives` then.
fn fetch(archives: &Path, names: &[&str]) -> Result<(Vec<Package>, Vec<Package>), String> {
    let all = resolve(archives, names)?;
    let installed = installed()?;
    let missing: Vec<Package> = all
        .iter()
        .filter(|package| installed.get(&package.name) != Some(&package.version))
        .cloned()
        .collect();
    let absent: Vec<&Package> = missing
        .iter()
        .filter(|package| !archives.join(&package.file).exists())
        .collect();
    if !absent.is_empty() {
        let _fetching = terminal::working(format_args!("fetching {} packages", absent.len()));
        run(Command::new("apt-get")
            .current_dir(archives)
            .args(["download", "-qq", "-o", "APT::Sandbox::User=root"])
            .args(
                absent
                    .iter()
                    .map(|package| format!("{}={}", package.name, package.version)),
            ))?;
    }
    for package in absent {
        if !archives.join(&package.file).exists() {
            return Err(format!("apt-get download made no {}", package.file));
        }
    }
    Ok((all, missing))
}

/// The packages that an empty system would get.
fn resolve(archives: &Path, names: &[&str]) -> Result<Vec<Package>, String> {
    // Nothing is installed, and nothing is fetched: what is would not be listed.
    let nothing = archives.join("nothing");
    make_folder(&nothing)?;
    let status = nothing.join("status");
    fs::write(&status, "").map_err(|error| format!("{}: {error}", status.display()))?;
    let output = run(Command::new("apt-get")
        .args(["install", "--print-uris", "-qq", "-y"])
        .arg("--no-install-recommends")
        .args(["-o", "Debug::NoLocking=1", "-o"])
        .arg(format!("Dir::State::status={}", status.display()))
        .arg("-o")
        .arg(format!("Dir::Cache::archives={}/", nothing.display()))
        .args(names))?;
    let packages = parse_uris(&String::from_utf8_lossy(&output.stdout));
    let is_there = |name: &str| packages.iter().any(|package| package.name == name);
    match names
        .iter()
        .find(|name| !is_there(name.split('=').next().unwrap_or(name)))
    {
        None => Ok(packages),
        Some(name) => Err(format!("apt-get knows no package {name}")),
    }
}

/// The packages in the output of `apt-get --print-uris`.
fn parse_uris(text: &str) -> Vec<Package> {
    let parse = |line: &str| -> Option<Package> {
        let file = line.split_whitespace().nth(1)?;
        let mut parts = file.strip_suffix(".deb")?.split('_');
        let (name, version) = (parts.next()?, parts.next()?);
        Some(Package {
            name: name.to_string(),
            version: version.replace("%3a", ":"),
            file: file.to_string(),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// The versions of the installed packages.
fn installed() -> Result<BTreeMap<String, String>, String> {
    let output = run(Command::new("dpkg-query").args([
        "-W",
        "-f",
        "${db:Status-Status} ${Package} ${Version}\\n",
    ]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(parse_installed).collect())
}

fn parse_installed(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let is_installed = words.next()? == "installed";
    let (name, version) = (words.next()?, words.next()?);
    is_installed.then(|| (name.to_string(), version.to_string()))
}

/// Unpacks the packages that are not there yet. A package in another version than before starts the
/// folder anew, since files of the old one would stay.
fn unpack_into(root: &Path, archives: &Path, packages: &[Package]) -> Outcome {
    let stamps = root.join("unpacked");
    let is_stale = |file: String| {
        packages
            .iter()
            .any(|package| file.starts_with(&format!("{}_", package.name)) && file != package.file)
    };
    if names_in(&stamps).into_iter().any(is_stale) {
        fs::remove_dir_all(root).map_err(|error| format!("{}: {error}", root.display()))?;
    }
    make_folder(&stamps)?;
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        make_folder(&root.join("usr").join(name))?;
        let link = root.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(format!("usr/{name}"), &link)
                .map_err(|error| format!("{}: {error}", link.display()))?;
        }
    }
    make_folder(&root.join("etc"))?;
    for package in packages {
        let stamp = stamps.join(&package.file);
        if stamp.exists() {
            continue;
        }
        unpack_file(root, &archives.join(&package.file))?;
        fs::write(&stamp, "").map_err(|error| format!("{}: {error}", stamp.display()))?;
    }
    Ok(())
}

/// Not by `dpkg-deb -x`, which would put folders in place of links.
fn unpack_file(root: &Path, archive: &Path) -> Outcome {
    run(Command::new("sh")
        .args(["-ec", UNPACK, "sh"])
        .arg(archive)
        .arg(root))
    .map(drop)
}

const UNPACK: &str = r#"
dpkg-deb --fsys-tarfile "$1" > "$2/archive.tar"
tar -x --keep-directory-symlink --no-same-owner -C "$2" -f "$2/archive.tar"
rm "$2/archive.tar"
"#;

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn make_folder(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_apt_get_are_read() {
        let text = "'http://a/gcc-12-base_12.2.0-14%2bdeb12u1_amd64.deb' \
                    gcc-12-base_12.2.0-14+deb12u1_amd64.deb 37596 MD5Sum:8e\n\
                    'http://a/bind9_9.18_amd64.deb' bind9_1%3a9.18-1~deb12u3_amd64.deb 1 MD5Sum:0\n\
                    nothing of use\n";
        let packages = parse_uris(text);
        let read: Vec<(&str, &str)> = packages
            .iter()
            .map(|package| (package.name.as_str(), package.version.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("gcc-12-base", "12.2.0-14+deb12u1"),
                ("bind9", "1:9.18-1~deb12u3")
            ]
        );
        assert_eq!(packages[1].file, "bind9_1%3a9.18-1~deb12u3_amd64.deb");
    }

    #[test]
    fn only_what_is_installed_counts() {
        let of = |line| parse_installed(line).map(|(name, version)| format!("{name} {version}"));
        assert_eq!(
            of("installed make 4.3-4.1").as_deref(),
            Some("make 4.3-4.1")
        );
        assert_eq!(of("config-files make 4.3-4.1"), None);
        assert_eq!(of("not-installed make "), None);
    }
}
