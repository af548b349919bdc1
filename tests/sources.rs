//! Rules about the library's own sources that the compiler does not check.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use abi_tables::prototypes;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The words of a line of Rust before its comment, and what stands before each.
fn words(line: &str) -> Vec<(&str, &str)> {
    let code = line.split("//").next().unwrap();
    let is_word = |at: char| at.is_ascii_alphanumeric() || at == '_';
    code.split(|at| !is_word(at))
        .filter(|word| !word.is_empty())
        .map(|word| {
            (
                word,
                &code[..word.as_ptr() as usize - code.as_ptr() as usize],
            )
        })
        .collect()
}

/// `file:line: word` wherever a word breaks a rule, which knows what stands before the word.
fn breaches(is_breach: impl Fn(&Path, &str, &str) -> bool) -> Vec<String> {
    let mut files = Vec::new();
    files_below(&root().join("src"), &mut files);
    assert!(files.len() > 50, "the sources are not found any more");
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (word, before) in words(line) {
                if is_breach(name, word, before) {
                    found.push(format!("{}:{}: {word}", name.display(), number + 1));
                }
            }
        }
    }
    found
}

/// Whether an exported function is used: its name stands anywhere but where it is defined.
fn uses_exported(functions: &BTreeSet<String>, word: &str, before: &str) -> bool {
    functions.contains(word) && !before.trim_end().ends_with("fn") && !before.ends_with('"')
}

/// Another library in the process may have functions of the same names (a plugin's own libuv, say),
/// and a program error is reported by the name of the function that the program called.
#[test]
fn no_exported_function_is_called_inside_the_library() {
    let functions = prototypes::read(root()).unwrap();
    let functions: BTreeSet<String> = functions.into_iter().map(|it| it.name).collect();
    assert_eq!(functions.len(), 319);
    let found = breaches(|_, word, before| uses_exported(&functions, word, before));
    assert!(found.is_empty(), "call the method instead: {found:#?}");
}

/// Only three folders have lines for one kind of machine: the types, the system calls, the pollers.
#[test]
fn the_machine_matters_in_three_folders_only() {
    let places = ["src/abi", "src/sys", "src/backend"];
    let is_place = |file: &Path| places.iter().any(|place| file.starts_with(place));
    let found = breaches(|file, word, _| word.starts_with("target_") && !is_place(file));
    assert!(found.is_empty(), "move it to {places:?}: {found:#?}");
}

/// libc's functions for files that have a second name with 64 at its end. libuv's build for Linux
/// on x86-64 imports those of the first list by that name, or looks them up by it; the others are
/// of the same kind.
const NAMES_WITHOUT_64: &[&str] = &[
    "fcntl",
    "fstat",
    "fstatfs",
    "ftruncate",
    "getrlimit",
    "lstat",
    "mmap",
    "open",
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "readdir",
    "scandir",
    "sendfile",
    "stat",
    "statfs", //
    "creat",
    "fallocate",
    "fopen",
    "fstatat",
    "fseeko",
    "ftello",
    "fstatvfs",
    "lockf",
    "lseek",
    "openat",
    "posix_fadvise",
    "posix_fallocate",
    "preadv2",
    "prlimit",
    "pwritev2",
    "setrlimit",
    "statvfs",
    "tmpfile",
    "truncate",
];

fn is_short_name(word: &str, before: &str) -> bool {
    NAMES_WITHOUT_64.contains(&word) && before.ends_with("libc::")
}

#[test]
fn files_are_reached_by_the_names_that_libuv_imports() {
    let found = breaches(|file, word, before| {
        !file.ends_with("sys/large.rs") && is_short_name(word, before)
    });
    assert!(found.is_empty(), "use sys::large: {found:#?}");
}

#[test]
fn breaches_are_noticed() {
    let functions = BTreeSet::from([String::from("uv_close")]);
    let uses = |line: &'static str| {
        words(line)
            .into_iter()
            .any(|(word, before)| uses_exported(&functions, word, before))
    };
    assert!(uses("    unsafe { uv_close(handle, None) };"));
    assert!(uses("pub(crate) use handle::uv_close;"));
    assert!(!uses("pub unsafe extern \"C\" fn uv_close("));
    assert!(!uses("/// As uv_close"));
    assert!(!uses("let callback: uv_close_cb = get!(self.close_cb);"));
    let is_short = |line: &'static str| {
        words(line)
            .into_iter()
            .any(|(word, before)| is_short_name(word, before))
    };
    assert!(is_short("cvt(unsafe { libc::open(path, flags) })"));
    assert!(!is_short("cvt(unsafe { large::open(path, flags) })"));
    assert!(!is_short("cvt(unsafe { libc::open64(path, flags) })"));
}

/// The names of the statics that a file of the library defines, outside its tests.
fn statics(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut found = Vec::new();
    for line in code.lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let line = line.strip_prefix("pub(super) ").unwrap_or(line);
        let Some(name) = line
            .strip_prefix("static ")
            .and_then(|rest| rest.split(':').next())
        else {
            continue;
        };
        if name.chars().all(|at| at.is_ascii_uppercase() || at == '_') {
            found.push(name);
        }
    }
    found
}

/// The table in `driver/process_wide.rs` says what protects each static, and what a fork does to it.
#[test]
fn every_static_is_in_the_table() {
    let table = std::fs::read_to_string(root().join("src/driver/process_wide.rs")).unwrap();
    let listed: BTreeSet<(String, String)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split_once('|'))
        .flat_map(|(names, _)| {
            let names: Vec<&str> = names.split('`').step_by(2).collect();
            let file = names[0].to_string();
            let names = names[1..].iter().filter(|name| !name.trim().is_empty());
            names
                .map(|name| (file.clone(), name.to_string()))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut files = Vec::new();
    files_below(&root().join("src"), &mut files);
    let mut defined = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root().join("src")).unwrap();
        let name = name.with_extension("").display().to_string();
        let name = name.strip_suffix("/mod").unwrap_or(&name).to_string();
        defined.extend(
            statics(&text)
                .iter()
                .map(|at| (name.clone(), at.to_string())),
        );
    }
    assert!(defined.len() > 20, "the statics are not found any more");
    assert_eq!(listed, defined);
}
