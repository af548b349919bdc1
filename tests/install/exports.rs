//! The names that the built libraries export.

use std::collections::BTreeSet;
use std::process::Command;

use abi_tables::prototypes;

use super::{build_dir, installed, prefix, root, text};

fn prototype_names() -> BTreeSet<String> {
    let prototypes = prototypes::read(root()).unwrap();
    prototypes.into_iter().map(|p| p.name).collect()
}

/// The names that the shared library exports.
fn exported() -> BTreeSet<String> {
    let library = build_dir().join("libuv.so");
    let symbols = text(
        Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(library),
    );
    let names = symbols.lines().map(|l| l.rsplit(' ').next().unwrap());
    names.map(str::to_string).collect()
}

#[test]
fn the_shared_library_has_the_soname_of_libuv() {
    let library = build_dir().join("libuv.so");
    let dynamic = text(Command::new("readelf").arg("-d").arg(library));
    assert!(
        dynamic.contains("Library soname: [libuv.so.1]"),
        "{dynamic}"
    );
}

#[test]
fn only_functions_of_the_header_are_exported() {
    let exported = exported();
    assert!(exported.contains("uv_version"));
    let strangers: Vec<_> = exported.difference(&prototype_names()).cloned().collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

/// Packages that are built against Debian's package depend on it by this list.
#[test]
fn debian_symbols_are_the_functions_of_the_header() {
    let file = std::fs::read_to_string(root().join("debian/libuv1.symbols")).unwrap();
    let listed = file.lines().filter_map(|line| line.strip_prefix(' '));
    let names: BTreeSet<String> = listed
        .map(|line| line.split('@').next().unwrap().to_string())
        .collect();
    assert_eq!(names, prototype_names());
}

#[test]
fn every_function_of_the_header_is_exported() {
    let missing: Vec<_> = prototype_names().difference(&exported()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// `readelf` rather than `nm`, which cannot read the objects of a link-time-optimised archive.
#[test]
fn the_archive_has_what_the_shared_library_exports() {
    let archive = build_dir().join("libuv.a");
    let symbols = text(Command::new("readelf").arg("-sW").arg(archive));
    let mut defined = BTreeSet::new();
    for line in symbols.lines() {
        // Num: Value Size Type Bind Vis Ndx Name
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns[..] {
            [_, _, _, _, "GLOBAL", _, "UND", _] => (),
            [_, _, _, _, "GLOBAL", _, _, name] if name.starts_with("uv_") => {
                defined.insert(name.to_string());
            }
            _ => (),
        }
    }
    assert_eq!(defined, exported());
}

#[test]
fn the_installed_archive_shows_functions_of_libuv_only() {
    if !installed("make") {
        return;
    }
    let archive = prefix().join("lib/libuv.a");
    let defined = text(
        Command::new("nm")
            .args(["--defined-only", "--extern-only", "--format=posix"])
            .arg(archive),
    );
    let symbols = defined.lines().filter(|line| line.contains(' '));
    let functions: BTreeSet<String> = symbols
        .map(|line| line.split(' ').next().unwrap().to_string())
        .collect();
    assert_eq!(functions, exported());
}
