//! `cargo xtask reproducible`: two builds of the same source in two folders are the same, byte by
//! byte, in everything that is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::tools;

/// Their names differ in length, which moves what comes behind a path.
const FOLDERS: [&str; 2] = ["one", "another-folder"];

/// The shared library, and what it may have at most.
const LIBRARY: &str = "usr/lib/libuv.so.1.0.0";
// 260 kB of 1,024 bytes: compilers differ by some hundred bytes.
const MOST_BYTES: usize = 260 * 1024;
const MOST_RELOCATIONS: usize = 400;

/// What files hold, by their names below a folder.
type Files = BTreeMap<PathBuf, Vec<u8>>;

pub fn run(root: &Path) -> Outcome {
    tools::need(&[
        ("cc", "gcc"),
        ("git", "git"),
        ("make", "make"),
        ("objcopy", "binutils"),
        ("readelf", "binutils"),
    ])?;
    let mut sides = Vec::new();
    for name in FOLDERS {
        let _building = terminal::working(format_args!("building in {name}"));
        sides.push(build(root, &root.join("target/reproducible").join(name))?);
    }
    let differences = differences(&sides[0], &sides[1]);
    if !differences.is_empty() {
        return Err(format!("not the same: {}", differences.join(" ")));
    }
    println!("{} installed files are equal", sides[0].len());
    let installed = root.join("target/reproducible").join(FOLDERS[0]);
    check_size(&installed.join("installed").join(LIBRARY))
}

/// Fails where the shared library has grown too large.
fn check_size(library: &Path) -> Outcome {
    let metadata = std::fs::metadata(library);
    let bytes = metadata
        .map_err(|error| format!("{LIBRARY}: {error}"))?
        .len() as usize;
    let output = tools::run(Command::new("readelf").args(["-rW"]).arg(library))?;
    let relocations = count_relocations(&String::from_utf8_lossy(&output.stdout));
    println!("the shared library has {bytes} bytes and {relocations} relocations");
    if bytes > MOST_BYTES || relocations > MOST_RELOCATIONS {
        return Err(format!(
            "more than {MOST_BYTES} bytes or {MOST_RELOCATIONS} relocations"
        ));
    }
    Ok(())
}

/// The relocations that `readelf -r` lists.
fn count_relocations(listed: &str) -> usize {
    let is_one = |line: &&str| {
        line.split_whitespace()
            .nth(2)
            .is_some_and(|kind| kind.starts_with("R_"))
    };
    listed.lines().filter(is_one).count()
}

/// Builds and installs a copy of the source; what was installed.
fn build(root: &Path, folder: &Path) -> Result<Files, String> {
    let source = folder.join("source");
    tools::copy_source(root, &source)?;
    let installed = folder.join("installed");
    let _ = std::fs::remove_dir_all(&installed);
    // One after the other: the files to install are named when make has read its rules.
    for goals in [&["all"][..], &["install", "install-debug"]] {
        tools::run(
            Command::new("make")
                .current_dir(&source)
                .env_remove("CARGO_TARGET_DIR")
                .env_remove("MAKEFLAGS")
                .args(goals)
                .arg("PREFIX=/usr")
                .arg(format!("DESTDIR={}", installed.display())),
        )?;
    }
    let mut files = Files::new();
    read(&installed, &installed, &mut files).map_err(|error| error.to_string())?;
    Ok(files)
}

fn read(root: &Path, folder: &Path, files: &mut Files) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        files.insert(name, std::fs::read(&path)?);
    }
    Ok(())
}

/// What one side lacks, or has otherwise.
fn differences(one: &Files, other: &Files) -> Vec<String> {
    let mut names: Vec<&PathBuf> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| one.get(*name) != other.get(*name));
    names
        .iter()
        .map(|name| name.display().to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relocations_are_counted() {
        let listed = "Relocation section '.rela.dyn' at offset 0x60a0 contains 2 entries:\n\
            \x20   Offset   Info   Type\n\
            000000000005a608  0000000000000008 R_X86_64_RELATIVE                         c470\n\
            000000000005c230  0000000100000006 R_X86_64_GLOB_DAT 0 free@GLIBC_2.2.5 + 0\n";
        assert_eq!(count_relocations(listed), 2);
    }

    #[test]
    fn what_differs_is_named() {
        let files = |list: &[(&str, &str)]| -> Files {
            let pair = |(name, text): &(&str, &str)| (name.into(), text.as_bytes().to_vec());
            list.iter().map(pair).collect()
        };
        let one = files(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert!(differences(&one, &one).is_empty());
        assert_eq!(
            differences(&one, &files(&[("a", "1"), ("b", "x")])),
            ["b", "c"]
        );
        assert_eq!(differences(&Files::new(), &files(&[("d", "")])), ["d"]);
    }
}
